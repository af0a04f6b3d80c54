//! Each rule by an example. Names that begin with a number of docs/faults.md name the fault that they prevent.

use super::*;
use crate::primitives::ids::{ApiKeyId, TopUpId};

#[test]
fn booking_holds_completing_charges_and_returns_the_rest() {
    let mut world = World::new();
    world.grant("10", None);
    let session = world.book("4");
    assert_eq!(world.figures(), ("10".into(), "4".into(), "0".into()));
    world.complete(&session, Some("2.5"), false).expect("completed");
    assert_eq!(world.figures(), ("7.5".into(), "0".into(), "0".into()));
}

#[test]
fn f38_holds_count_when_something_is_booked() {
    let mut world = World::new();
    world.grant("10", None);
    world.book("7");
    let command = world.book_command("4", HOUR);
    assert_eq!(
        world.run(command).unwrap_err(),
        Refusal::InsufficientCredits {
            missing: credits("1"),
            available: credits("3"),
            held: credits("7"),
        }
    );
    assert_eq!(world.figures(), ("10".into(), "7".into(), "0".into()));
}

#[test]
fn f39_a_resolved_session_is_not_resolved_again() {
    let mut world = World::new();
    world.grant("10", None);
    let session = world.book("4");
    world.cancel(&session, Some("1")).expect("canceled");
    let before = world.state.header.clone();
    assert!(matches!(
        world.complete(&session, None, false),
        Err(Refusal::SessionAlreadyResolved { .. })
    ));
    assert!(matches!(
        world.cancel(&session, None),
        Err(Refusal::SessionAlreadyResolved { .. })
    ));
    assert_eq!(world.state.header, before);
}

#[test]
fn f01_a_key_answers_the_same_and_is_bound_to_its_input() {
    let mut world = World::new();
    world.grant("10", None);
    let command = world.book_command("4", HOUR);
    let first = world.ask(command.clone(), Some("k")).expect("booked");
    world.wait(HOUR);
    let repeated = command.clone();
    let again = world.ask(command, Some("k")).expect("replayed");
    assert!(again.replayed);
    assert_eq!(again.outcome, first.outcome);
    let other = world.book_command("5", HOUR);
    assert_eq!(
        world.ask(other.clone(), Some("k")).unwrap_err(),
        KeyRefusal::Reused.into()
    );
    let used_at = world.expire_key("k").used_at;
    for command in [repeated, other] {
        let refused = world.ask(command, Some("k")).unwrap_err();
        assert_eq!(refused, KeyRefusal::Expired { used_at }.into());
    }
    assert_eq!(world.figures(), ("10".into(), "4".into(), "0".into()));
}

#[test]
fn a_refusal_binds_no_key() {
    let mut world = World::new();
    let command = world.book_command("4", HOUR);
    assert!(world.ask(command.clone(), Some("k")).is_err());
    world.grant("10", None);
    world.ask(command, Some("k")).expect("decided afresh");
}

#[test]
fn whoever_a_key_acts_for_is_on_the_team_unless_it_is_a_replay() {
    let mut world = World::new();
    world.grant("10", None);
    let command = world.book_command("4", HOUR);
    let ask = |world: &World, command: &Command, acting| {
        let request = Request {
            command: command.clone(),
            key: Some((Origin::Platform, "k".to_owned())),
            cause: Cause::ApiKey(ApiKeyId::from_uuid(uuid::Uuid::from_u128(7)), acting),
            seed: IdSeed::from_bytes([9; 16]),
        };
        decide(&world.load(), &request, world.now, &world.policy)
    };
    let stranger = MemberId::from_uuid(uuid::Uuid::from_u128(3));
    for (acting, refusal) in [
        (stranger, Refusal::ActingMemberNotFound),
        (removed_member(), Refusal::ActingMemberRemoved),
    ] {
        assert_eq!(ask(&world, &command, Some(acting)).unwrap_err(), refusal);
    }
    assert!(ask(&world, &command, None).is_ok());
    // Moved money is recorded, even if the member who requested it has left since.
    let top_up = Command::CreditTopUp {
        top_up_id: TopUpId::from_uuid(uuid::Uuid::from_u128(5)),
        credits: credits("1"),
        automatic: false,
    };
    assert!(ask(&world, &top_up, Some(removed_member())).is_ok());

    let booked = ask(&world, &command, Some(member())).expect("booked");
    let before = world.load();
    world.keep(&before, &booked);
    world.state.members.get_mut(&member()).expect("a member").is_removed = true;
    let again = ask(&world, &command, Some(member())).expect("replayed");
    assert!(again.replayed);
    assert_eq!(again.outcome, booked.outcome);
}

