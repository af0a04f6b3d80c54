use std::sync::Arc;
use std::time::Duration;

use crate::domain::fault::{QueryError, Refused, UseCaseError};
use crate::domain::filter::Given;
use crate::domain::ledger::credit_log::search::Search;
use crate::primitives::actor::{AccessError, Actor, Cause, MemberRole, Permission, Side};
use crate::primitives::ids::AccountId;
use crate::primitives::page::PageRequest;

use super::super::members::{Addition, add_locked};
use super::super::{
    AddMemberRefusal, Change, ContactStatus, MemberFilter, MemberPatch, MemberPosition, NewMember, RemoveMemberRefusal,
    UpdateMemberRefusal, UpsertMember, UpsertMemberRefusal,
};
use super::{Room, actor, key, named, unknown_member};

const FORBIDDEN: AccessError = AccessError::Forbidden(Permission::ManageMembers);

fn upsert(external_id: &str) -> UpsertMember {
    UpsertMember {
        external_id: external_id.to_owned(),
        name: "Upserted".to_owned(),
        email: Change::Keep,
        role: None,
        locale: None,
        email_verified: false,
    }
}

fn page(first: u32, after: Option<MemberPosition>) -> PageRequest<MemberPosition> {
    PageRequest::forward(first, after)
}

#[tokio::test]
async fn a_member_is_added_with_a_contact_and_an_event() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let ada = room.member(team.id, "ada", MemberRole::Admin).await;
    let contacts = room
        .members
        .contacts(&actor(&ada), team.id, &[ada.id, owner.id])
        .await
        .expect("reads");
    assert_eq!(contacts.len(), 2, "admins see the contacts of all");
    let contact = &contacts[&ada.id];
    assert_eq!(
        (contact.email_status, contact.locale.as_str()),
        (ContactStatus::Unverified, "en")
    );
    assert_eq!(contact.timezone, team.timezone);
    assert_eq!(room.events(team.id).await, 1);

    let without = NewMember {
        email: None,
        external_id: None,
        ..named("bob", MemberRole::Member)
    };
    let bob = room.members.add(&actor(&owner), team.id, without).await.expect("adds");
    let contacts = room
        .members
        .contacts(&actor(&owner), team.id, &[bob.id])
        .await
        .expect("reads");
    assert_eq!(contacts[&bob.id].email_status, ContactStatus::None);

    let again = room
        .members
        .add(&Actor::System, team.id, named("ada", MemberRole::Member))
        .await;
    assert_eq!(again, Err(Refused(AddMemberRefusal::ExternalIdTaken(Box::new(ada)))));
    assert_eq!(room.events(team.id).await, 2);
}

/// A transaction whose COMMIT was not answered runs again later, although it may have been committed.
#[tokio::test]
async fn a_person_is_added_once_however_often_the_transaction_runs() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let nameless = NewMember {
        external_id: None,
        ..named("bob", MemberRole::Member)
    };
    for new in [named("ada", MemberRole::Admin), nameless] {
        let before = room.events(team.id).await;
        let addition = Arc::new(Addition::new(new, Cause::System));
        let mut made = Vec::new();
        for _ in 0..2 {
            let addition = Arc::clone(&addition);
            let added = room.ledger.change(team.id, move |tx, locked| {
                let addition = Arc::clone(&addition);
                Box::pin(async move { add_locked(tx, locked, &addition).await })
            });
            let added: Result<_, UseCaseError<AddMemberRefusal>> = added.await;
            made.push(added.expect("added"));
            room.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(made[0], made[1]);
        assert_eq!(room.events(team.id).await, before + 1, "told once");
    }
}

