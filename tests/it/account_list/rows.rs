//! Generated accounts, inserted in bulk, and what each filter has to find among them.

use ledgerbell::domain::filter::{AnyOf, Given};
use ledgerbell::domain::ledger::model::AccountStatus;
use ledgerbell::domain::member::{AccountFilter, AccountOrder, AccountSearch};
use ledgerbell::primitives::credits::Credits;
use sea_orm::DbBackend;

use crate::reading::ground::Ground;

/// One generated account, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Generated(pub(super) i64);

impl Generated {
    fn status(self) -> AccountStatus {
        match self.0 % 100 {
            7 => AccountStatus::Frozen,
            9 => AccountStatus::Closed,
            _ => AccountStatus::Active,
        }
    }

    pub(super) fn available(self) -> i64 {
        self.0 * 7_919 % 100_003 * 1_000 - 500_000 - self.0 % 5 * 100
    }

    fn is_paused(self) -> bool {
        self.0 % 60 == 0
    }

    fn has_findings(self) -> bool {
        self.0 % 20 == 3
    }

    fn words(self) -> [String; 5] {
        let word = |text: &str| text.to_owned();
        [
            word("team"),
            format!("w{}", self.0 % 997),
            word("studio"),
            word("crm"),
            self.0.to_string(),
        ]
    }

    pub(super) fn matches(self, filter: &AccountFilter) -> bool {
        let AccountSearch::Words(search) = filter.search.parsed() else {
            panic!("{filter:?}");
        };
        let mut words = search.words().iter().flat_map(|word| word.split_whitespace());
        let (own, available) = (self.words(), Credits::from_units(self.available()));
        words.all(|word| own.iter().any(|own| own.starts_with(word)))
            && filter.statuses.allows(&self.status())
            && filter.available_below.is_none_or(|below| available < below)
            && filter
                .auto_top_up_paused
                .is_none_or(|is_paused| is_paused == self.is_paused())
            && filter
                .has_findings
                .is_none_or(|has_findings| has_findings == self.has_findings())
    }
}

/// Returns the numbers of the accounts that the list must have, in its order.
pub(super) fn expected(count: i64, filter: &AccountFilter, order: AccountOrder) -> Vec<i64> {
    let mut found: Vec<Generated> = (1..=count).map(Generated).filter(|one| one.matches(filter)).collect();
    match order {
        AccountOrder::OldestFirst => {}
        AccountOrder::NewestFirst => found.reverse(),
        AccountOrder::LowestAvailableFirst => found.sort_by_key(|one| (one.available(), one.0)),
    }
    found.into_iter().map(|one| one.0).collect()
}

/// Inserts accounts 1 to `count`.
pub(super) async fn load(ground: &Ground, count: i64) {
    let is_sqlite = ground.backend() == DbBackend::Sqlite;
    let series = if is_sqlite {
        format!(
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s) AS s"
        )
    } else {
        format!("generate_series(CAST(1 AS BIGINT), {count}) AS s(n)")
    };
    let hash = if is_sqlite {
        "zeroblob(32)"
    } else {
        "decode(repeat('00', 32), 'hex')"
    };
    let word = |word: &str| format!("INSERT INTO account_word (account_id, word) SELECT n, {word} FROM {series}");
    let mut statements = vec![
        format!(
            "INSERT INTO account (account_id, external_id, name, timezone, currency, credit_price, version, created_at, search_text) \
             SELECT n, 'crm-' || n, 'Team w' || (n % 997) || ' Studio', 'UTC', 'EUR', 1000000, 1, 1700000000000 + n, \
             ' team w' || (n % 997) || ' studio crm ' || n FROM {series}"
        ),
        format!(
            "INSERT INTO account_state (account_id, status, posted, held, incoming, debt, balance_version, balance_at, \
             entry_sequence, event_sequence, event_nonce, last_hash, last_at, lot_count, session_grace_millis) SELECT n, \
             CASE n % 100 WHEN 7 THEN 'FROZEN' WHEN 9 THEN 'CLOSED' ELSE 'ACTIVE' END, n * 7919 % 100003 * 1000 - 500000, \
             n % 5 * 100, 0, 0, 0, 0, 0, 0, 0, {hash}, 0, 0, 259200000 FROM {series}"
        ),
        format!(
            "INSERT INTO auto_top_up (account_id, is_enabled, pause, soft_declines, repeated, version, created_at, updated_at) \
             SELECT n, n % 4 = 0, CASE WHEN n % 30 = 0 THEN 'CARD_DECLINED' END, 0, 0, 1, 0, 0 FROM {series} WHERE n % 2 = 0"
        ),
        format!(
            "INSERT INTO account_finding (account_id, findings, severity, checked_at) SELECT n, \
             CASE WHEN n % 20 = 3 THEN 2 ELSE 0 END, CASE WHEN n % 20 = 3 THEN 'WARNING' END, 1700000000000 FROM {series}"
        ),
    ];
    let words = ["'team'", "'w' || (n % 997)", "'studio'", "'crm'", "CAST(n AS TEXT)"];
    statements.extend(words.map(word));
    statements.push(if is_sqlite { "ANALYZE" } else { "VACUUM ANALYZE" }.to_owned());
    ground.load(&statements).await;
}

/// Returns each condition alone, one that matches few, one that matches many, and each pair with a search.
pub(super) fn filters() -> Vec<(String, AccountFilter)> {
    let filter = AccountFilter::default;
    let searches = [
        ("frequent word", "TEAM"),
        ("rare word", "w12"),
        ("external id", "crm-77"),
        ("unknown word", "piano"),
    ];
    let searches = searches.map(|(name, text)| {
        let search = Given::parse("search", Some(text.to_owned()), AccountSearch::parse).expect("valid");
        (name, AccountFilter { search, ..filter() })
    });
    let below = |units| AccountFilter {
        available_below: Some(Credits::from_units(units)),
        ..filter()
    };
    let statuses = |statuses: AnyOf<AccountStatus>| AccountFilter { statuses, ..filter() };
    let paused = |is_paused| AccountFilter {
        auto_top_up_paused: Some(is_paused),
        ..filter()
    };
    let findings = |has_findings| AccountFilter {
        has_findings: Some(has_findings),
        ..filter()
    };
    let others = [
        ("active", statuses([AccountStatus::Active].into())),
        (
            "halted",
            statuses([AccountStatus::Frozen, AccountStatus::Closed].into()),
        ),
        ("few credits", below(100_000)),
        ("all but many credits", below(90_000_000)),
        ("paused", paused(true)),
        ("not paused", paused(false)),
        ("findings", findings(true)),
        ("no findings", findings(false)),
    ];
    let mut filters: Vec<(String, AccountFilter)> = Vec::new();
    for (name, search) in &searches {
        filters.push(((*name).to_owned(), search.clone()));
        for (other, filter) in &others {
            let search = search.search.clone();
            filters.push((
                format!("{name} and {other}"),
                AccountFilter {
                    search,
                    ..filter.clone()
                },
            ));
        }
    }
    filters.extend(others.into_iter().map(|(name, filter)| (name.to_owned(), filter)));
    filters
}
