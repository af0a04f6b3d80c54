//! One account, its people, its workers and its gateway: everything that may happen to a purchase, by a seed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledgerbell::adapters::database::{OpenOptions, open};
use ledgerbell::adapters::gateway::simulated::{Chaos, SimulatedGateway};
use ledgerbell::domain::database::Database;
use ledgerbell::domain::event::SilentBell;
use ledgerbell::domain::ledger::model::{Command, Policy};
use ledgerbell::domain::ledger::{EngineSettings, Ledger, LedgerSettings};
use ledgerbell::domain::member::{Accounts, NewAccount, open_installation};
use ledgerbell::domain::top_up::model::{AutoTopUpPatch, PaymentMethod};
use ledgerbell::domain::top_up::{
    AutoTopUpChange, AutoTopUps, Charging, Desk, NewRefund, NewTopUp, PaymentMethods, Reconciler, Refunding, TopUp,
    TopUpFilter, TopUpRetry, TopUpStatus, TopUps, Webhooks,
};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::clock::{Clock, Timestamp};
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::{AccountId, IdSeeds};
use ledgerbell::primitives::money::CreditPrice;
use ledgerbell::primitives::page::{PageRequest, SortOrder};
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::unreliable::Unreliable;

const TOKENS: [&str; 20] = [
    "card_ok",
    "card_ok-2",
    "card_ok-3",
    "card_ok-4",
    "card_insufficient_funds",
    "card_declined",
    "card_expired",
    "card_blocked",
    "card_authenticate",
    "card_hang",
    "card_dies_after_charge",
    "card_unavailable",
    "card_slow",
    "card_declines_once",
    "card_fails_late",
    "card_disputed",
    // Those whose outcome is open the longest come up more often.
    "card_authenticate-2",
    "card_authenticate-3",
    "card_dies_after_charge-2",
    "card_slow-2",
];
/// The rule's cap, which never changes: 60.00.
pub(crate) const CAP_MINOR: i64 = 6_000;

/// Everything.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    pub(crate) gateway: SimulatedGateway,
    pub(crate) account_id: AccountId,
    pub(crate) top_ups: TopUps,
    ledger: Ledger,
    unreliable: Arc<Unreliable>,
    rules: AutoTopUps,
    cards: PaymentMethods,
    charging: Charging,
    refunding: Refunding,
    webhooks: Webhooks,
    reconciler: Reconciler,
    dice: Dice,
    keys: u64,
    /// Workers that wait for the gateway, perhaps for ever.
    stuck: Vec<JoinHandle<()>>,
}

impl World {
    /// A world on a migrated database file.
    pub(crate) async fn make(file: &Path, seed: u64) -> Self {
        let url = format!("sqlite://{}?mode=rw", file.display());
        let options = OpenOptions {
            max_connections: 2,
            readers: 1,
            ..OpenOptions::default()
        };
        let database = open(&url, options).await.expect("opens");
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        let installation = open_installation(&database, &clock).await.expect("opens");
        let settings = LedgerSettings {
            engine: EngineSettings::ONE_WRITER,
            policy: Policy {
                overage_limit: Credits::whole(10_000),
            },
        };
        let (handle, time) = (|| database.clone(), || clock.clone());
        let bell = Arc::new(SilentBell);
        let ledger = Ledger::start(handle(), time(), installation.epoch, settings, bell);
        let accounts = Accounts::new(time(), handle(), ledger.clone());
        let new = NewAccount {
            external_id: None,
            name: "The team".to_owned(),
            credit_price: CreditPrice::from_millionths(1_000_000),
            currency: "EUR".parse().expect("a currency"),
            timezone: chrono_tz::Europe::Berlin,
            owner: None,
        };
        let account_id = accounts.create(&Actor::System, new).await.expect("an account").id;
        let mut dice = Dice::new(seed);
        let gateway = SimulatedGateway::new(time());
        let unreliable = Unreliable::new(gateway.clone(), Dice::new(seed ^ 0xabcd), 20 * dice.below(12));
        let desk =
            Desk::new(time(), handle(), ledger.clone(), unreliable.clone()).with_seeds(IdSeeds::counted(seed << 32));
        Self {
            top_ups: TopUps::new(desk.clone()),
            rules: AutoTopUps::new(desk.clone()),
            cards: PaymentMethods::new(desk.clone()),
            charging: Charging::new(desk.clone()),
            refunding: Refunding::new(desk.clone()),
            webhooks: Webhooks::new(desk.clone()),
            reconciler: Reconciler::new(desk),
            clock,
            database,
            gateway,
            account_id,
            ledger,
            unreliable,
            dice,
            keys: 0,
            stuck: Vec::new(),
        }
    }

