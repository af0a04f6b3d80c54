//! A member's settings as a table: a row for each kind of alert, and a cell for each channel.

use async_graphql::{Context, Enum, Object};

use super::settings::{AlertKind, NotificationPreference};
use crate::domain::notification::model;
use crate::graphql::context::scope;
use crate::graphql::errors::ApiError;
use crate::graphql::viewer::in_language;

/// Kinds of alerts that settings list together.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "model::Group")]
pub(crate) enum NotificationGroup {
    /// The available credits.
    Balance,
    /// Purchases, cards and auto top-up.
    TopUps,
    /// Booked uses of credits.
    Sessions,
    /// The account as a whole, and how members are reached.
    Account,
}

/// One kind of alert in a member's settings.
#[derive(Clone, Debug)]
pub(crate) struct NotificationRow {
    kind: model::AlertKind,
    group: model::Group,
    cells: Vec<NotificationPreference>,
}

impl NotificationRow {
    /// All rows in the order of the table.
    pub(super) fn all(cell: impl Fn(model::AlertKind, model::Channel) -> NotificationPreference) -> Vec<Self> {
        let of_group = |group| {
            let kinds = model::AlertKind::ALL.iter().copied();
            kinds
                .filter(move |kind| kind.group() == Some(group))
                .map(move |kind| (kind, group))
        };
        let rows = model::Group::ALL.into_iter().flat_map(of_group);
        rows.map(|(kind, group)| Self {
            kind,
            group,
            cells: model::Channel::ALL.iter().map(|channel| cell(kind, *channel)).collect(),
        })
        .collect()
    }
}

/// Returns a cell for each kind and channel.
pub(super) fn cells(
    cell: impl Fn(model::AlertKind, model::Channel) -> NotificationPreference,
) -> Vec<NotificationPreference> {
    let kinds = model::AlertKind::ALL.iter();
    let table = kinds.flat_map(|kind| model::Channel::ALL.iter().map(|channel| (*kind, *channel)));
    table.map(|(kind, channel)| cell(kind, channel)).collect()
}

/// One kind of alert in a member's settings: the texts of its row, and its cells.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl NotificationRow {
    /// The kind.
    async fn kind(&self) -> AlertKind {
        self.kind.into()
    }

    /// The name of the kind, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn title(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(self.kind.label()).await
    }

    /// What the alert reports, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn description(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(self.kind.description()).await
    }

    /// The group that lists the kind.
    async fn group(&self) -> NotificationGroup {
        self.group.into()
    }

    /// The name of the group, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn group_title(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(self.group.label()).await
    }

    /// One for each channel.
    async fn cells(&self) -> &[NotificationPreference] {
        &self.cells
    }
}
