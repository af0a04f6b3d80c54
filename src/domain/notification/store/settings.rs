//! Members' settings.

use std::collections::{BTreeMap, HashMap};

use entity::notification_defaults;
use entity::notification_settings::{self, Column};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel};

use super::unreadable;
use crate::domain::database::bulk::{Record, Rows};
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
    if rows.is_empty() {
        return Ok(found);
    }
    let backend = connection.get_database_backend();
    let relation = rows.relation(backend, 1);
    let scope = AccountScope::of(backend, &rows);
    let of_members = scope.probe(backend, "notification_settings", "t.member_id = r.member_id");
    let of_account = scope.probe(backend, "notification_defaults", "true");
    // One statement, because alerts of many accounts need this several times.
    let sql = format!(
        "SELECT t.account_id, t.member_id, t.preferences, t.low_balance_threshold, t.quiet_start, t.quiet_end, t.version, \
         t.changed_at, FALSE AS is_of_account FROM {relation} {of_members} UNION ALL \
         SELECT t.account_id, r.member_id, t.preferences, NULL, NULL, NULL, t.version, NULL, TRUE FROM {relation} {of_account}"
    );
    let mut defaults = HashMap::new();
    for row in &connection.query_all_raw(scope.statement(backend, sql, &rows)).await? {
        let said = notification_settings::Model::from_query_result(row, "")?;
        if row.try_get::<bool>("", "is_of_account")? {
            defaults.insert(MemberId::from_uuid(said.member_id), from_json(&said.preferences)?);
        } else {
            let settings = from_row(&said)?;
            found.insert(settings.member_id, settings);
        }
    }
    for (member_id, defaults) in defaults {
        if let Some(settings) = found.get_mut(&member_id) {
            settings.defaults = defaults;
        }
    }
    Ok(found)
}

/// Reads the defaults of an account for members who have not chosen otherwise.
pub(in super::super) async fn defaults_of(
    connection: &impl ConnectionTrait,
    account_id: AccountId,
) -> Result<NotificationDefaults, Fault> {
    let said = notification_defaults::Entity::find_by_id(account_id.number());
    let Some(row) = said.one(connection).await? else {
        return Ok(NotificationDefaults::new(account_id));
    };
    Ok(NotificationDefaults {
        account_id,
        preferences: from_json(&row.preferences)?,
        version: row.version,
    })
}

/// Inserts or updates an account's defaults.
pub(in super::super) async fn save_defaults(
    tx: &impl ConnectionTrait,
    defaults: &NotificationDefaults,
) -> Result<(), Fault> {
    use notification_defaults::Column;
    let row = notification_defaults::Model {
        account_id: defaults.account_id.number(),
        preferences: to_json(&defaults.preferences)?,
        version: defaults.version,
    };
    let replace = OnConflict::column(Column::AccountId)
        .update_columns([Column::Preferences, Column::Version])
        .to_owned();
    notification_defaults::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Inserts or updates a member's settings.
pub(in super::super) async fn save_settings(
    tx: &impl ConnectionTrait,
    settings: &NotificationSettings,
    now: Timestamp,
) -> Result<(), Fault> {
    let minutes = |time: LocalTime| i32::from(time.minutes());
    let row = notification_settings::Model {
        account_id: settings.account_id.number(),
        member_id: settings.member_id.uuid(),
        preferences: to_json(&settings.preferences)?,
        low_balance_threshold: settings.low_balance_threshold.map(Credits::units),
        quiet_start: settings.quiet_hours.map(|hours| minutes(hours.start)),
        quiet_end: settings.quiet_hours.map(|hours| minutes(hours.end)),
        version: settings.version,
        changed_at: Some(now.millis()),
    };
    let replace = OnConflict::columns([Column::AccountId, Column::MemberId])
        .update_columns([
            Column::Preferences,
            Column::LowBalanceThreshold,
            Column::QuietStart,
            Column::QuietEnd,
            Column::Version,
            Column::ChangedAt,
        ])
        .to_owned();
    notification_settings::Entity::insert(row.into_active_model())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    Ok(())
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

fn from_row(row: &notification_settings::Model) -> Result<NotificationSettings, Fault> {
    let time = |minutes: i32| LocalTime::from_minutes(minutes).ok_or_else(|| unreadable("time", &minutes.to_string()));
    let quiet_hours = match (row.quiet_start, row.quiet_end) {
        (Some(start), Some(end)) => Some(QuietHours {
            start: time(start)?,
            end: time(end)?,
        }),
        _ => None,
    };
    Ok(NotificationSettings {
        account_id: AccountId::from_number(row.account_id),
        member_id: MemberId::from_uuid(row.member_id),
        preferences: from_json(&row.preferences)?,
        defaults: Preferences::new(),
        low_balance_threshold: row.low_balance_threshold.map(Credits::from_units),
        quiet_hours,
        version: row.version,
    })
}