    /// Lets so many things happen, in trouble, and then lets everything come to its end.
    pub(crate) async fn run(&mut self, steps: u64) {
        let token = *self.dice.one_of(&TOKENS).expect("a card");
        let _ = self
            .cards
            .add(&Actor::System, self.account_id, token.to_owned(), true)
            .await;
        self.switch_rule(true).await;
        let worst = 40 * self.dice.below(8);
        let chaos = Chaos {
            lost_before: u32::try_from(worst).expect("small"),
            lost_after: u32::try_from(worst).expect("small"),
            dropped: 300,
            doubled: 200,
            late: 300,
        };
        self.gateway.make_trouble(self.dice.below(u64::MAX), Some(chaos));
        for _ in 0..steps {
            self.clock.advance(Duration::from_millis(1 + self.dice.below(20_000)));
            self.step().await;
        }
        self.gateway.make_trouble(0, None);
        self.gateway.end_outage();
        self.unreliable.heal();
        for worker in self.stuck.drain(..) {
            worker.abort();
        }
        // Longer than automatic retries wait and then a customer may take to confirm.
        for turn in 0..50 {
            self.clock.advance(Duration::from_mins(71));
            self.work_until_idle().await;
            if turn == 25 {
                // What no webhook told of is found by comparing.
                let since = self.clock.now().plus_millis(-30 * 86_400_000);
                self.reconciler.reconcile(since).await.expect("compares");
            }
        }
    }

    async fn step(&mut self) {
        match self.dice.below(30) {
            0..=2 => self.create().await,
            3..=6 => self.press_retry().await,
            7 => self.cancel().await,
            8 => self.refund().await,
            9 => self.add_card().await,
            10 => {
                let on = self.dice.below(3) > 0;
                self.switch_rule(on).await;
            }
            11 => {
                let _ = self.rules.resume(&Actor::System, self.account_id).await;
            }
            12..=14 => self.spend().await,
            15..=19 => self.run_worker().await,
            20 => {
                let _ = self.rules.try_again(10).await;
                let _ = self.rules.sweep(10).await;
            }
            21..=22 => {
                // Two at the same time.
                let (rules, account_id) = (&self.rules, self.account_id);
                let both = tokio::join!(rules.evaluate(account_id, true), rules.evaluate(account_id, false));
                let _ = both;
            }
            23..=24 => self.deliver().await,
            25 => self.play_customer_or_bank(),
            26 => self.clock.advance(Duration::from_mins(1 + self.dice.below(600))),
            27 => self.unreliable.release(),
            28 => {
                if let Some(worker) = self.stuck.pop() {
                    worker.abort();
                }
            }
            _ => {
                let since = self.clock.now().plus_millis(-86_400_000);
                let _ = self.reconciler.reconcile(since).await;
            }
        }
    }

    fn next_key(&mut self) -> String {
        // Sometimes the key of before: a client that tries again.
        if self.dice.below(4) > 0 {
            self.keys += 1;
        }
        format!("k{}", self.keys)
    }

