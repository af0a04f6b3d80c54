//! Members' settings.

use std::collections::{BTreeMap, HashMap};

use entity::notification_settings::{self, Column};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};

use super::unreadable;
use crate::domain::database::bulk::{self, Columns, Kind, Rows};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId};
use crate::primitives::local_time::LocalTime;

use super::super::model::{AlertKind, Channel, NotificationSettings, QuietHours};

const MEMBERS: Columns = &[("account_id", Kind::BigInt), ("member_id", Kind::Uuid)];

/// The settings of those among these members, of whichever accounts, who have said anything, by a statement that is the same whatever
/// their number.
pub(in super::super) async fn settings(
    connection: &impl ConnectionTrait,
    members: impl IntoIterator<Item = (AccountId, MemberId)>,
) -> Result<HashMap<MemberId, NotificationSettings>, Fault> {
    let mut rows = Rows::new(MEMBERS);
    for (account_id, member_id) in members {
        rows.push([account_id.number().into(), member_id.uuid().into()]);
    }
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let backend = connection.get_database_backend();
    let sql = format!(
        "SELECT t.* FROM {} {}",
        rows.relation(backend, 1),
        bulk::probe(backend, "notification_settings", " AND t.member_id = r.member_id")
    );
    let rows = notification_settings::Entity::find().from_raw_sql(rows.statement(backend, sql));
    let rows = rows.all(connection).await?.into_iter();
    rows.map(|row| from_row(&row).map(|settings| (settings.member_id, settings)))
        .collect()
}

/// Writes a member's settings, whether or not there were any.
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

fn to_json(preferences: &BTreeMap<(AlertKind, Channel), bool>) -> Result<String, Fault> {
    let name = |(kind, channel): &(AlertKind, Channel)| format!("{} {}", kind.as_str(), channel.as_str());
    let named: BTreeMap<String, bool> = preferences.iter().map(|(key, on)| (name(key), *on)).collect();
    serde_json::to_string(&named).map_err(|error| Fault::Internal(error.to_string()))
}

fn from_json(json: &str) -> Result<BTreeMap<(AlertKind, Channel), bool>, Fault> {
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
        low_balance_threshold: row.low_balance_threshold.map(Credits::from_units),
        quiet_hours,
        version: row.version,
    })
}
