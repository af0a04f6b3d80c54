use std::collections::HashSet;

use crate::domain::fault::{QueryError, Refused, UseCaseError};
use crate::domain::filter::Given;
use crate::domain::ledger::model::AccountStatus;
use crate::primitives::actor::{AccessError, Actor, MemberRole, Permission};
use crate::primitives::ids::AccountId;
use crate::primitives::money::CreditPrice;
use crate::primitives::page::PageRequest;

use super::super::{
    AccountFilter, AccountOrder, AccountPatch, AccountPosition, AccountSearch, CreateAccountRefusal, NewAccount,
    NewMember, UpdateAccountRefusal, open_installation,
};
use super::{Room, account, actor, key, named};

const FORBIDDEN: AccessError = AccessError::Forbidden(Permission::ManageAccounts);

#[tokio::test]
async fn creating_an_account_again_gives_the_same_one_and_other_input_is_refused() {
    let room = Room::open().await;
    let input = NewAccount {
        owner: Some(named("owner", MemberRole::Member)),
        ..account("one")
    };
    let first = room
        .accounts
        .create(&Actor::System, input.clone())
        .await
        .expect("creates");
    assert_eq!((first.version, first.session_grace_hours), (1, 72));
    assert_eq!(
        room.accounts.create(&Actor::System, input.clone()).await,
        Ok(first.clone())
    );
    let owner = room
        .members
        .find_by_external_id(&Actor::System, first.id, "owner")
        .await
        .expect("reads")
        .expect("is");
    assert_eq!(
        owner.role,
        MemberRole::Owner,
        "the first member is an owner whatever was asked"
    );
    let contacts = room
        .members
        .contacts(&Actor::System, first.id, &[owner.id])
        .await
        .expect("reads");
    assert_eq!(contacts[&owner.id].timezone, chrono_tz::Europe::Berlin);

    let other_owner = Some(NewMember {
        name: "Eve".to_owned(),
        ..named("owner", MemberRole::Owner)
    });
    for other in [
        NewAccount {
            name: "Other".to_owned(),
            ..input.clone()
        },
        NewAccount {
            currency: "USD".parse().expect("known"),
            ..input.clone()
        },
        NewAccount {
            credit_price: CreditPrice::from_millionths(1),
            ..input.clone()
        },
        NewAccount {
            timezone: chrono_tz::UTC,
            ..input.clone()
        },
        NewAccount {
            owner: other_owner,
            ..input.clone()
        },
    ] {
        let refused = room.accounts.create(&Actor::System, other).await;
        assert_eq!(
            refused,
            Err(Refused(CreateAccountRefusal::ExternalIdTaken(Box::new(first.clone()))))
        );
    }
}

#[tokio::test]
async fn f17_accounts_made_at_once_are_distinct_and_one_external_id_makes_one() {
    let room = Room::open().await;
    let mut tasks = Vec::new();
    for number in 0..40 {
        let accounts = room.accounts.clone();
        let external_id = if number % 2 == 0 {
            "same".to_owned()
        } else {
            format!("own-{number}")
        };
        tasks.push(tokio::spawn(async move {
            accounts.create(&Actor::System, account(&external_id)).await
        }));
    }
    let mut ids = HashSet::new();
    for task in tasks {
        ids.insert(task.await.expect("runs").expect("creates").id);
    }
    assert_eq!(ids.len(), 21);
}

#[tokio::test]
async fn accounts_without_external_id_are_always_new() {
    let room = Room::open().await;
    let input = NewAccount {
        external_id: None,
        ..account("")
    };
    let one = room
        .accounts
        .create(&Actor::System, input.clone())
        .await
        .expect("creates");
    let other = room.accounts.create(&Actor::System, input).await.expect("creates");
    assert_ne!(one.id, other.id);
}

