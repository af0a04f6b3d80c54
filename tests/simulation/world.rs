//! One account with its members, workers and gateway: everything that may happen to a purchase, from a seed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ledgerbell::adapters::database::{OpenOptions, open};
use ledgerbell::adapters::gateway::simulated::{Chaos, SimulatedGateway};
use ledgerbell::domain::database::Database;
use ledgerbell::domain::event::SilentBell;
use ledgerbell::domain::ledger::model::Policy;
use ledgerbell::domain::ledger::{EngineSettings, Ledger, LedgerSettings};
use ledgerbell::domain::member::{Accounts, NewAccount, open_installation};
use ledgerbell::domain::top_up::{
    AutoTopUps, Charging, PaymentMethods, Reconciler, Refunding, TopUp, TopUpContext, TopUpFilter, TopUps, Webhooks,
};
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::clock::{Clock, DAY, Timestamp};
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::{AccountId, IdSeeds, TopUpId};
use ledgerbell::primitives::money::CreditPrice;
use ledgerbell::primitives::page::{PageRequest, SortOrder};
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::trace::Trace;
use crate::unreliable::{Stall, Unreliable};
use crate::watch::Watch;

/// The number of actions in one world; some worlds have more.
const STEPS: u64 = 50;
const MANY_STEPS: u64 = 240;
/// The ledger's units per cent: a credit costs a euro.
pub(crate) const UNITS_PER_CENT: i64 = 100;
/// 2026-09-30T22:00:00Z: the begin of October in Berlin.
const MONTH_TURNS_AT: i64 = 1_790_805_600_000;

/// The final round in which everything is compared with the gateway.
const COMPARED_IN: u32 = 10;

/// In half of the worlds, refunds fail later.
fn refund_dice(seed: u64) -> Option<Dice> {
    let mut dice = Dice::new(seed ^ 0x1f5d);
    (dice.below(2) == 0).then_some(dice)
}

/// The dominant kind of event in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// All kinds.
    Mixed,
    /// Banks decline, and the rule retries, near its cap.
    Declining,
    /// The same with only one card.
    Stubborn,
    /// The gateway does not respond, or responds late.
    Silent,
    /// Money is returned.
    Returning,
}

impl Mood {
    /// Returns the cards that members add.
    fn tokens(self) -> &'static [&'static str] {
        match self {
            Self::Mixed => &[
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
                // Cards with an outcome that stays open for long are more frequent.
                "card_authenticate-2",
                "card_authenticate-3",
                "card_dies_after_charge-2",
                "card_slow-2",
            ],
            Self::Declining => &[
                "card_insufficient_funds",
                "card_insufficient_funds-2",
                "card_declined",
                "card_declines_once",
                "card_declines_once-2",
                "card_declines_once-3",
                "card_declines_once-4",
                "card_ok",
            ],
            Self::Stubborn => &["card_insufficient_funds"],
            Self::Silent => &[
                "card_hang",
                "card_unavailable",
                "card_dies_after_charge",
                "card_dies_after_charge-2",
                "card_slow",
                "card_authenticate",
                "card_authenticate-2",
                "card_ok",
            ],
            Self::Returning => &[
                "card_ok",
                "card_ok-2",
                "card_fails_late",
                "card_fails_late-2",
                "card_disputed",
                "card_disputed-2",
                "card_dies_after_charge",
            ],
        }
    }
}

/// A worker that waits for the gateway, possibly without end.
pub(crate) struct Stuck {
    worker: JoinHandle<()>,
    stall: Option<Stall>,
}

pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    pub(crate) gateway: SimulatedGateway,
    pub(crate) account_id: AccountId,
    pub(crate) top_ups: TopUps,
    pub(crate) ledger: Ledger,
    pub(crate) rules: AutoTopUps,
    pub(crate) cards: PaymentMethods,
    pub(crate) charging: Charging,
    pub(crate) refunding: Refunding,
    pub(crate) webhooks: Webhooks,
    pub(crate) reconciler: Reconciler,
    pub(crate) dice: Dice,
    pub(crate) mood: Mood,
    pub(crate) keys: u64,
    /// The spent credits, in the ledger's units.
    pub(crate) spent: i64,
    /// The money that operators refunded directly at the gateway, in cents, by the public id of the top-up.
    pub(crate) given_back: HashMap<String, i64>,
    /// The credits that operators took back, in the ledger's units.
    pub(crate) taken_by_hand: HashMap<TopUpId, i64>,
    /// Random numbers for refunds that fail later, in a world that has them. Separate numbers keep all other worlds unchanged.
    pub(crate) refund_dice: Option<Dice>,
    /// The number of workers that died.
    pub(crate) crashes: u64,
    pub(crate) stuck: Vec<Stuck>,
    unreliable: Arc<Unreliable>,
    watch: Watch,
    trace: Trace,
}

