//! All kinds of callers: strangers, members of each role, keys of each side with each single permission, and credentials that
//! have expired.

use std::time::Duration;

use ledgerbell::primitives::actor::{Actor, MemberRole, Permission, Permissions, Side};
use serde_json::json;

use crate::harness::{Client, Person, Team, TestApp};

/// The rights of a caller in the tested account.
#[derive(Clone, Debug)]
pub(super) struct Rights {
    pub(super) permissions: Permissions,
    pub(super) side: Side,
    pub(super) is_member: bool,
    /// Whether it is the member that the objects belong to.
    pub(super) is_subject: bool,
    /// Whether it is a key for all accounts.
    pub(super) is_everywhere: bool,
}

/// The relation of a caller to the tested account.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// Not signed in, or no longer.
    SignedOut,
    /// Signed in, but the account does not exist for the caller.
    Stranger,
    /// Signed in with rights in the account.
    Has(Rights),
}

pub(super) struct Party {
    pub(super) name: String,
    pub(super) client: Client,
    pub(super) standing: Standing,
}

fn party(name: impl Into<String>, client: Client, standing: Standing) -> Party {
    Party {
        name: name.into(),
        client,
        standing,
    }
}

/// The roles in a team.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Member(MemberRole),
    TeamKey(Permission),
    /// A key of the platform for the team's account, or for all.
    PlatformKey(Permission, bool),
}

impl Role {
    pub(super) fn all() -> Vec<Self> {
        let members = MemberRole::ALL.iter().map(|role| Self::Member(*role));
        let of_team = Permissions::of(Side::Team).iter().map(Self::TeamKey);
        let of_platform = Permission::ALL
            .into_iter()
            .flat_map(|permission| [false, true].map(|is_everywhere| Self::PlatformKey(permission, is_everywhere)));
        members.chain(of_team).chain(of_platform).collect()
    }

    /// Returns a caller with this role in the team.
    pub(super) async fn in_team(self, app: &TestApp, team: &Team) -> Party {
        let own = Some(team.account.id);
        let (client, is_everywhere) = match self {
            Self::Member(MemberRole::Owner) => (team.owner.client.clone(), false),
            Self::Member(MemberRole::Admin) => (team.admin.client.clone(), false),
            Self::Member(MemberRole::Member) => (team.member.client.clone(), false),
            Self::TeamKey(permission) => (app.key_of(own, Side::Team, &[permission]).await, false),
            Self::PlatformKey(permission, is_everywhere) => {
                let of = own.filter(|_| !is_everywhere);
                (app.key_of(of, Side::Platform, &[permission]).await, is_everywhere)
            }
        };
        let actor = app.sign_in(&client).await.actor;
        let rights = Rights {
            permissions: actor.permissions(),
            side: actor.side(),
            is_member: matches!(self, Self::Member(_)),
            is_subject: matches!(self, Self::Member(MemberRole::Member)),
            is_everywhere,
        };
        party(format!("{self:?}"), client, Standing::Has(rights))
    }
}

/// Returns callers with all roles in the team.
pub(super) async fn of_team(app: &TestApp, team: &Team) -> Vec<Party> {
    let mut parties = Vec::new();
    for role in Role::all() {
        parties.push(role.in_team(app, team).await);
    }
    parties
}

/// Returns callers without access to the team, or with access that has ended.
pub(super) async fn outside(app: &TestApp) -> Vec<Party> {
    let other = app.another_team("outside").await;
    let mut parties = vec![
        party("anonymous", app.anonymous(), Standing::SignedOut),
        party("another owner", other.owner.client.clone(), Standing::Stranger),
        party("another member", other.member.client.clone(), Standing::Stranger),
    ];
    let everything = |side| Permissions::of(side).iter().collect::<Vec<_>>();
    let of_another = app
        .key_of(Some(other.account.id), Side::Platform, &everything(Side::Platform))
        .await;
    parties.push(party("another account's key", of_another, Standing::Stranger));

    let services = app.services();
    let soon = Duration::from_mins(5);
    let token = services
        .sign_in
        .issue_token(app.team.account.id, app.team.owner.member.id, soon);
    let expired_token = app.platform.with_credential(&token.expect("a token"));
    let expired_key = app.expiring_key(Side::Platform, soon).await;
    for side in [Side::Platform, Side::Team] {
        let revoked = app.key_of(Some(app.team.account.id), side, &everything(side)).await;
        let Actor::ApiKey {
            account_id, api_key_id, ..
        } = app.sign_in(&revoked).await.actor
        else {
            panic!("a key");
        };
        let done = services.api_keys.revoke(&Actor::System, account_id, api_key_id).await;
        done.expect("revoked");
        parties.push(party(
            format!("revoked {} key", side.as_str()),
            revoked,
            Standing::SignedOut,
        ));
    }
    let removed = remove_an_admin(app).await;
    parties.push(party("removed admin", removed, Standing::SignedOut));
    // Clocks of issuers may differ slightly, so tokens are accepted slightly longer.
    app.advance(2 * soon);
    parties.push(party("expired token", expired_token, Standing::SignedOut));
    parties.push(party("expired key", expired_key, Standing::SignedOut));
    parties
}

/// Returns the client of an admin who was removed from the team.
async fn remove_an_admin(app: &TestApp) -> Client {
    let input = json!({ "accountId": app.team.id(), "externalId": "gone", "name": "Gone", "role": "ADMIN" });
    app.platform.mutate("addMember", "member { id }", input).await;
    let (services, account_id) = (app.services(), app.team.account.id);
    let found = services
        .members
        .find_by_external_id(&Actor::System, account_id, "gone")
        .await;
    let gone = found.expect("reads").expect("a member");
    let token = services
        .sign_in
        .issue_token(account_id, gone.id, Duration::from_hours(1000));
    let person = Person {
        client: app.platform.with_credential(&token.expect("a token")),
        member: gone,
    };
    let removed = services
        .members
        .remove(&Actor::System, account_id, person.member.id)
        .await;
    removed.expect("removed");
    person.client
}