#[tokio::test]
async fn only_the_platform_creates_accounts() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    for weak in [
        actor(&owner),
        key(team.id, &Permission::ALL),
        key(
            AccountId::PLATFORM,
            &[Permission::ManageMembers, Permission::ManageCredits],
        ),
    ] {
        let refused = room.accounts.create(&weak, account("two")).await;
        assert_eq!(refused, Err(UseCaseError::Access(FORBIDDEN)), "{weak:?}");
    }
    assert_eq!(room.accounts.find_by_external_id(&Actor::System, "two").await, Ok(None));
    let platform = key(AccountId::PLATFORM, &[Permission::ManageAccounts]);
    assert!(room.accounts.create(&platform, account("two")).await.is_ok());
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_tells_of_it() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let patch = AccountPatch {
        expected_version: Some(1),
        external_id: Some("renamed".to_owned()),
        session_grace_hours: Some(0),
        name: Some("  New name ".to_owned()),
        ..AccountPatch::default()
    };
    let changed = room
        .accounts
        .update(&Actor::System, team.id, patch.clone())
        .await
        .expect("updates");
    assert_eq!(
        (changed.name.as_str(), changed.session_grace_hours, changed.version),
        ("New name", 0, 2)
    );
    assert_eq!(
        (changed.timezone, changed.credit_price),
        (team.timezone, team.credit_price)
    );
    assert_eq!(
        room.accounts.find(&Actor::System, team.id).await,
        Ok(Some(changed.clone()))
    );
    assert_eq!(room.events(team.id).await, 1);

    let conflict = room.accounts.update(&Actor::System, team.id, patch.clone()).await;
    assert_eq!(
        conflict,
        Err(Refused(UpdateAccountRefusal::VersionConflict(Box::new(
            changed.clone()
        ))))
    );
    let again = AccountPatch {
        expected_version: None,
        ..patch
    };
    assert_eq!(
        room.accounts.update(&Actor::System, team.id, again).await,
        Ok(changed),
        "nothing to change"
    );
    assert_eq!(room.events(team.id).await, 1);
    // The old external id is free again.
    assert!(room.accounts.create(&Actor::System, account("one")).await.is_ok());
}

#[tokio::test]
async fn a_taken_external_id_tells_nothing_of_who_has_it() {
    let room = Room::open().await;
    let (one, _) = room.team("one").await;
    room.team("two").await;
    let patch = AccountPatch {
        external_id: Some("two".to_owned()),
        name: Some("Changed".to_owned()),
        ..AccountPatch::default()
    };
    let of_account = key(one.id, &[Permission::ManageAccounts]);
    let refused = room.accounts.update(&of_account, one.id, patch.clone()).await;
    assert_eq!(refused, Err(Refused(UpdateAccountRefusal::ExternalIdOfPlatform)));
    let platform = key(AccountId::PLATFORM, &[Permission::ManageAccounts]);
    let refused = room.accounts.update(&platform, one.id, patch).await;
    assert_eq!(
        refused,
        Err(Refused(UpdateAccountRefusal::ExternalIdTaken(Box::new(one.clone()))))
    );
    assert_eq!(
        room.accounts.find(&Actor::System, one.id).await,
        Ok(Some(one)),
        "nothing changed"
    );
}

#[tokio::test]
async fn who_may_change_an_account() {
    let room = Room::open().await;
    let (one, owner) = room.team("one").await;
    let (two, _) = room.team("two").await;
    let patch = || AccountPatch {
        name: Some("X".to_owned()),
        ..AccountPatch::default()
    };
    let cases = [
        (actor(&owner), Some(FORBIDDEN)),
        (key(one.id, &[Permission::ManageMembers]), Some(FORBIDDEN)),
        (key(two.id, &Permission::ALL), Some(AccessError::NotFound)),
        (key(one.id, &[Permission::ManageAccounts]), None),
        (key(AccountId::PLATFORM, &[Permission::ManageAccounts]), None),
    ];
    for (caller, refusal) in cases {
        let answer = room.accounts.update(&caller, one.id, patch()).await;
        assert_eq!(answer.err(), refusal.map(UseCaseError::Access), "{caller:?}");
    }
    let missing = AccountId::from_number(999);
    let answer = room.accounts.update(&Actor::System, missing, patch()).await;
    assert_eq!(answer.err(), Some(UseCaseError::Access(AccessError::NotFound)));
}

