//! Members' settings.

use std::collections::{BTreeMap, HashMap};

use entity::{notification_defaults, notification_settings};
use sea_orm::ConnectionTrait;

use super::unreadable;
use crate::domain::database::bulk::{Record, Rows};
use crate::domain::database::records::{self, Fields, FromRow, column_list, columns_of};
use crate::domain::database::scope::AccountScope;
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId};
use crate::primitives::local_time::LocalTime;

use super::super::model::{AlertKind, Channel, NotificationDefaults, NotificationSettings, Preferences, QuietHours};

#[derive(Record)]
struct Named {
    account_id: AccountId,
    member_id: MemberId,
}

/// The settings of a member, as they are stored.
#[derive(Record, FromRow)]
struct SettingsRow {
    account_id: AccountId,
    member_id: MemberId,
    /// A JSON object of names.
    preferences: String,
    low_balance_threshold: Option<Credits>,
    quiet_start: Option<LocalTime>,
    quiet_end: Option<LocalTime>,
    version: i32,
    changed_at: Option<Timestamp>,
}

impl SettingsRow {
    fn settings(self) -> Result<NotificationSettings, Fault> {
        let quiet_hours = self.quiet_start.zip(self.quiet_end);
        Ok(NotificationSettings {
            account_id: self.account_id,
            member_id: self.member_id,
            preferences: from_json(&self.preferences)?,
            defaults: Preferences::new(),
            low_balance_threshold: self.low_balance_threshold,
            quiet_hours: quiet_hours.map(|(start, end)| QuietHours { start, end }),
            version: self.version,
        })
    }
}

/// The defaults of an account, as they are stored.
#[derive(Record, FromRow)]
struct DefaultsRow {
    account_id: AccountId,
    /// A JSON object of names.
    preferences: String,
    version: i32,
}

/// Reads the settings of these members, of any accounts, also of those without stored settings. The statement is the same for any number
/// of members.
pub(in super::super) async fn settings(
    connection: &impl ConnectionTrait,
    members: impl IntoIterator<Item = (AccountId, MemberId)>,
) -> Result<HashMap<MemberId, NotificationSettings>, Fault> {
    let mut found = HashMap::new();
    let rows = Rows::of(members.into_iter().map(|(account_id, member_id)| {
        found.insert(member_id, NotificationSettings::new(account_id, member_id));
        Named { account_id, member_id }
    }));
    // One statement, because alerts of many accounts need this several times.
    let sql = |scope: AccountScope, relation: String| {
        format!(
            "SELECT r.member_id, {}, d.preferences FROM {relation} {} {}",
            columns_of::<SettingsRow>("s"),
            scope.optional("notification_settings", "s", "s.member_id = r.member_id"),
            scope.optional("notification_defaults", "d", "true"),
        )
    };
    for row in AccountScope::select(connection, &rows, sql).await? {
        let mut fields = Fields::of(&row);
        let member_id: MemberId = fields.next()?;
        let stored = Option::<SettingsRow>::read(&mut fields)?;
        let defaults: Option<String> = fields.next()?;
        let Some(settings) = found.get_mut(&member_id) else {
            continue;
        };
        if let Some(stored) = stored {
            *settings = stored.settings()?;
        }
        if let Some(defaults) = defaults {
            settings.defaults = from_json(&defaults)?;
        }
    }
    Ok(found)
}

/// Reads the defaults of an account for members who have not chosen otherwise.
pub(in super::super) async fn defaults_of(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<NotificationDefaults, Fault> {
    let sql = format!(
        "SELECT {} FROM notification_defaults WHERE account_id = $1",
        column_list::<DefaultsRow>()
    );
    let Some(row) = records::one::<DefaultsRow>(connection, sql, [account_id.into()]).await? else {
        return Ok(NotificationDefaults::new(account_id));
    };
    Ok(NotificationDefaults {
        account_id: row.account_id,
        preferences: from_json(&row.preferences)?,
        version: row.version,
    })
}

/// Inserts or updates an account's defaults.
pub(in super::super) async fn save_defaults(
    tx: &impl ConnectionTrait,
    defaults: &NotificationDefaults,
) -> Result<(), Fault> {
    let row = DefaultsRow {
        account_id: defaults.account_id,
        preferences: to_json(&defaults.preferences)?,
        version: defaults.version,
    };
    records::save::<notification_defaults::Entity>(tx, &row).await
}

/// Inserts or updates a member's settings.
pub(in super::super) async fn save_settings(
    tx: &impl ConnectionTrait,
    settings: &NotificationSettings,
    now: Timestamp,
) -> Result<(), Fault> {
    let row = SettingsRow {
        account_id: settings.account_id,
        member_id: settings.member_id,
        preferences: to_json(&settings.preferences)?,
        low_balance_threshold: settings.low_balance_threshold,
        quiet_start: settings.quiet_hours.map(|hours| hours.start),
        quiet_end: settings.quiet_hours.map(|hours| hours.end),
        version: settings.version,
        changed_at: Some(now),
    };
    records::save::<notification_settings::Entity>(tx, &row).await
}

fn to_json(preferences: &Preferences) -> Result<String, Fault> {
    let name = |(kind, channel): &(AlertKind, Channel)| format!("{} {}", kind.as_str(), channel.as_str());
    let named: BTreeMap<String, bool> = preferences.iter().map(|(key, on)| (name(key), *on)).collect();
    serde_json::to_string(&named).map_err(|error| Fault::Internal(error.to_string()))
}

fn from_json(json: &str) -> Result<Preferences, Fault> {
    let named: BTreeMap<String, bool> =
        serde_json::from_str(json).map_err(|_| unreadable("list of preferences", json))?;
    let key = |name: &str| {
        let (kind, channel) = name.split_once(' ')?;
        Some((AlertKind::from_text(kind)?, Channel::from_text(channel)?))
    };
    let preferences = named.into_iter();
    preferences
        .map(|(name, on)| Ok((key(&name).ok_or_else(|| unreadable("preference", &name))?, on)))
        .collect()
}