#[test]
fn a_replay_answers_even_what_would_be_refused_now() {
    let mut world = World::new();
    world.grant("4", None);
    let command = world.book_command("4", HOUR);
    world.ask(command.clone(), Some("k")).expect("booked");
    world
        .ask(
            Command::Freeze {
                reason: "Unpaid".into(),
            },
            None,
        )
        .expect("frozen");
    assert!(world.ask(command, Some("k")).expect("replayed").replayed);
}

#[test]
fn f40_more_than_the_hold_needs_leave_and_ends_at_the_limit() {
    let mut world = World::new();
    world.grant("10", None);
    let session = world.book("4");
    assert_eq!(
        world.complete(&session, Some("5"), false).unwrap_err(),
        Refusal::ChargeExceedsHold {
            at_most: credits("4"),
            with_overage: false
        }
    );
    assert_eq!(
        world.complete(&session, Some("10004.0001"), true).unwrap_err(),
        Refusal::ChargeExceedsHold {
            at_most: credits("10004"),
            with_overage: true
        }
    );
    world.complete(&session, Some("12"), true).expect("may go negative");
    assert_eq!(world.figures(), ("-2".into(), "0".into(), "2".into()));
}

#[test]
fn f50_what_comes_in_repays_debt_first() {
    let mut world = World::new();
    world.grant("1", None);
    let session = world.book("1");
    world.complete(&session, Some("6"), true).expect("overage");
    assert_eq!(world.figures(), ("-5".into(), "0".into(), "5".into()));
    world.grant("8", None);
    assert_eq!(world.figures(), ("3".into(), "0".into(), "0".into()));
    assert_eq!(world.remainders(), ["0", "3"]);
}

#[test]
fn f48_lots_are_spent_by_priority_expiry_kind_and_age() {
    let mut world = World::new();
    let grant = |world: &mut World, kind, lives: Option<i64>, priority| {
        let expires_at = lives.map(|millis| world.now.plus_millis(millis));
        let command = Command::Grant {
            credits: credits("1"),
            description: "x".into(),
            kind,
            expires_at,
            priority,
        };
        world.run(command).expect("granted");
        world.wait(1);
    };
    grant(&mut world, LotKind::Paid, None, 0);
    grant(&mut world, LotKind::Promotional, None, 0);
    grant(&mut world, LotKind::Paid, Some(9 * DAY), 0);
    grant(&mut world, LotKind::Paid, Some(3 * DAY), 0);
    grant(&mut world, LotKind::Paid, None, -1);
    grant(&mut world, LotKind::Paid, None, 0);
    let mut order = Vec::new();
    for _ in 0..6 {
        let before = world.remainders();
        let session = world.book("1");
        world.complete(&session, None, false).expect("completed");
        order.extend(
            before
                .iter()
                .zip(world.remainders())
                .position(|(before, after)| *before != after),
        );
    }
    assert_eq!(order, [4, 3, 2, 1, 0, 5]);
}

#[test]
fn f46_expired_credits_cannot_be_booked() {
    let mut world = World::new();
    world.grant("10", Some(DAY));
    world.wait(DAY);
    let command = world.book_command("1", HOUR);
    assert_eq!(
        world.run(command).unwrap_err(),
        Refusal::InsufficientCredits {
            missing: credits("1"),
            available: Credits::ZERO,
            held: Credits::ZERO,
        }
    );
    assert_eq!(world.figures().0, "10", "a refusal writes nothing, not even the expiry");
    world.sweep();
    assert_eq!(world.figures().0, "0");
    assert_eq!(world.entries.last().map(|new| new.entry.kind), Some(EntryKind::Expiry));
}