#[tokio::test]
async fn odd_input_is_refused_by_field() {
    let room = Room::open().await;
    let (one, _) = room.team("one").await;
    let cases = [
        (
            "name",
            AccountPatch {
                name: Some(" ".to_owned()),
                ..AccountPatch::default()
            },
        ),
        (
            "externalId",
            AccountPatch {
                external_id: Some(String::new()),
                ..AccountPatch::default()
            },
        ),
        (
            "sessionGraceHours",
            AccountPatch {
                session_grace_hours: Some(721),
                ..AccountPatch::default()
            },
        ),
        (
            "sessionGraceHours",
            AccountPatch {
                session_grace_hours: Some(-1),
                ..AccountPatch::default()
            },
        ),
    ];
    for (field, patch) in cases {
        match room.accounts.update(&Actor::System, one.id, patch).await {
            Err(UseCaseError::Invalid(invalid)) => assert_eq!(invalid.field, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    let mut owner = named("x", MemberRole::Owner);
    owner.email = Some("not an address".to_owned());
    let input = NewAccount {
        owner: Some(owner),
        ..account("two")
    };
    match room.accounts.create(&Actor::System, input).await {
        Err(UseCaseError::Invalid(invalid)) => assert_eq!(invalid.field, "owner.email"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn anothers_account_does_not_exist() {
    let room = Room::open().await;
    let (one, owner) = room.team("one").await;
    let (two, _) = room.team("two").await;
    let caller = actor(&owner);
    assert_eq!(room.accounts.find(&caller, one.id).await, Ok(Some(one.clone())));
    let own = room
        .accounts
        .find_own(&caller)
        .await
        .expect("reads")
        .expect("an account");
    assert_eq!(own.account, one);
    assert_eq!(room.accounts.find(&caller, two.id).await, Ok(None));
    assert_eq!(room.accounts.find_by_external_id(&caller, "two").await, Ok(None));
    assert_eq!(
        room.accounts.find_by_external_id(&caller, "one").await,
        Ok(Some(one.clone()))
    );
    let found = room
        .accounts
        .find_by_ids(&caller, &[one.id, two.id])
        .await
        .expect("reads");
    assert_eq!(
        found.into_values().map(|known| known.account).collect::<Vec<_>>(),
        [one]
    );
    let platform = key(AccountId::PLATFORM, &[Permission::ReadCreditLog]);
    assert_eq!(room.accounts.find_own(&platform).await, Ok(None));
    assert_eq!(room.accounts.find(&platform, two.id).await, Ok(Some(two)));
}

#[tokio::test]
async fn the_platform_lists_accounts_by_page_and_filter() {
    let room = Room::open().await;
    let (one, owner) = room.team("one").await;
    for name in ["two", "three", "four"] {
        room.team(name).await;
    }
    let list = async |filter: AccountFilter, first: u32, after: Option<AccountPosition>| {
        let request = PageRequest::forward(first, after);
        room.accounts
            .page(&Actor::System, &filter, AccountOrder::OldestFirst, &request)
            .await
            .expect("lists")
    };
    let all = list(AccountFilter::default(), 3, None).await;
    assert_eq!((all.items.len(), all.has_next), (3, true));
    let rest = list(AccountFilter::default(), 3, all.items.last().map(|(at, _)| *at)).await;
    assert_eq!((rest.items.len(), rest.has_next, rest.has_previous), (1, false, true));

    let by_name = AccountFilter {
        search: Given::parse("search", Some("TEAM thr".to_owned()), AccountSearch::parse).expect("valid"),
        ..AccountFilter::default()
    };
    assert_eq!(list(by_name, 20, None).await.items.len(), 1);
    let frozen = AccountFilter {
        statuses: [AccountStatus::Frozen].into(),
        ..AccountFilter::default()
    };
    assert_eq!(list(frozen, 20, None).await.items.len(), 0);
    let by_id = AccountFilter {
        external_ids: ["one", "four", "unknown"].map(str::to_owned).into(),
        ..AccountFilter::default()
    };
    assert_eq!(list(by_id, 20, None).await.items.len(), 2);
    let nothing = AccountFilter {
        external_ids: [].into(),
        ..AccountFilter::default()
    };
    assert_eq!(list(nothing, 20, None).await.items.len(), 0);

    for weak in [actor(&owner), key(one.id, &Permission::ALL)] {
        let request = PageRequest::forward(20, None);
        let refused = room
            .accounts
            .page(&weak, &AccountFilter::default(), AccountOrder::OldestFirst, &request)
            .await;
        assert_eq!(refused, Err(QueryError::Access(FORBIDDEN)));
    }
}

#[tokio::test]
async fn an_installation_is_made_once() {
    let room = Room::open().await;
    let first = open_installation(&room.database, &room.clock).await.expect("opens");
    assert_eq!(room.accounts.installation().await, Ok(first));
    assert_eq!(room.accounts.installation().await, Ok(first));
}
