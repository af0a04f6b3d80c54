//! The actions of members, workers, customers and banks.

use ledgerbell::adapters::gateway::simulated::ChargedObject;
use ledgerbell::domain::ledger::model::Command;
use ledgerbell::domain::top_up::model::{AutoTopUpPatch, PaymentMethod};
use ledgerbell::domain::top_up::{AutoTopUpChange, NewRefund, NewTopUp, TopUp, TopUpRetry, TopUpStatus};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::credits::Credits;

use crate::world::{UNITS_PER_CENT, World};

/// Caps that members set, in euros: some hold hardly more than one amount.
const CAPS: [i64; 4] = [15, 20, 30, 60];

impl World {
    fn whole(&mut self, from: u64, below: u64) -> Credits {
        Credits::whole(i64::try_from(from + self.dice.below(below)).expect("small"))
    }

    async fn any(&mut self) -> Option<TopUp> {
        let all = self.all().await;
        self.dice.one_of(&all).cloned()
    }

    async fn any_card(&mut self) -> Option<PaymentMethod> {
        let cards = self.cards.list(&Actor::System, self.account_id).await.expect("reads");
        if self.dice.below(2) == 0 {
            return None;
        }
        self.dice.one_of(&cards).cloned()
    }

    pub(crate) async fn create(&mut self) {
        let new = NewTopUp {
            credits: self.whole(1, 20),
            payment_method_id: self.any_card().await.map(|card| card.id),
            acting: None,
            key: self.next_key(),
        };
        let _ = self.top_ups.create(&Actor::System, self.account_id, new).await;
    }

    pub(crate) async fn press_retry(&mut self) {
        // In most cases, a top-up that can be retried.
        let mut all = self.all().await;
        let is_failed = |top_up: &TopUp| matches!(top_up.status, TopUpStatus::Failed | TopUpStatus::RequiresAction);
        if self.dice.below(4) > 0 {
            all.retain(is_failed);
        }
        let Some(top_up) = self.dice.one_of(&all).cloned() else {
            return;
        };
        let again = TopUpRetry {
            top_up_id: top_up.id,
            payment_method_id: self.any_card().await.map(|card| card.id),
            acting: None,
            key: self.next_key(),
        };
        let press = || self.top_ups.retry(&Actor::System, self.account_id, again.clone());
        let _ = tokio::join!(press(), press());
    }

    pub(crate) async fn cancel(&mut self) {
        if let Some(top_up) = self.any().await {
            let _ = self.top_ups.cancel(&Actor::System, self.account_id, top_up.id).await;
        }
    }

    pub(crate) async fn refund(&mut self) {
        let Some(top_up) = self.any().await else { return };
        let credits = i64::try_from(self.dice.below(5)).expect("small");
        let new = NewRefund {
            top_up_id: top_up.id,
            credits: (credits > 0).then(|| Credits::whole(credits)),
            allow_debt: false,
            allow_inactive: false,
            reason: "A mistake".to_owned(),
            key: self.next_key(),
        };
        let _ = self.top_ups.refund(&Actor::System, self.account_id, new).await;
    }

    pub(crate) async fn add_card(&mut self) {
        let mut token = *self.dice.one_of(self.tokens()).expect("a card");
        if self.refund_dice.as_mut().is_some_and(|dice| dice.below(3) == 0) {
            token = "card_refund_fails";
        }
        let as_default = self.dice.below(2) == 0;
        let _ = self
            .cards
            .add(&Actor::System, self.account_id, token.to_owned(), as_default)
            .await;
    }

    pub(crate) async fn remove_card(&mut self) {
        if let Some(card) = self.any_card().await {
            let _ = self.cards.remove(&Actor::System, self.account_id, card.id).await;
        }
    }