#[tokio::test]
async fn who_may_add_members() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let (other, stranger) = room.team("two").await;
    let admin = room.member(team.id, "admin", MemberRole::Admin).await;
    let plain = room.member(team.id, "plain", MemberRole::Member).await;
    let cases = [
        (actor(&stranger), Some(AccessError::NotFound)),
        (key(other.id, &Permission::ALL), Some(AccessError::NotFound)),
        (actor(&plain), Some(FORBIDDEN)),
        (key(team.id, &[Permission::ManageSettings]), Some(FORBIDDEN)),
        (actor(&admin), None),
        (actor(&owner), None),
        (key(team.id, &[Permission::ManageMembers]), None),
        (key(AccountId::PLATFORM, &[Permission::ManageMembers]), None),
    ];
    for (at, (caller, refusal)) in cases.into_iter().enumerate() {
        let nameless = NewMember {
            external_id: None,
            ..named(&format!("m{at}"), MemberRole::Member)
        };
        let answer = room.members.add(&caller, team.id, nameless).await;
        assert_eq!(answer.clone().err(), refusal.map(UseCaseError::Access), "{caller:?}");
        let upserted = room.members.upsert(&caller, team.id, upsert(&format!("u{at}"))).await;
        let of_team = (caller.side() == Side::Team).then_some(Refused(UpsertMemberRefusal::ExternalIdOfPlatform));
        let expected = refusal.map(UseCaseError::Access).or(of_team);
        assert_eq!(upserted.err(), expected, "{caller:?}");
        let target = answer.map_or(plain.id, |added| added.id);
        let updated = room
            .members
            .update(&caller, team.id, target, MemberPatch::default())
            .await;
        assert_eq!(updated.err(), refusal.map(UseCaseError::Access), "{caller:?}");
        let removed = room.members.remove(&caller, team.id, target).await;
        assert_eq!(removed.err(), refusal.map(UseCaseError::Access), "{caller:?}");
    }
}

#[tokio::test]
async fn owners_are_made_changed_and_removed_by_owners_alone() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let admin = room.member(team.id, "admin", MemberRole::Admin).await;
    let second = room.member(team.id, "second", MemberRole::Owner).await;
    let caller = actor(&admin);
    let to_owner = MemberPatch {
        role: Some(MemberRole::Owner),
        ..MemberPatch::default()
    };
    let rename = MemberPatch {
        name: Some("X".to_owned()),
        ..MemberPatch::default()
    };
    let third = NewMember {
        external_id: None,
        ..named("third", MemberRole::Owner)
    };
    let add = room.members.add(&caller, team.id, third).await;
    assert_eq!(add, Err(UseCaseError::Access(AccessError::OwnersOnly)));
    let promote = room.members.update(&caller, team.id, admin.id, to_owner.clone()).await;
    assert_eq!(promote, Err(UseCaseError::Access(AccessError::OwnersOnly)));
    let change = room.members.update(&caller, team.id, second.id, rename).await;
    assert_eq!(change, Err(UseCaseError::Access(AccessError::OwnersOnly)));
    let remove = room.members.remove(&caller, team.id, second.id).await;
    assert_eq!(remove, Err(UseCaseError::Access(AccessError::OwnersOnly)));
    let promoted = room
        .members
        .update(&actor(&owner), team.id, admin.id, to_owner)
        .await
        .expect("promotes");
    assert_eq!(promoted.role, MemberRole::Owner);
    assert!(room.members.remove(&actor(&promoted), team.id, second.id).await.is_ok());
}

#[tokio::test]
async fn the_last_owner_stays() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let caller = actor(&owner);
    let demote = MemberPatch {
        role: Some(MemberRole::Admin),
        ..MemberPatch::default()
    };
    let removed = room.members.remove(&caller, team.id, owner.id).await;
    assert_eq!(removed, Err(Refused(RemoveMemberRefusal::LastOwner)));
    let demoted = room.members.update(&caller, team.id, owner.id, demote.clone()).await;
    assert_eq!(demoted, Err(Refused(UpdateMemberRefusal::LastOwner)));
    let upserted = UpsertMember {
        role: Some(MemberRole::Member),
        ..upsert("one-owner")
    };
    assert_eq!(
        room.members.upsert(&Actor::System, team.id, upserted).await,
        Err(Refused(UpsertMemberRefusal::LastOwner))
    );
    assert_eq!(
        room.members.find(&caller, team.id, owner.id).await,
        Ok(Some(owner.clone())),
        "nothing changed"
    );

    room.member(team.id, "second", MemberRole::Owner).await;
    assert!(room.members.update(&caller, team.id, owner.id, demote).await.is_ok());
}

#[tokio::test]
async fn of_two_owners_who_remove_each_other_at_once_one_stays() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let second = room.member(team.id, "second", MemberRole::Owner).await;
    let tasks = [(owner.clone(), second.clone()), (second, owner)].map(|(caller, target)| {
        let members = room.members.clone();
        tokio::spawn(async move { members.remove(&actor(&caller), caller.account_id, target.id).await })
    });
    let mut removed = 0;
    for task in tasks {
        match task.await.expect("runs") {
            Ok(_) => removed += 1,
            Err(error) => assert_eq!(error, Refused(RemoveMemberRefusal::LastOwner)),
        }
    }
    assert_eq!(removed, 1);
}