#[test]
fn held_credits_outlive_their_expiry_and_go_when_the_hold_does() {
    let mut world = World::new();
    world.grant("10", Some(DAY));
    let kept = world.book("6");
    world.wait(DAY);
    world.sweep();
    assert_eq!(world.figures(), ("6".into(), "6".into(), "0".into()));
    world.complete(&kept, Some("2"), false).expect("completed");
    assert_eq!(
        world.figures(),
        ("0".into(), "0".into(), "0".into()),
        "2 charged, 4 expired"
    );
}

#[test]
fn what_expired_is_kept_only_for_holds_booked_before() {
    let mut world = World::new();
    world.grant("10", Some(DAY));
    let early = world.book("6");
    world.wait(DAY);
    world.grant("5", None);
    let late = world.book("5");
    world.complete(&late, None, false).expect("completed");
    assert_eq!(world.remainders(), ["6", "0"], "the late hold draws live credits");
    world.cancel(&early, None).expect("canceled");
    assert_eq!(world.figures(), ("0".into(), "0".into(), "0".into()));
}

#[test]
fn f43_a_refund_goes_back_to_the_lots_it_came_from() {
    let mut world = World::new();
    world.grant("4", Some(DAY));
    world.grant("10", None);
    let session = world.book("6");
    world.complete(&session, None, false).expect("completed");
    assert_eq!(world.remainders(), ["0", "8"]);
    world.refund(&session, "3").expect("refunded");
    assert_eq!(world.remainders(), ["1", "10"], "the last drawn comes back first");
    assert_eq!(
        world.refund(&session, "3.5").unwrap_err(),
        Refusal::RefundExceedsCharge { left: credits("3") }
    );
}

#[test]
fn a_refund_to_an_expired_lot_lives_thirty_days() {
    let mut world = World::new();
    world.grant("4", Some(DAY));
    let session = world.book("4");
    world.complete(&session, None, false).expect("completed");
    world.wait(2 * DAY);
    world.refund(&session, "4").expect("refunded");
    assert_eq!(world.remainders(), ["0", "4"]);
    world.wait(30 * DAY - 1);
    world.sweep();
    assert_eq!(world.figures().0, "4");
    world.wait(1);
    world.sweep();
    assert_eq!(world.figures().0, "0");
}

#[test]
fn f41_a_hold_nobody_resolves_is_released_and_can_still_be_completed_once() {
    let mut world = World::new();
    world.grant("10", None);
    let session = world.book("6");
    world.wait(HOUR + GRACE);
    let other = world.book("8");
    assert_eq!(world.figures(), ("10".into(), "8".into(), "0".into()));
    assert!(
        matches!(world.complete(&session, None, false), Err(Refusal::SessionExpired { missing, .. }) if missing == credits("4"))
    );
    world.complete(&session, None, true).expect("by overage");
    assert!(matches!(
        world.complete(&session, None, true),
        Err(Refusal::SessionAlreadyResolved { .. })
    ));
    world
        .complete(&other, None, false)
        .expect("a charge within its hold is never refused");
    assert_eq!(world.figures(), ("-4".into(), "0".into(), "4".into()));
}

#[test]
fn rescheduling_moves_the_hold_and_needs_only_what_it_adds() {
    let mut world = World::new();
    world.grant("10", None);
    let session = world.book("6");
    let (starts_at, ends_at) = (world.now.plus_millis(DAY), world.now.plus_millis(DAY + HOUR));
    let reschedule = |world: &mut World, amount: &str| {
        let credits = Some(credits(amount));
        world.run(Command::Reschedule {
            session: session.clone(),
            starts_at,
            ends_at,
            credits,
        })
    };
    reschedule(&mut world, "10").expect("four more");
    assert!(matches!(
        reschedule(&mut world, "10.5"),
        Err(Refusal::InsufficientCredits { .. })
    ));
    reschedule(&mut world, "3").expect("seven fewer");
    assert_eq!(world.figures(), ("10".into(), "3".into(), "0".into()));
}

#[test]
fn what_a_reschedule_adds_keeps_nothing_that_had_expired() {
    let mut world = World::new();
    world.grant("5", Some(DAY));
    let session = world.book("2");
    world.wait(DAY);
    world.grant("3", None);
    assert_eq!(world.figures().0, "5", "3 expired, 2 kept, 3 given");
    let (starts_at, ends_at) = (world.now, world.now.plus_millis(HOUR));
    let amount = Some(credits("5"));
    world
        .run(Command::Reschedule {
            session: session.clone(),
            starts_at,
            ends_at,
            credits: amount,
        })
        .expect("moved");
    world.cancel(&session, None).expect("canceled");
    assert_eq!(world.figures().0, "3");
}