    /// All top-ups, oldest first.
    pub(crate) async fn all(&self) -> Vec<TopUp> {
        let request = PageRequest::new(Some(100), None, None, None).expect("a page");
        let page = self
            .top_ups
            .page(
                &Actor::System,
                self.account_id,
                &TopUpFilter::default(),
                SortOrder::OldestFirst,
                &request,
            )
            .await;
        page.expect("reads")
            .items
            .into_iter()
            .map(|(_, top_up)| top_up)
            .collect()
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

    async fn create(&mut self) {
        let new = NewTopUp {
            credits: Credits::whole(1 + i64::try_from(self.dice.below(20)).expect("small")),
            payment_method_id: self.any_card().await.map(|card| card.id),
            acting: None,
            key: self.next_key(),
        };
        let _ = self.top_ups.create(&Actor::System, self.account_id, new).await;
    }

    async fn press_retry(&mut self) {
        // Mostly one that may be retried.
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

    async fn cancel(&mut self) {
        if let Some(top_up) = self.any().await {
            let _ = self.top_ups.cancel(&Actor::System, self.account_id, top_up.id).await;
        }
    }

    async fn refund(&mut self) {
        let Some(top_up) = self.any().await else { return };
        let credits = i64::try_from(self.dice.below(5)).expect("small");
        let new = NewRefund {
            top_up_id: top_up.id,
            credits: (credits > 0).then(|| Credits::whole(credits)),
            reason: "A mistake".to_owned(),
            key: self.next_key(),
        };
        let _ = self.top_ups.refund(&Actor::System, self.account_id, new).await;
    }

    async fn add_card(&mut self) {
        let token = *self.dice.one_of(&TOKENS).expect("a card");
        let as_default = self.dice.below(2) == 0;
        let _ = self
            .cards
            .add(&Actor::System, self.account_id, token.to_owned(), as_default)
            .await;
    }

    async fn switch_rule(&mut self, on: bool) {
        let amount = 5 + i64::try_from(self.dice.below(10)).expect("small");
        let change = AutoTopUpChange {
            patch: AutoTopUpPatch {
                enabled: Some(on),
                trigger: Some(Credits::whole(10)),
                amount: Some(Credits::whole(amount)),
                monthly_cap_minor: None,
                consent: true,
                expected_version: None,
            },
            monthly_cap: Some(Some((CAP_MINOR / 100).into())),
            ..AutoTopUpChange::default()
        };
        let _ = self.rules.update(&Actor::System, self.account_id, change).await;
    }

    async fn spend(&mut self) {
        self.keys += 1;
        let amount = 1 + i64::try_from(self.dice.below(15)).expect("small");
        let command = Command::Adjust {
            amount: Credits::whole(-amount),
            description: "Spent".to_owned(),
            reverses: None,
        };
        let key = format!("spend{}", self.keys);
        let _ = self
            .ledger
            .post(&Actor::System, self.account_id, None, key, command)
            .await;
    }

    /// One of two workers takes a turn. It may get stuck at the gateway, and then others go on.
    async fn run_worker(&mut self) {
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

    async fn deliver(&mut self) {
        for (body, signature) in self.gateway.take_messages() {
            self.webhooks.receive(body, &signature).await.expect("kept");
        }
        let webhooks = self.webhooks.clone();
        self.run_until_stuck(async move {
            let _ = webhooks.turn(3).await;
        })
        .await;
    }

    async fn work_until_idle(&mut self) {
        for _ in 0..100 {
            for (body, signature) in self.gateway.take_messages() {
                self.webhooks.receive(body, &signature).await.expect("kept");
            }
            let mut found = self.rules.try_again(50).await.expect("works");
            found += self.rules.sweep(50).await.expect("works");
            found += self.charging.turn(50).await.expect("works");
            found += self.refunding.turn(50).await.expect("works");
            found += self.webhooks.turn(50).await.expect("works");
            if found == 0 {
                return;
            }
        }
        panic!("the workers never come to rest");
    }

    fn play_customer_or_bank(&mut self) {
        let objects = self.gateway.objects();
        let Some(object) = self.dice.one_of(&objects) else {
            return;
        };
        match self.dice.below(6) {
            0..=2 => {
                // The customer looks at every page that is open.
                let confirms = self.dice.below(3) > 0;
                for object in &objects {
                    self.gateway.authenticate(&object.id, confirms);
                }
            }
            3 => {
                let minor = 1 + i64::try_from(self.dice.below(1_000)).expect("small");
                self.gateway.refund_directly(&object.id, minor);
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

    /// Closes the database.
    pub(crate) async fn end(self) {
        self.ledger.shutdown().await;
        let _ = self.database.close().await;
    }
}

impl World {
    /// Runs a worker until it is done or stuck.
    async fn run_until_stuck(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let mut worker = tokio::spawn(work);
        let stalled = self.unreliable.clone();
        tokio::select! {
            ended = &mut worker => ended.expect("a worker does not panic"),
            () = stalled.stalled.notified() => self.stuck.push(worker),
        }
    }
}