impl World {
    /// Creates a world on a migrated database.
    pub(crate) async fn make(url: &str, seed: u64) -> Self {
        let options = OpenOptions {
            max_connections: 2,
            readers: 1,
            ..OpenOptions::default()
        };
        let database = open(url, options).await.expect("opens");
        let mut dice = Dice::new(seed);
        // Hours or minutes before the end of a month, or in the middle of one.
        let before = [DAY / 6, DAY, 9 * DAY][usize::try_from(dice.below(3)).expect("an index")];
        let clock = Clock::manual(Timestamp::from_millis(MONTH_TURNS_AT - before));
        let installation = open_installation(&database, &clock).await.expect("opens");
        let engine = if database.has_one_writer() {
            EngineSettings::ONE_WRITER
        } else {
            EngineSettings::MANY_WRITERS
        };
        let settings = LedgerSettings {
            engine: EngineSettings {
                accounts_per_transaction: 1,
                ..engine
            },
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
        let moods = [
            Mood::Mixed,
            Mood::Declining,
            Mood::Stubborn,
            Mood::Silent,
            Mood::Returning,
        ];
        let mood = *dice.one_of(&moods).expect("a mood");
        let gateway = SimulatedGateway::new(time());
        let unreliable = Unreliable::new(gateway.clone(), Dice::new(seed ^ 0xabcd));
        let top_up_context = TopUpContext::new(time(), handle(), ledger.clone(), unreliable.clone())
            .with_seeds(IdSeeds::counted(seed << 32));
        Self {
            top_ups: TopUps::new(top_up_context.clone()),
            rules: AutoTopUps::new(top_up_context.clone()),
            cards: PaymentMethods::new(top_up_context.clone()),
            charging: Charging::new(top_up_context.clone()),
            refunding: Refunding::new(top_up_context.clone()),
            webhooks: Webhooks::new(top_up_context.clone()),
            reconciler: Reconciler::new(top_up_context),
            clock,
            database,
            gateway,
            account_id,
            ledger,
            dice,
            mood,
            keys: 0,
            spent: 0,
            given_back: HashMap::new(),
            taken_by_hand: HashMap::new(),
            refund_dice: refund_dice(seed),
            crashes: 0,
            stuck: Vec::new(),
            unreliable,
            watch: Watch::default(),
            trace: Trace::default(),
        }
    }

    /// Returns the cards that members add.
    pub(crate) fn tokens(&self) -> &'static [&'static str] {
        self.mood.tokens()
    }

    /// Runs actions with faults, then lets everything finish. Returns the violated conditions.
    pub(crate) async fn run(&mut self) -> Vec<String> {
        self.add_card().await;
        self.set_rule(true).await;
        let worst = 40 * self.dice.below(8);
        let chaos = Chaos {
            lost_before: u32::try_from(worst).expect("small"),
            lost_after: u32::try_from(worst).expect("small"),
            dropped: 300,
            doubled: 200,
            late: 300,
        };
        self.gateway.make_trouble(self.dice.below(u64::MAX), Some(chaos));
        let steps = if self.dice.below(12) == 0 { MANY_STEPS } else { STEPS };
        for _ in 0..steps {
            self.clock.advance(Duration::from_millis(1 + self.dice.below(20_000)));
            self.step().await;
            self.quarrel_over_refunds().await;
            self.look().await;
        }
        self.gateway.make_trouble(0, None);
        self.gateway.end_outage();
        self.unreliable.heal();
        for stuck in self.stuck.drain(..) {
            stuck.worker.abort();
        }
        // In total longer than automatic retries wait, plus the time of a customer to confirm.
        for turn in 0..30 {
            self.clock.advance(Duration::from_mins(121));
            if turn < COMPARED_IN {
                self.let_a_refund_fail_hours_later();
            }
            self.work_until_idle().await;
            match turn {
                // The comparison finds what no webhook reported.
                COMPARED_IN => {
                    let since = self.clock.now().plus_millis(-60 * DAY);
                    self.reconciler.reconcile(since).await.expect("compares");
                }
                // A rule never stops on its own: it buys again in the next month.
                12 => self.switch_off().await,
                _ => {}
            }
            self.look().await;
        }
        std::mem::take(&mut self.watch).complaints
    }

    /// Checks what must be true at every moment.
    async fn look(&mut self) {
        let mut watch = std::mem::take(&mut self.watch);
        let figures = watch.look(self).await;
        self.trace.note(&format!("{} {figures:?}", self.clock.now().millis()));
        self.watch = watch;
    }