#[test]
fn freezing_refuses_intent_but_no_facts_and_stops_time() {
    let mut world = World::new();
    world.grant("10", Some(DAY));
    let session = world.book("4");
    world
        .ask(
            Command::Freeze {
                reason: "Unpaid".into(),
            },
            None,
        )
        .expect("frozen");
    world.wait(10 * DAY);
    let command = world.book_command("1", HOUR);
    assert_eq!(
        world.run(command).unwrap_err(),
        Refusal::AccountFrozen {
            reason: Some("Unpaid".into())
        }
    );
    world.sweep();
    assert_eq!(
        world.figures(),
        ("10".into(), "4".into(), "0".into()),
        "nothing expired"
    );
    world.complete(&session, None, false).expect("a fact");
    world.ask(Command::Unfreeze, None).expect("unfrozen");
    world.wait(DAY - 1);
    world.sweep();
    assert_eq!(world.figures().0, "6");
    world.wait(1);
    world.sweep();
    assert_eq!(
        world.figures().0,
        "0",
        "it had a day left when it was frozen, and it had a day"
    );
}

#[test]
fn closing_cancels_what_is_booked_and_is_final() {
    let mut world = World::new();
    world.grant("10", None);
    let ended = world.book("1");
    world.wait(2 * HOUR);
    world.book("4");
    world
        .ask(Command::Close { reason: "Left".into() }, None)
        .expect("closed");
    assert_eq!(world.figures(), ("10".into(), "1".into(), "0".into()));
    world.complete(&ended, None, false).expect("what took place resolves");
    assert_eq!(world.ask(Command::Unfreeze, None).unwrap_err(), Refusal::AccountClosed);
    let command = world.book_command("1", HOUR);
    assert_eq!(world.run(command).unwrap_err(), Refusal::AccountClosed);
}

#[test]
fn adjustments_draw_and_reverse_within_what_is_left() {
    let mut world = World::new();
    world.grant("10", None);
    let grant = world.entries[0].entry.id;
    world.adjust("-4", Some(grant)).expect("partly reversed");
    assert_eq!(
        world.adjust("-7", Some(grant)).unwrap_err(),
        Refusal::RefundExceedsCharge { left: credits("6") }
    );
    assert!(matches!(world.adjust("1", Some(grant)), Err(Refusal::NotReversible(_))));
    world.adjust("-8", None).expect("may go negative");
    assert_eq!(world.figures(), ("-2".into(), "0".into(), "2".into()));
    world.adjust("5", None).expect("corrected");
    assert_eq!(world.figures(), ("3".into(), "0".into(), "0".into()));
    let session = world.book("1");
    let charge = world
        .complete(&session, None, false)
        .expect("completed")
        .outcome
        .entry_id;
    assert!(matches!(world.adjust("1", charge), Err(Refusal::NotReversible(_))));
}

#[test]
fn f14_taking_back_is_one_running_total() {
    let mut world = World::new();
    let top_up_id = crate::primitives::ids::TopUpId::from_uuid(uuid::Uuid::from_u128(9));
    let credit = Command::CreditTopUp {
        top_up_id,
        credits: credits("10"),
        automatic: false,
    };
    world.ask(credit.clone(), None).expect("credited");
    assert!(matches!(world.ask(credit, None), Err(Refusal::AlreadyCredited { .. })));
    let entry_id = world.entries[0].entry.id;
    let take_back = |target: &str| Command::TakeBack {
        entry_id,
        target: credits(target),
        kind: EntryKind::Reversal,
        contra: ContraAccount::CardPayments,
        description: "Refunded".into(),
    };
    for (target, posted) in [("4", "6"), ("4", "6"), ("10", "0"), ("99", "0"), ("3", "7")] {
        world.ask(take_back(target), None).expect("never refused");
        assert_eq!(world.figures().0, posted, "target {target}");
    }
}