#[tokio::test]
async fn an_upsert_adds_changes_and_brings_back() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let system = Actor::System;
    let email = |email: &str| Change::Set(email.to_owned());
    let first = UpsertMember {
        email: email("ada@example.com"),
        ..upsert("ada")
    };
    let added = room
        .members
        .upsert(&system, team.id, first.clone())
        .await
        .expect("adds");
    assert_eq!((added.role, added.version), (MemberRole::Member, 1));
    assert_eq!(
        room.members.upsert(&system, team.id, first).await,
        Ok(added.clone()),
        "nothing to change"
    );
    assert_eq!(room.events(team.id).await, 1);

    let change = UpsertMember {
        role: Some(MemberRole::Admin),
        ..upsert("ada")
    };
    let changed = room.members.upsert(&system, team.id, change).await.expect("changes");
    assert_eq!(
        (changed.id, changed.role, changed.version),
        (added.id, MemberRole::Admin, 2)
    );
    let contact = async || {
        let contacts = room
            .members
            .contacts(&system, team.id, &[added.id])
            .await
            .expect("reads");
        contacts[&added.id].clone()
    };
    assert_eq!(contact().await.email.as_deref(), Some("ada@example.com"), "kept");

    let removed = room.members.remove(&system, team.id, added.id).await.expect("removes");
    assert_eq!(removed.removed_at, Some(room.clock.now()));
    assert_eq!(
        room.members.remove(&system, team.id, added.id).await,
        Ok(removed.clone()),
        "again is the same"
    );
    let patch = MemberPatch {
        name: Some("X".to_owned()),
        ..MemberPatch::default()
    };
    let refused = room.members.update(&system, team.id, added.id, patch).await;
    assert_eq!(refused, Err(Refused(UpdateMemberRefusal::MemberRemoved)));
    let taken = room
        .members
        .add(&system, team.id, named("ada", MemberRole::Member))
        .await;
    assert_eq!(
        taken,
        Err(Refused(AddMemberRefusal::ExternalIdTaken(Box::new(removed))))
    );

    let back = UpsertMember {
        email: Change::Clear,
        ..upsert("ada")
    };
    let back = room.members.upsert(&system, team.id, back).await.expect("brings back");
    assert_eq!(
        (back.id, back.removed_at, back.role),
        (added.id, None, MemberRole::Admin)
    );
    let contact = contact().await;
    assert_eq!(
        (contact.email, contact.email_status, contact.version),
        (None, ContactStatus::None, 2)
    );
}

#[tokio::test]
async fn an_update_names_the_version_it_expects() {
    let room = Room::open().await;
    let (team, _) = room.team("one").await;
    let ada = room.member(team.id, "ada", MemberRole::Member).await;
    room.member(team.id, "bob", MemberRole::Member).await;
    let patch = MemberPatch {
        expected_version: Some(1),
        name: Some("Ada L".to_owned()),
        external_id: Some("ada-2".to_owned()),
        ..MemberPatch::default()
    };
    let changed = room
        .members
        .update(&Actor::System, team.id, ada.id, patch.clone())
        .await
        .expect("updates");
    assert_eq!(
        (changed.name.as_str(), changed.version, changed.role),
        ("Ada L", 2, MemberRole::Member)
    );
    let conflict = room.members.update(&Actor::System, team.id, ada.id, patch).await;
    assert_eq!(
        conflict,
        Err(Refused(UpdateMemberRefusal::VersionConflict(Box::new(changed.clone()))))
    );
    let taken = MemberPatch {
        external_id: Some("bob".to_owned()),
        ..MemberPatch::default()
    };
    let refused = room.members.update(&Actor::System, team.id, ada.id, taken).await;
    assert_eq!(
        refused,
        Err(Refused(UpdateMemberRefusal::ExternalIdTaken(Box::new(changed))))
    );
    let missing = room
        .members
        .update(&Actor::System, team.id, unknown_member(), MemberPatch::default())
        .await;
    assert_eq!(missing, Err(Refused(UpdateMemberRefusal::NotFound)));
    let (other, _) = room.team("two").await;
    let foreign = room.members.remove(&Actor::System, other.id, ada.id).await;
    assert_eq!(
        foreign,
        Err(Refused(RemoveMemberRefusal::NotFound)),
        "a member of another account"
    );
}

