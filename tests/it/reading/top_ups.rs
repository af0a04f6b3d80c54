//! Paid top-ups, and their effects in the log and on the lots.

use std::sync::Arc;

use ledgerbell::adapters::gateway::NoGateway;
use ledgerbell::domain::fault::UseCaseError;
use ledgerbell::domain::ledger::credit_log::CreditLog;
use ledgerbell::domain::ledger::lots::Lots;
use ledgerbell::domain::ledger::model::EntryKind;
use ledgerbell::domain::top_up::{TopUp, TopUpContext, TopUpFilter, TopUpOrigin, TopUpStatus, TopUps};
use ledgerbell::primitives::actor::{AccessError, Actor, Cause};
use ledgerbell::primitives::clock::{Clock, Timestamp};
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::AccountId;
use ledgerbell::primitives::page::{PageRequest, SortOrder};

use super::ground::Ground;
use super::log::{ACCOUNT, START, member, plain_member};
use super::rows::insert_account;

fn page_of<P>(limit: u32) -> PageRequest<P> {
    PageRequest::forward(limit, None)
}

#[tokio::test]
async fn a_paid_top_up_is_credited_with_its_own_entry_and_shows_in_pages() {
    for ground in Ground::each().await {
        insert_account(&ground, ACCOUNT, "UTC").await;
        let now = Timestamp::from_millis(START);
        let clock = Clock::manual(now);
        let ledger = ground.ledger(&clock, Credits::whole(10_000));
        let state = ledger.clone();
        ground
            .database
            .transaction(move |tx| {
                let state = state.clone();
                Box::pin(async move { state.create_state(tx, ACCOUNT, 0, now).await })
            })
            .await
            .expect("an account");
        let desk = TopUpContext::new(clock, ground.database.clone(), ledger.clone(), Arc::new(NoGateway));
        let top_ups = TopUps::new(desk);
        let mut made: Vec<TopUp> = Vec::new();
        for (whole, origin) in [
            (10, TopUpOrigin::Manual),
            (20, TopUpOrigin::Auto),
            (30, TopUpOrigin::Manual),
        ] {
            let cause = Cause::Member(member(1));
            made.push(
                top_ups
                    .record_paid(&Actor::System, ACCOUNT, Credits::whole(whole), origin, cause)
                    .await
                    .expect("credited"),
            );
        }
        let balance = &ledger.balances(&[ACCOUNT]).await.expect("reads")[&ACCOUNT];
        assert_eq!(balance.posted, Credits::whole(60));

        let ids: Vec<_> = made.iter().map(|top_up| top_up.id).collect();
        let found = top_ups.by_ids(&Actor::System, ACCOUNT, &ids).await.expect("reads");
        assert!(
            made.iter().all(|top_up| found[&top_up.id] == *top_up),
            "{}",
            ground.name()
        );
        assert_eq!(made[1].price.to_decimal().to_string(), "20.00");
        assert!(made.iter().all(|top_up| top_up.status == TopUpStatus::Succeeded));

        let log = CreditLog::new(ground.database.clone());
        let entries = log
            .entries_of_top_ups(&Actor::System, ACCOUNT, &ids)
            .await
            .expect("reads");
        let kinds: Vec<EntryKind> = made.iter().map(|top_up| entries[&top_up.id].entries[0].kind).collect();
        assert_eq!(kinds, [EntryKind::TopUp, EntryKind::AutoTopUp, EntryKind::TopUp]);
        let entry_ids: Vec<_> = made.iter().filter_map(|top_up| top_up.entry_id).collect();
        let draws = log.draws_of(&Actor::System, ACCOUNT, &entry_ids).await.expect("reads");
        assert_eq!(draws[&entry_ids[0]][0].amount, Credits::whole(10));

        let filter = TopUpFilter {
            origins: [TopUpOrigin::Manual].into(),
            ..TopUpFilter::default()
        };
        let page = top_ups
            .page(&Actor::System, ACCOUNT, &filter, SortOrder::NewestFirst, &page_of(5))
            .await
            .expect("a page");
        let mut manual = [ids[0], ids[2]];
        manual.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(
            page.items.iter().map(|(_, top_up)| top_up.id).collect::<Vec<_>>(),
            manual
        );
        let refused = top_ups.by_ids(&plain_member(1), ACCOUNT, &ids).await;
        assert!(refused.is_err());
        let nowhere = top_ups
            .record_paid(
                &Actor::System,
                AccountId::from_number(99),
                Credits::whole(1),
                TopUpOrigin::Manual,
                Cause::System,
            )
            .await;
        assert_eq!(nowhere, Err(UseCaseError::Access(AccessError::NotFound)));

        lots_come_in_pages(&ground).await;
    }
}

/// Three lots with 60 credits left in total.
async fn lots_come_in_pages(ground: &Ground) {
    let lots = Lots::new(ground.database.clone());
    for include_spent in [false, true] {
        let all = lots
            .page(&Actor::System, ACCOUNT, include_spent, &page_of(10))
            .await
            .expect("a page");
        let remaining: Credits = all.items.iter().map(|(_, lot)| lot.remaining).sum();
        assert_eq!(remaining, Credits::whole(60), "{} {include_spent}", ground.name());
        let mut one_by_one = Vec::new();
        let mut request = page_of(1);
        loop {
            let page = lots
                .page(&Actor::System, ACCOUNT, include_spent, &request)
                .await
                .expect("a page");
            request.after = page.items.last().map(|(position, _)| *position);
            one_by_one.extend(page.items);
            if !page.has_next {
                break;
            }
        }
        assert_eq!(one_by_one, all.items);
    }
}