    async fn step(&mut self) {
        if self.dice.below(3) == 0 {
            self.do_what_fits_the_mood().await;
            return;
        }
        match self.dice.below(36) {
            0..=2 => self.create().await,
            3..=6 => self.press_retry().await,
            7 => self.cancel().await,
            8 => self.refund().await,
            9 => self.add_card().await,
            10 => {
                let on = self.dice.below(3) > 0;
                self.set_rule(on).await;
            }
            11 => {
                let _ = self.rules.resume(&Actor::System, self.account_id).await;
            }
            12..=14 => self.spend().await,
            15..=19 => self.run_worker().await,
            20..=22 => self.try_again().await,
            23..=24 => self.evaluate_twice_at_once().await,
            25..=27 => self.deliver().await,
            28 => self.play_customer_or_bank(),
            29..=30 => self.let_time_pass(),
            31 => self.let_one_go_on().await,
            32 => self.let_one_die(),
            33 => self.remove_card().await,
            34 => self.freeze_or_thaw().await,
            _ => self.reconcile().await,
        }
    }

    async fn do_what_fits_the_mood(&mut self) {
        let thrown = self.dice.below(4);
        match (self.mood, thrown) {
            (Mood::Mixed, 0) | (Mood::Returning, 0..=1) => self.play_customer_or_bank(),
            (Mood::Mixed, _) | (Mood::Silent, 0..=1) | (Mood::Declining | Mood::Stubborn, 2) => self.run_worker().await,
            (Mood::Declining, 0) => self.set_rule(true).await,
            (Mood::Stubborn, 0) => self.press_retry().await,
            (Mood::Declining | Mood::Stubborn, 1) => {
                let _ = self.rules.resume(&Actor::System, self.account_id).await;
                self.spend().await;
            }
            (Mood::Declining | Mood::Stubborn, _) => {
                self.let_time_pass();
                self.try_again().await;
            }
            (Mood::Silent, 2) => self.let_one_go_on().await,
            (Mood::Silent, _) => self.let_time_pass(),
            (Mood::Returning, 2) => self.deliver().await,
            (Mood::Returning, _) => self.reconcile().await,
        }
    }

    pub(crate) fn next_key(&mut self) -> String {
        // Sometimes the previous key, as of a client that retries.
        if self.dice.below(4) > 0 {
            self.keys += 1;
        }
        format!("k{}", self.keys)
    }

    /// Returns all top-ups, oldest first.
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

    /// Returns the credits of a top-up that an operator took back.
    pub(crate) fn by_hand(&self, id: TopUpId) -> Credits {
        Credits::from_units(self.taken_by_hand.get(&id).copied().unwrap_or_default())
    }

    fn let_time_pass(&mut self) {
        let minutes = if self.dice.below(8) == 0 {
            60 * self.dice.below(200)
        } else {
            self.dice.below(600)
        };
        self.clock.advance(Duration::from_mins(1 + minutes));
    }

    /// Resumes one stuck worker. It receives the state at the time of its call.
    async fn let_one_go_on(&mut self) {
        if self.stuck.is_empty() {
            return;
        }
        let at = self.dice.below(self.stuck.len() as u64);
        let stuck = self.stuck.remove(usize::try_from(at).expect("an index"));
        if let Some(stall) = stuck.stall {
            let _ = stall.send(());
        }
        self.wait_for(stuck.worker).await;
    }

    fn let_one_die(&mut self) {
        if let Some(stuck) = self.stuck.pop() {
            stuck.worker.abort();
            self.crashes += 1;
        }
    }

    /// Runs a worker until it finishes or is stuck.
    pub(crate) async fn run_until_stuck(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let worker = tokio::spawn(work);
        self.wait_for(worker).await;
    }

    async fn wait_for(&mut self, mut worker: JoinHandle<()>) {
        let gateway = self.unreliable.clone();
        tokio::select! {
            ended = &mut worker => ended.expect("a worker does not panic"),
            () = gateway.stalled.notified() => self.stuck.push(Stuck { worker, stall: gateway.take_stall() }),
        }
    }

    async fn work_until_idle(&mut self) {
        for _ in 0..400 {
            for (body, signature) in self.gateway.take_messages() {
                self.webhooks.receive(body, &signature).await.expect("kept");
            }
            let mut found = self.rules.try_again(50).await.expect("works");
            found += self.rules.sweep(50).await.expect("works");
            // One at a time: concurrency is tested while faults occur.
            found += self.charging.turn(1).await.expect("works");
            found += self.refunding.turn(50).await.expect("works");
            found += self.webhooks.turn(50).await.expect("works");
            if found == 0 {
                return;
            }
        }
        panic!("the workers never come to rest");
    }

    /// Closes the database, and returns the digest of everything that happened.
    pub(crate) async fn end(self) -> String {
        let trace = self.trace.end(&self.database).await;
        self.ledger.shutdown().await;
        let _ = self.database.close().await;
        trace
    }
}