#[tokio::test]
async fn a_plain_member_sees_itself_and_the_names_it_is_shown() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    let (_, stranger) = room.team("two").await;
    let plain = room.member(team.id, "plain", MemberRole::Member).await;
    let caller = actor(&plain);
    assert_eq!(
        room.members.find(&caller, team.id, plain.id).await,
        Ok(Some(plain.clone()))
    );
    assert_eq!(room.members.find(&caller, team.id, owner.id).await, Ok(None));
    assert_eq!(
        room.members.find_by_external_id(&caller, team.id, "plain").await,
        Ok(Some(plain.clone()))
    );
    assert_eq!(
        room.members.find_by_external_id(&caller, team.id, "one-owner").await,
        Ok(None)
    );
    let named = room
        .members
        .find_by_ids(&caller, team.id, &[owner.id])
        .await
        .expect("reads");
    assert_eq!(named.len(), 1);
    let contacts = room
        .members
        .contacts(&caller, team.id, &[plain.id, owner.id])
        .await
        .expect("reads");
    assert_eq!(contacts.into_keys().collect::<Vec<_>>(), [plain.id]);
    let listed = room
        .members
        .page(&caller, team.id, &MemberFilter::default(), page(20, None))
        .await;
    assert!(matches!(
        listed,
        Err(QueryError::Access(AccessError::Forbidden(Permission::ReadCreditLog)))
    ));

    let outsider = actor(&stranger);
    assert_eq!(room.members.find(&outsider, team.id, owner.id).await, Ok(None));
    assert_eq!(
        room.members.find_by_external_id(&outsider, team.id, "plain").await,
        Ok(None)
    );
    assert_eq!(
        room.members
            .find_by_ids(&outsider, team.id, &[owner.id])
            .await
            .map(|found| found.len()),
        Ok(0)
    );
    assert_eq!(
        room.members
            .contacts(&outsider, team.id, &[owner.id])
            .await
            .map(|found| found.len()),
        Ok(0)
    );
    let listed = room
        .members
        .page(&outsider, team.id, &MemberFilter::default(), page(20, None))
        .await;
    assert_eq!(listed, Err(QueryError::Access(AccessError::NotFound)));
}

#[tokio::test]
async fn f64_members_are_listed_once_each_also_when_added_at_one_instant() {
    let room = Room::open().await;
    let (team, owner) = room.team("one").await;
    for number in 0..12 {
        if number == 6 {
            room.clock.advance(Duration::from_secs(1));
        }
        let role = if number % 3 == 0 {
            MemberRole::Admin
        } else {
            MemberRole::Member
        };
        room.member(team.id, &format!("m{number}"), role).await;
    }
    let caller = actor(&owner);
    let list = async |filter: &MemberFilter, first: u32| {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = room
                .members
                .page(&caller, team.id, filter, page(first, after))
                .await
                .expect("lists");
            after = page.scanned_to.or(page.items.last().map(|(position, _)| *position));
            names.extend(
                page.items
                    .into_iter()
                    .map(|(_, member)| member.external_id.unwrap_or_default()),
            );
            if !page.has_next {
                break names;
            }
        }
    };
    let mut all = list(&MemberFilter::default(), 5).await;
    assert_eq!(all.len(), 13);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 13);
    let admins = MemberFilter {
        roles: [MemberRole::Admin].into(),
        ..MemberFilter::default()
    };
    let mut found = list(&admins, 2).await;
    found.sort();
    assert_eq!(found, ["m0", "m3", "m6", "m9"]);
    let searched = MemberFilter {
        search: Given::parse("search", Some("member M1".to_owned()), Search::parse).expect("valid"),
        ..MemberFilter::default()
    };
    let mut found = list(&searched, 20).await;
    found.sort();
    assert_eq!(found, ["m1", "m10", "m11"]);
    let by_id = MemberFilter {
        external_ids: ["m7", "zz"].map(str::to_owned).into(),
        ..MemberFilter::default()
    };
    assert_eq!(list(&by_id, 20).await, ["m7"]);
    let none = MemberFilter {
        roles: [].into(),
        ..MemberFilter::default()
    };
    assert!(list(&none, 20).await.is_empty());

    let m7 = room
        .members
        .find_by_external_id(&caller, team.id, "m7")
        .await
        .expect("reads")
        .expect("is");
    room.members.remove(&caller, team.id, m7.id).await.expect("removes");
    assert_eq!(list(&MemberFilter::default(), 20).await.len(), 12);
    let with_removed = MemberFilter {
        include_removed: true,
        ..MemberFilter::default()
    };
    assert_eq!(list(&with_removed, 20).await.len(), 13);
}
