//! Writes the demo's history into an empty database, through the normal use cases, with a clock that moves along.

use std::collections::HashMap;

use chrono_tz::Tz;

use crate::commands::Failure;
use crate::domain::Services;
use crate::domain::ledger::model::{Command, LotKind, MemberRef, SessionRef};
use crate::domain::member::{AccountPatch, NewAccount, NewApiKey, NewMember};
use crate::domain::notification::{AlertFilter, InboxMark, Marked};
use crate::domain::top_up::model::AutoTopUpPatch;
use crate::domain::top_up::{AutoTopUpChange, NewTopUp, TopUpOrigin};
use crate::primitives::actor::{Actor, Permissions, Side};
use crate::primitives::clock::Timestamp;
use crate::primitives::credits::Credits;
use crate::primitives::ids::{AccountId, MemberId};
use crate::primitives::money::{CreditPrice, Currency};
use crate::primitives::page::PageRequest;

use super::story::{self, Act, PlannedAction, TEAM, Who};

/// The external id of the demo's account.
pub(super) const ACCOUNT: &str = "demo-team";
/// Its external id until the history is complete.
pub(super) const UNFINISHED: &str = "demo-team-unfinished";
/// The automatic top-up of the team's account starts below this.
const LOW: Credits = Credits::whole(45);
const AUTOMATIC_TOP_UP: Credits = Credits::whole(150);
/// The last top-up, which fails.
const FAILING_TOP_UP: Credits = Credits::whole(100);
/// The monthly cap of the automatic top-up, in euros.
const MONTHLY_CAP: i64 = 1_000;

/// What is needed to write the history.
struct Player<'a> {
    services: &'a Services,
    account_id: AccountId,
    members: Vec<MemberId>,
    /// The platform's own server.
    platform: Actor,
    booked: HashMap<usize, MemberId>,
    actions: usize,
}

/// Creates the demo team and its history until `now`. The services' clock starts at the beginning of the history, and is at
/// `now` in the end. Returns the platform's API key.
pub(super) async fn seed(services: &Services, now: Timestamp) -> Result<String, Failure> {
    let platform_key = services.api_keys.create(&Actor::System, platform_key()).await?;
    let platform = Actor::ApiKey {
        account_id: AccountId::PLATFORM,
        api_key_id: platform_key.api_key.id,
        side: Side::Platform,
        permissions: Permissions::all(),
    };
    let account = services.accounts.create(&platform, new_account()?).await?;
    let mut player = Player {
        services,
        account_id: account.id,
        members: Vec::with_capacity(TEAM.len()),
        platform,
        booked: HashMap::new(),
        actions: 0,
    };
    for (external_id, _, _) in TEAM {
        player.members.push(player.member(external_id).await?);
    }
    for action in story::actions(now) {
        services.clock.advance_to(action.at);
        player.play(action).await?;
    }
    services.clock.advance_to(now);
    let whole = AccountPatch {
        external_id: Some(ACCOUNT.to_owned()),
        ..AccountPatch::default()
    };
    services.accounts.update(&player.platform, account.id, whole).await?;
    switch_on_auto_top_up(services, &player).await?;
    leave_something_to_do(services, &player).await?;
    Ok(platform_key.secret)
}

/// Adds the team's card at the simulated gateway, and enables the automatic top-up, as the owner would.
async fn switch_on_auto_top_up(services: &Services, player: &Player<'_>) -> Result<(), Failure> {
    let owner = player.who(Who::Person(0));
    let account_id = player.account_id;
    services
        .payment_methods
        .add(&owner, account_id, "card_ok".to_owned(), true)
        .await?;
    let change = AutoTopUpChange {
        patch: AutoTopUpPatch {
            enabled: Some(true),
            trigger: Some(LOW),
            amount: Some(AUTOMATIC_TOP_UP),
            consent: true,
            ..AutoTopUpPatch::default()
        },
        monthly_cap: Some(Some(MONTHLY_CAP.into())),
        ..AutoTopUpChange::default()
    };
    services.auto_top_ups.update(&owner, account_id, change).await?;
    Ok(())
}

/// Leaves alerts for the owner to act on. All are read except those of a top-up that has just failed. It succeeds when it is retried
/// with the other card.
async fn leave_something_to_do(services: &Services, player: &Player<'_>) -> Result<(), Failure> {
    let owner = player.who(Who::Person(0));
    let (account_id, member_id) = (player.account_id, player.members[0]);
    player.evaluate().await?;
    let newest = PageRequest::new(Some(1), None, None, None)?;
    let inbox = services
        .alerts
        .inbox(&owner, account_id, member_id, &AlertFilter::default(), &newest)
        .await?;
    if let Some(((_, alert_id), _)) = inbox.items.first() {
        let all = Marked::UpTo(*alert_id);
        services
            .alerts
            .mark(&owner, account_id, member_id, all, InboxMark::Read(true))
            .await?;
    }
    let card = services
        .payment_methods
        .add(&owner, account_id, "card_declined".to_owned(), false)
        .await?;
    let new = NewTopUp {
        credits: FAILING_TOP_UP,
        payment_method_id: Some(card.id),
        acting: None,
        key: "demo-top-up".to_owned(),
    };
    services.top_ups.create(&owner, account_id, new).await?;
    while services.charging.turn(1).await? > 0 {}
    player.evaluate().await
}

