//! `ledgerbell api-key`: keys for integrations, created by the operator.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::app::Keys;
use crate::config::Settings;
use crate::domain::member::{ApiKeys, NewApiKey};
use crate::primitives::actor::{Actor, Permission, Permissions, Side};
use crate::primitives::clock::{Clock, Timestamp};
use crate::primitives::ids::{AccountId, ApiKeyId, GlobalId, IdKind};

use super::{Ending, Failure, say, start_logging};

/// Create, list or revoke API keys.
#[derive(Debug, Args)]
pub(super) struct ApiKey {
    #[command(subcommand)]
    subcommand: ApiKeySubcommand,
}

#[derive(Debug, Subcommand)]
enum ApiKeySubcommand {
    /// Create a key and print it. It is shown only once.
    Create {
        /// Human-readable purpose of the key.
        #[arg(long)]
        name: String,
        /// The account that the key is for; all accounts when left out.
        #[arg(long, value_name = "ID", value_parser = account_id)]
        account: Option<AccountId>,
        /// The side that the key acts for. A team key needs an account.
        #[arg(long, value_name = "SIDE", default_value = "platform", value_parser = side)]
        side: Side,
        /// The permissions, such as `READ_CREDIT_LOG,BOOK_SESSIONS,SETTLE_SESSIONS`.
        #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = permission)]
        permissions: Vec<Permission>,
        /// When the key expires, such as 2027-01-31T00:00:00Z; never when left out.
        #[arg(long, value_name = "INSTANT", value_parser = instant)]
        expires_at: Option<Timestamp>,
    },
    /// List keys, newest first.
    List {
        /// The account; the keys for all accounts when left out.
        #[arg(long, value_name = "ID", value_parser = account_id)]
        account: Option<AccountId>,
    },
    /// Revoke a key. It stops working at once.
    Revoke {
        /// The key's id, as listed.
        #[arg(value_name = "ID", value_parser = api_key_id)]
        id: (AccountId, ApiKeyId),
    },
}

pub(super) async fn run(command: &ApiKey, settings: &Settings) -> Ending {
    let _collector = start_logging(settings)?;
    let keys = Keys::open(settings, Clock::system()).await?;
    let done = act(&command.subcommand, keys.api_keys()).await;
    keys.close().await?;
    done.map(|()| ExitCode::SUCCESS)
}

async fn act(subcommand: &ApiKeySubcommand, api_keys: &ApiKeys) -> Result<(), Failure> {
    match subcommand {
        ApiKeySubcommand::Create {
            name,
            account,
            side,
            permissions,
            expires_at,
        } => {
            if permissions.is_empty() {
                return Err(no_permissions(*side).into());
            }
            let new = NewApiKey {
                account_id: account.unwrap_or(AccountId::PLATFORM),
                side: Some(*side),
                name: name.clone(),
                permissions: permissions.iter().copied().collect(),
                expires_at: *expires_at,
            };
            say(&api_keys.create(&Actor::System, new).await?.secret)?;
        }
        ApiKeySubcommand::List { account } => {
            let account_id = account.unwrap_or(AccountId::PLATFORM);
            for key in api_keys.list(&Actor::System, account_id).await? {
                let state = match (key.revoked_at, key.expires_at) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) => format!("expires {at}"),
                    (None, None) => "active".to_owned(),
                };
                let used = key
                    .last_used_at
                    .map_or("never used".to_owned(), |at| format!("last used {at}"));
                let may: Vec<&str> = key.permissions.iter().map(Permission::name).collect();
                let id = key.id.global(key.account_id);
                say(&format!(
                    "{id}  lb_{}_…  {}  {}  {state}  {used}  {}",
                    key.prefix,
                    key.name,
                    key.side.as_str(),
                    may.join(",")
                ))?;
            }
        }
        ApiKeySubcommand::Revoke {
            id: (account_id, api_key_id),
        } => {
            let key = api_keys.revoke(&Actor::System, *account_id, *api_key_id).await?;
            say(&format!("{} is revoked", key.name))?;
        }
    }
    Ok(())
}

fn id_of(text: &str, kind: IdKind, example: &str) -> Result<GlobalId, String> {
    let id: Option<GlobalId> = text.parse().ok();
    id.filter(|id| id.kind == kind)
        .ok_or_else(|| format!("must be an id such as {example}"))
}

fn account_id(text: &str) -> Result<AccountId, String> {
    id_of(text, IdKind::Account, "acct_4ajfau0c0ue4c").map(|id| id.account_id)
}

fn api_key_id(text: &str) -> Result<(AccountId, ApiKeyId), String> {
    id_of(text, IdKind::ApiKey, "key_…").map(|id| (id.account_id, ApiKeyId::from_uuid(id.uuid)))
}

fn permission(text: &str) -> Result<Permission, String> {
    Permission::from_name(text.trim()).ok_or_else(|| format!("must be one of {}", names_for(Side::Platform)))
}

fn side(text: &str) -> Result<Side, String> {
    Side::from_text(&text.to_uppercase()).ok_or_else(|| "must be platform or team".to_owned())
}

fn names_for(side: Side) -> String {
    let names: Vec<&str> = Permissions::of(side).iter().map(Permission::name).collect();
    names.join(",")
}

fn no_permissions(side: Side) -> String {
    format!(
        "--permissions is missing: name the permissions of the key, out of {}. Grant only those that the integration needs",
        names_for(side)
    )
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text);
    parsed
        .map(|instant| Timestamp::from_datetime(instant.to_utc()))
        .map_err(|_| "must be an instant such as 2027-01-31T00:00:00Z".to_owned())
}