/// A top-up is used. Part of it is taken back from other credits, and returned because the refund failed later. Then the session
/// is refunded: the lot can take only a part.
#[test]
fn a_refunded_session_never_fills_a_lot_beyond_what_it_was_granted() {
    let mut world = World::new();
    let top_up_id = crate::primitives::ids::TopUpId::from_uuid(uuid::Uuid::from_u128(7));
    let credit = Command::CreditTopUp {
        top_up_id,
        credits: credits("5"),
        automatic: false,
    };
    world.ask(credit, None).expect("credited");
    let entry_id = world.entries[0].entry.id;
    let session = world.book("5");
    world.complete(&session, None, false).expect("charged");
    world.grant("4", None);
    for target in ["2", "0"] {
        let take_back = Command::TakeBack {
            entry_id,
            target: credits(target),
            kind: EntryKind::Reversal,
            contra: ContraAccount::CardPayments,
            description: "Refunded".into(),
        };
        world.ask(take_back, None).expect("never refused");
    }
    world.refund(&session, "5").expect("refunded");
    assert_eq!(world.figures().0, "9");
    let full = |lot: &Lot| lot.remaining <= lot.granted;
    assert!(world.state.lots.values().all(full), "{:?}", world.remainders());
}

#[test]
fn lots_are_bounded_and_top_ups_still_come_in() {
    let mut world = World::new();
    let top_up = |number: u128| Command::CreditTopUp {
        top_up_id: crate::primitives::ids::TopUpId::from_uuid(uuid::Uuid::from_u128(number)),
        credits: credits("1"),
        automatic: true,
    };
    world.ask(top_up(0), None).expect("credited");
    world.state.header.lot_count = MAX_LOTS;
    let grant = Command::Grant {
        credits: credits("1"),
        description: "x".into(),
        kind: LotKind::Promotional,
        expires_at: None,
        priority: 0,
    };
    let state = world.load();
    let request = |command| Request {
        command,
        key: None,
        cause: Cause::System,
        seed: IdSeed::from_bytes([9; 16]),
    };
    assert_eq!(
        decide(&state, &request(grant), world.now, &world.policy).unwrap_err(),
        Refusal::LotLimit
    );
    let merged = decide(&state, &request(top_up(1)), world.now, &world.policy).expect("merged");
    assert_eq!(merged.header.lot_count, MAX_LOTS);
    assert_eq!(merged.lots.len(), 1);
}

#[test]
fn what_no_state_makes_valid_is_refused_by_field() {
    let mut world = World::new();
    world.grant("10", None);
    let before = world.state.header.clone();
    let mut book = |change: fn(&mut Command)| {
        let mut command = world.book_command("1", HOUR);
        change(&mut command);
        world.run(command).unwrap_err()
    };
    assert!(matches!(
        book(|c| if let Command::Book { credits, .. } = c {
            *credits = Credits::ZERO;
        }),
        Refusal::Invalid { field: "credits", .. }
    ));
    assert!(matches!(
        book(|c| if let Command::Book { credits, .. } = c {
            *credits = Credits::from_units(i64::MAX);
        }),
        Refusal::Invalid { field: "credits", .. }
    ));
    assert!(matches!(
        book(|c| if let Command::Book { ends_at, starts_at, .. } = c {
            *ends_at = *starts_at;
        }),
        Refusal::Invalid { field: "endsAt", .. }
    ));
    assert_eq!(
        book(|c| if let Command::Book { member, .. } = c {
            *member = MemberRef::Id(removed_member());
        }),
        Refusal::MemberRemoved
    );
    assert_eq!(
        book(|c| if let Command::Book { member, .. } = c {
            *member = MemberRef::ExternalId("bob".into());
        }),
        Refusal::MemberNotFound
    );
    assert_eq!(world.state.header, before);
}

#[test]
fn an_external_id_is_unique_among_open_sessions() {
    let mut world = World::new();
    world.grant("10", None);
    let named = |world: &World| {
        let mut command = world.book_command("1", HOUR);
        if let Command::Book { external_id, .. } = &mut command {
            *external_id = Some("s-1".into());
        }
        command
    };
    let command = named(&world);
    world.run(command).expect("booked");
    let command = named(&world);
    assert!(matches!(
        world.run(command),
        Err(Refusal::SessionExternalIdTaken { .. })
    ));
    world
        .cancel(&SessionRef::ExternalId("s-1".into()), None)
        .expect("canceled");
    let command = named(&world);
    world.run(command).expect("free again");
}
