//! A member's settings as a page shows them: a row for each kind of alert, and a cell for each channel.

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
    /// What there is to use.
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
    /// All rows in the order of a page, with what `cells` says of each kind.
    pub(super) fn all(cells: impl Fn(model::AlertKind) -> Vec<NotificationPreference>) -> Vec<Self> {
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
            cells: cells(kind),
        })
        .collect()
    }
}

/// One kind of alert in a member's settings: what to write at its row of a table, and its cells.
#[allow(clippy::unused_async, reason = "the library's resolvers are asynchronous")]
#[Object]
impl NotificationRow {
    /// Which alerts.
    async fn kind(&self) -> AlertKind {
        self.kind.into()
    }

    /// What it is called, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn title(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(self.kind.label()).await
    }

    /// What it tells of, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn description(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(self.kind.description()).await
    }

    /// With which others it is listed.
    async fn group(&self) -> NotificationGroup {
        self.group.into()
    }

    /// What the group is called, in the viewer's language.
    #[graphql(directive = in_language::apply())]
    async fn group_title(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        scope(ctx)?.in_words(self.group.label()).await
    }

    /// One for each channel.
    async fn cells(&self) -> &[NotificationPreference] {
        &self.cells
    }
}