    /// Sets the rule again, with a different cap and possibly a different card.
    pub(crate) async fn set_rule(&mut self, on: bool) {
        let amount = self.whole(5, 10);
        let cap = *self.dice.one_of(&CAPS).expect("a cap");
        let card = self.any_card().await;
        let change = AutoTopUpChange {
            patch: AutoTopUpPatch {
                enabled: Some(on),
                trigger: Some(Credits::whole(10)),
                amount: Some(amount),
                monthly_cap_minor: None,
                consent: true,
                expected_version: None,
            },
            monthly_cap: Some(Some(cap.into())),
            payment_method_id: card.map(|card| card.id),
            ..AutoTopUpChange::default()
        };
        let _ = self.rules.update(&Actor::System, self.account_id, change).await;
    }

    pub(crate) async fn switch_off(&mut self) {
        let change = AutoTopUpChange {
            patch: AutoTopUpPatch {
                enabled: Some(false),
                ..AutoTopUpPatch::default()
            },
            ..AutoTopUpChange::default()
        };
        let switched = self.rules.update(&Actor::System, self.account_id, change).await;
        switched.expect("switches off");
    }

    pub(crate) async fn spend(&mut self) {
        self.keys += 1;
        let amount = self.whole(1, 15);
        let command = Command::Adjust {
            amount: Credits::from_units(-amount.units()),
            description: "Spent".to_owned(),
            reverses: None,
        };
        let key = format!("spend{}", self.keys);
        let posted = self
            .ledger
            .post(&Actor::System, self.account_id, None, key, command)
            .await;
        if posted.is_ok() {
            self.spent += amount.units();
        }
    }

    pub(crate) async fn freeze_or_thaw(&mut self) {
        let (actor, account_id) = (Actor::System, self.account_id);
        if self.dice.below(3) == 0 {
            let _ = self
                .ledger
                .freeze_account(&actor, account_id, "A doubt".to_owned())
                .await;
        } else {
            let _ = self.ledger.unfreeze_account(&actor, account_id).await;
        }
    }

    /// Runs one round of a worker. It may get stuck at the gateway; then others continue.
    pub(crate) async fn run_worker(&mut self) {
        let (charging, refunding) = (self.charging.clone(), self.refunding.clone());
        let refunds = self.dice.below(5) == 0;
        self.run_until_stuck(async move {
            if refunds {
                let _ = refunding.turn(1).await;
            } else {
                let _ = charging.turn(1).await;
            }
        })
        .await;
    }

    pub(crate) async fn try_again(&mut self) {
        let _ = self.rules.try_again(10).await;
        let _ = self.rules.sweep(10).await;
    }

    pub(crate) async fn evaluate_twice_at_once(&mut self) {
        let (rules, account_id) = (&self.rules, self.account_id);
        let _ = tokio::join!(rules.evaluate(account_id, true), rules.evaluate(account_id, false));
    }

    pub(crate) async fn deliver(&mut self) {
        for (body, signature) in self.gateway.take_messages() {
            self.webhooks.receive(body, &signature).await.expect("kept");
        }
        let webhooks = self.webhooks.clone();
        self.run_until_stuck(async move {
            let _ = webhooks.turn(3).await;
        })
        .await;
    }

    pub(crate) async fn reconcile(&mut self) {
        let since = self.clock.now().plus_millis(-3 * 86_400_000);
        let reconciler = self.reconciler.clone();
        self.run_until_stuck(async move {
            let _ = reconciler.reconcile(since).await;
        })
        .await;
    }

    pub(crate) fn play_customer_or_bank(&mut self) {
        let objects = self.gateway.objects();
        let Some(object) = self.dice.one_of(&objects) else {
            return;
        };
        match self.dice.below(7) {
            6 => {
                self.gateway.pay_on_page(&object.id);
            }
            0..=2 => {
                // The customer opens every open payment page.
                let confirms = self.dice.below(3) > 0;
                for object in &objects {
                    self.gateway.authenticate(&object.id, confirms);
                }
            }
            3 => {
                let minor = 1 + i64::try_from(self.dice.below(1_000)).expect("small");
                self.refund_directly(object, minor);
            }
            4 => {
                self.gateway.open_dispute(&object.id);
            }
            _ => {
                let is_won = self.dice.below(2) == 0;
                self.gateway.close_dispute(&object.id, is_won);
            }
        }
    }