/// The key that the demo prints. It has all permissions.
pub(super) fn platform_key() -> NewApiKey {
    NewApiKey {
        account_id: AccountId::PLATFORM,
        side: None,
        name: "Booking platform".to_owned(),
        permissions: Permissions::all(),
        expires_at: None,
    }
}

fn new_account() -> Result<NewAccount, Failure> {
    let (external_id, name, role) = TEAM[0];
    let currency: Currency = "EUR".parse()?;
    Ok(NewAccount {
        external_id: Some(UNFINISHED.to_owned()),
        name: "Brightwater Studio".to_owned(),
        // 1.20 per credit.
        credit_price: CreditPrice::from_millionths(1_200_000),
        currency,
        timezone: Tz::Europe__Berlin,
        owner: Some(new_member(external_id, name, role)),
    })
}

fn new_member(external_id: &str, name: &str, role: crate::primitives::actor::MemberRole) -> NewMember {
    NewMember {
        external_id: Some(external_id.to_owned()),
        name: name.to_owned(),
        email: Some(format!("{external_id}@brightwater.example")),
        role,
        locale: None,
        email_verified: false,
    }
}

impl Player<'_> {
    /// Returns the member of the team with this external id. Creates the member if it does not exist yet;
    /// only the owner exists from the start.
    async fn member(&self, external_id: &str) -> Result<MemberId, Failure> {
        let services = self.services;
        let found = services
            .members
            .find_by_external_id(&self.platform, self.account_id, external_id)
            .await?;
        if let Some(member) = found {
            return Ok(member.id);
        }
        let planned = TEAM.iter().find(|(id, _, _)| *id == external_id);
        let (external_id, name, role) = planned.ok_or("the story has no such member")?;
        let new = new_member(external_id, name, *role);
        Ok(services.members.add(&self.platform, self.account_id, new).await?.id)
    }

    async fn play(&mut self, action: PlannedAction) -> Result<(), Failure> {
        self.actions += 1;
        let command = match action.act {
            Act::Sweep => {
                self.services.ledger.sweep(1).await?;
                return self.evaluate().await;
            }
            Act::TopUp { credits } => {
                let who = self.who(action.who);
                let (origin, cause) = (TopUpOrigin::Manual, who.cause(None));
                let top_ups = &self.services.top_ups;
                top_ups
                    .record_paid(&Actor::System, self.account_id, credits, origin, cause)
                    .await?;
                return Ok(());
            }
            Act::Grant {
                credits,
                description,
                lasts,
            } => Command::Grant {
                credits,
                description: description.to_owned(),
                kind: LotKind::Promotional,
                expires_at: lasts.map(|lasts| {
                    action
                        .at
                        .plus_millis(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX))
                }),
                priority: 0,
            },
            Act::Adjust { amount, description } => Command::Adjust {
                amount,
                description: description.to_owned(),
                reverses: None,
            },
            Act::Book(planned) => {
                let member = self.members[planned.member];
                self.booked.insert(action.session, member);
                Command::Book {
                    member: MemberRef::Id(member),
                    external_id: Some(external_id(action.session)),
                    title: planned.title.to_owned(),
                    starts_at: planned.starts_at,
                    ends_at: planned.ends_at,
                    credits: planned.credits,
                    metadata: None,
                }
            }
            Act::Complete { credits } => Command::Complete {
                session: session(action.session),
                credits,
                allow_overage: true,
            },
            Act::Cancel { reason, fee, no_show } => Command::Cancel {
                session: session(action.session),
                reason: Some(reason.to_owned()),
                fee,
                no_show,
            },
            Act::Refund { credits, reason } => Command::Refund {
                session: session(action.session),
                credits,
                reason: reason.to_owned(),
            },
        };
        // Only the platform may settle sessions and grant credits. It does so on behalf of the member.
        let acting = match action.who {
            Who::Platform => None,
            Who::Person(at) => Some(self.members[at]),
        };
        let key = format!("demo-{}", self.actions);
        let posted = self
            .services
            .ledger
            .post(&self.platform, self.account_id, acting, key, command)
            .await?;
        if posted.balance.available() < LOW {
            let (origin, cause) = (TopUpOrigin::Auto, crate::primitives::actor::Cause::System);
            let top_ups = &self.services.top_ups;
            top_ups
                .record_paid(&Actor::System, self.account_id, AUTOMATIC_TOP_UP, origin, cause)
                .await?;
        }
        Ok(())
    }

    /// Raises the alerts for what has happened, at the time of the history.
    async fn evaluate(&self) -> Result<(), Failure> {
        while self.services.alerts.evaluate_alone(self.account_id).await? {}
        self.services.alerts.evaluate_due(1).await?;
        Ok(())
    }

    fn who(&self, who: Who) -> Actor {
        match who {
            Who::Platform => self.platform.clone(),
            Who::Person(at) => Actor::Member {
                account_id: self.account_id,
                member_id: self.members[at],
                role: TEAM[at].2,
            },
        }
    }
}

fn external_id(session: usize) -> String {
    format!("lesson-{session:03}")
}

fn session(session: usize) -> SessionRef {
    SessionRef::ExternalId(external_id(session))
}
