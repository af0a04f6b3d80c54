//! `ledgerbell token`: signs in a member before an application does it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::app::App;
use crate::config::{Mode, Settings};
use crate::domain::member::Member;
use crate::primitives::actor::Actor;
use crate::primitives::clock::Clock;
use crate::primitives::ids::{GlobalId, IdKind, MemberId};

use super::{Ending, Failure, say, start_logging};

/// Print a token that signs a member in. In development only.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The account's id or external id.
    #[arg(long, value_name = "ID")]
    account: String,
    /// The member's id or external id.
    #[arg(long, value_name = "ID")]
    member: String,
    /// The lifetime of the token, such as 30m, 12h or 7d.
    #[arg(long, value_name = "DURATION", default_value = "12h", value_parser = duration)]
    ttl: Duration,
}

pub(super) async fn run(command: &Token, settings: &Settings) -> Ending {
    if settings.mode != Mode::Development {
        return Err(
            "this command creates tokens in development only (--mode development); in production, your application creates them"
                .into(),
        );
    }
    let _collector = start_logging(settings)?;
    let app = App::open(settings, Clock::system()).await?;
    let token = token(command, &app).await;
    app.close().await?;
    say(&token?)?;
    Ok(ExitCode::SUCCESS)
}

async fn token(command: &Token, app: &App) -> Result<String, Failure> {
    let member = find_member(command, app).await?;
    let sign_in = &app.services().sign_in;
    Ok(sign_in.issue_token(member.account_id, member.id, command.ttl)?)
}

async fn find_member(command: &Token, app: &App) -> Result<Member, Failure> {
    let services = app.services();
    let system = Actor::System;
    let by_id = |text: &str, kind: IdKind| text.parse::<GlobalId>().ok().filter(|id| id.kind == kind);
    let account = match by_id(&command.account, IdKind::Account) {
        Some(id) => services.accounts.find(&system, id.account_id).await?,
        None => services.accounts.find_by_external_id(&system, &command.account).await?,
    };
    let account = account.ok_or_else(|| format!("there is no account {}", command.account))?;
    let member = match by_id(&command.member, IdKind::Member) {
        Some(id) if id.account_id != account.id => None,
        Some(id) => {
            services
                .members
                .find(&system, account.id, MemberId::from_uuid(id.uuid))
                .await?
        }
        None => {
            let members = &services.members;
            members
                .find_by_external_id(&system, account.id, &command.member)
                .await?
        }
    };
    Ok(member.ok_or_else(|| format!("there is no member {} in {}", command.member, account.name))?)
}

/// Parses `90s`, `30m`, `12h`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a number and a unit: 90s, 30m, 12h or 7d".to_owned();
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let seconds_each: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = number
        .checked_mul(seconds_each)
        .filter(|seconds| (1..=31_536_000).contains(seconds));
    Ok(Duration::from_secs(seconds.ok_or("must be from 1 second to 365 days")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_or_refused() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2d"), Ok(Duration::from_hours(48)));
        for text in [
            "",
            "h",
            "12",
            "1.5h",
            "-1h",
            "0s",
            "366d",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