    /// Where refunds fail later, makes more of them, in parts, with corrections by operators.
    pub(crate) async fn quarrel_over_refunds(&mut self) {
        let Some(dice) = &mut self.refund_dice else { return };
        match dice.below(9) {
            0 => self.ask_a_part_back().await,
            1 => self.give_a_part_back_at_the_gateway().await,
            2 => self.let_a_refund_fail(),
            3 => self.take_back_by_hand().await,
            _ => {}
        }
    }

    /// Returns a paid top-up, usually the first, and up to three credits.
    async fn part_of_a_paid_one(&mut self) -> Option<(TopUp, Credits)> {
        let mut paid = self.all().await;
        paid.retain(|top_up| top_up.entry_id.is_some());
        let dice = self.refund_dice.as_mut()?;
        let top_up = if dice.below(3) > 0 {
            paid.first()
        } else {
            dice.one_of(&paid)
        };
        let credits = 1 + i64::try_from(dice.below(3)).expect("small");
        Some((top_up?.clone(), Credits::whole(credits)))
    }

    async fn ask_a_part_back(&mut self) {
        let Some((top_up, credits)) = self.part_of_a_paid_one().await else {
            return;
        };
        let new = NewRefund {
            top_up_id: top_up.id,
            credits: Some(credits),
            allow_debt: true,
            allow_inactive: true,
            reason: "Too many".to_owned(),
            key: self.next_key(),
        };
        let _ = self.top_ups.refund(&Actor::System, self.account_id, new).await;
    }

    async fn give_a_part_back_at_the_gateway(&mut self) {
        let Some((top_up, credits)) = self.part_of_a_paid_one().await else {
            return;
        };
        let reference = top_up.id.global(self.account_id).to_string();
        let objects = self.gateway.objects();
        if let Some(object) = objects.iter().find(|one| one.reference == reference && one.charges > 0) {
            self.refund_directly(object, credits.units() / UNITS_PER_CENT);
        }
    }

    fn refund_directly(&mut self, object: &ChargedObject, minor: i64) {
        if self.gateway.refund_directly(&object.id, minor) {
            *self.given_back.entry(object.reference.clone()).or_default() += minor;
        }
    }

    /// Lets a customer's bank reject a refund, possibly long after it was reported as successful.
    fn let_a_refund_fail(&mut self) {
        let Some(dice) = &mut self.refund_dice else { return };
        let mut objects = self.gateway.objects();
        objects.retain(|object| object.returned_minor > object.came_back_minor);
        if let Some(object) = dice.one_of(&objects) {
            self.gateway.fail_refund(&object.id);
        }
    }

    /// The same, occasionally, when everything else has finished.
    pub(crate) fn let_a_refund_fail_hours_later(&mut self) {
        if self.refund_dice.as_mut().is_some_and(|dice| dice.below(6) == 0) {
            self.let_a_refund_fail();
        }
    }

    /// An operator corrects the entry of a top-up.
    async fn take_back_by_hand(&mut self) {
        let Some((top_up, credits)) = self.part_of_a_paid_one().await else {
            return;
        };
        self.keys += 1;
        let command = Command::Adjust {
            amount: Credits::from_units(-credits.units()),
            description: "Corrected".to_owned(),
            reverses: top_up.entry_id,
        };
        let key = format!("by hand{}", self.keys);
        let posted = self
            .ledger
            .post(&Actor::System, self.account_id, None, key, command)
            .await;
        if posted.is_ok() {
            *self.taken_by_hand.entry(top_up.id).or_default() += credits.units();
        }
    }
}
