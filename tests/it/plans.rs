//! Query plans for a log of a million entries.
//!
//! Nothing here measures time: the tests read the plans of the databases for the real statements of pages. F65: no filter makes
//! a page scan the table, and a page deep in the log costs as much as the first one.

use futures_util::StreamExt as _;
use ledgerbell::domain::filter::InstantRange;
use ledgerbell::domain::ledger::credit_log::{
    ActorKind, ActorRef, AmountRange, CreditLog, CreditLogFilter, DateRange, Direction,
};
use ledgerbell::domain::ledger::model::EntryKind;
use ledgerbell::primitives::actor::Actor;
use ledgerbell::primitives::clock::Timestamp;
use ledgerbell::primitives::credits::Credits;
use ledgerbell::primitives::ids::{AccountId, ApiKeyId, MemberId, SessionId, TopUpId};
use ledgerbell::primitives::page::{PageRequest, SortOrder};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

use crate::harness::Dice;
use crate::reading::ground::Ground;
use crate::reading::log::{any_of, instants, words};
use crate::reading::rows::{insert_account, insert_log, log_rows};

const ACCOUNT: AccountId = AccountId::from_number(7);
const ENTRIES: i64 = 1_000_000;
/// The maximum number of rows that one page may read in all its statements. For a list of a hundred values: 500 each, twice,
/// after a small first try.
const MOST_VISITED: i64 = 2 * 50_000 + 15_000;

/// Inserts a million entries: a few kinds, of which one is the most frequent, some hundred members, sessions of two entries
/// each.
async fn load(ground: &Ground) {
    let is_sqlite = ground.backend() == DbBackend::Sqlite;
    insert_account(ground, ACCOUNT, "Europe/Berlin").await;
    let uuid = |room: &str, number: &str| {
        if is_sqlite {
            format!("unhex(printf('{room}%031x', {number}))")
        } else {
            format!("CAST('{room}' || lpad(to_hex({number}), 31, '0') AS uuid)")
        }
    };
    let series = if is_sqlite {
        format!(
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ENTRIES}) SELECT n FROM s) AS s"
        )
    } else {
        format!("generate_series(CAST(1 AS BIGINT), {ENTRIES}) AS s(n)")
    };
    let hash = if is_sqlite {
        "zeroblob(32)"
    } else {
        "decode(repeat('00', 32), 'hex')"
    };
    let insert = format!(
        "INSERT INTO credit_entry (account_id, sequence, id, occurred_at, kind, contra, amount, balance_after, description, \
         actor_kind, actor_key_id, actor_member_id, member_id, session_id, top_up_id, taken_back, search_text, hash_version, hash) \
         SELECT {account}, n, {id}, 1700000000000 + n * 60000, \
         CASE WHEN n % 10 < 8 THEN 'SESSION' WHEN n % 1000 = 9 THEN 'GRANT' ELSE 'SESSION_REFUND' END, 'SESSION_REVENUE', \
         CASE WHEN n % 10 < 8 THEN -10000 - n % 977 ELSE 20000 END, 5, 'Lesson ' || (n % 100), \
         CASE WHEN n % 3 = 0 THEN 'API_KEY' WHEN n % 3 = 1 THEN 'MEMBER' ELSE 'SYSTEM' END, \
         CASE WHEN n % 3 = 0 THEN {key} END, CASE WHEN n % 3 = 1 THEN {actor} END, CASE WHEN n % 7 > 0 THEN {member} END, \
         CASE WHEN n % 10 < 8 THEN {session} END, CASE WHEN n % 200 = 9 THEN {top_up} END, 0, ' lesson ' || (n % 100), 1, {hash} \
         FROM {series}",
        account = ACCOUNT.number(),
        id = uuid("9", "n"),
        key = uuid("2", "n % 5"),
        actor = uuid("1", "n % 40"),
        member = uuid("1", "n % 211"),
        session = uuid("3", "n / 20"),
        top_up = uuid("4", "n"),
    );
    // Indexes are created afterwards, all at once: that takes a third of the time.
    let indexes = if is_sqlite {
        "SELECT name, sql AS made FROM sqlite_master WHERE type = 'index' AND tbl_name = 'credit_entry' AND sql IS NOT NULL"
    } else {
        "SELECT CAST(indexname AS text) AS name, indexdef AS made FROM pg_indexes WHERE tablename = 'credit_entry' \
         AND indexname <> 'credit_entry_pkey'"
    };
    let statement = Statement::from_string(ground.backend(), indexes);
    let indexes = ground.database.read().query_all_raw(statement).await.expect("reads");
    let indexes: Vec<(String, String)> = indexes
        .iter()
        .map(|row| {
            (
                row.try_get("", "name").expect("a name"),
                row.try_get("", "made").expect("a text"),
            )
        })
        .collect();
    assert!(indexes.len() > 5);
    let mut statements: Vec<String> = indexes.iter().map(|(name, _)| format!("DROP INDEX {name}")).collect();
    statements.push(insert);
    statements.extend(indexes.into_iter().map(|(_, made)| made));
    statements.push(
        if is_sqlite {
            "ANALYZE"
        } else {
            "VACUUM ANALYZE credit_entry"
        }
        .to_owned(),
    );
    ground.load(&statements).await;
}

fn uuid(room: u128, number: u128) -> Uuid {
    Uuid::from_u128(room << 124 | number)
}

/// Returns each dimension of the filter, with values that match much, little, or many at once.
#[allow(clippy::too_many_lines, reason = "a plain list")]
fn dimensions() -> Vec<(&'static str, CreditLogFilter)> {
    let filter = CreditLogFilter::default;
    let members = |numbers: std::ops::Range<u128>| any_of(numbers.map(|number| MemberId::from_uuid(uuid(1, number))));
    let actor_members =
        |numbers: std::ops::Range<u128>| numbers.map(|number| ActorRef::Member(MemberId::from_uuid(uuid(1, number))));
    let actor_keys =
        |numbers: std::ops::Range<u128>| numbers.map(|number| ActorRef::ApiKey(ApiKeyId::from_uuid(uuid(2, number))));
    let day = |day| chrono::NaiveDate::from_ymd_opt(2024, 9, day);
    vec![
        (
            "actorKinds",
            CreditLogFilter {
                actor_kinds: [ActorKind::Member, ActorKind::PaymentGateway].into(),
                ..filter()
            },
        ),
        (
            "actorIds: a member",
            CreditLogFilter {
                actors: any_of(actor_members(3..4)),
                ..filter()
            },
        ),
        (
            "actorIds: many",
            CreditLogFilter {
                actors: any_of(actor_members(0..90).chain(actor_keys(0..6))),
                ..filter()
            },
        ),
        (
            "dates",
            CreditLogFilter {
                dates: DateRange::new("filter.dates", (day(2), day(20)), None).expect("valid"),
                ..filter()
            },
        ),
        (
            "kinds: one",
            CreditLogFilter {
                kinds: [EntryKind::Session].into(),
                ..filter()
            },
        ),
        (
            "kinds: all",
            CreditLogFilter {
                kinds: any_of(EntryKind::ALL.iter().copied()),
                ..filter()
            },
        ),
        (
            "kinds: none there",
            CreditLogFilter {
                kinds: [EntryKind::Chargeback].into(),
                ..filter()
            },
        ),
        (
            "direction",
            CreditLogFilter {
                direction: Some(Direction::Added),
                ..filter()
            },
        ),
        (
            "memberIds: one",
            CreditLogFilter {
                member_ids: members(5..6),
                ..filter()
            },
        ),
        (
            "memberIds: many",
            CreditLogFilter {
                member_ids: members(0..100),
                ..filter()
            },
        ),
        (
            "sessionIds",
            CreditLogFilter {
                session_ids: any_of((1_000..1_100).map(|number| SessionId::from_uuid(uuid(3, number)))),
                ..filter()
            },
        ),
        (
            "topUpIds",
            CreditLogFilter {
                top_up_ids: any_of((0..50).map(|number| TopUpId::from_uuid(uuid(4, number * 200 + 9)))),
                ..filter()
            },
        ),
        (
            "occurredAt",
            CreditLogFilter {
                occurred_at: instants(
                    Some(Timestamp::from_millis(1_700_000_000_000 + 100_000 * 60_000)),
                    Some(Timestamp::from_millis(1_700_000_000_000 + 900_000 * 60_000)),
                ),
                ..filter()
            },
        ),
        (
            "amount",
            CreditLogFilter {
                amount: AmountRange::new(
                    "filter.amount",
                    Some(Credits::from_units(10_970)),
                    Some(Credits::from_units(10_976)),
                )
                .expect("valid"),
                ..filter()
            },
        ),
        (
            "search",
            CreditLogFilter {
                search: words("less 77"),
                ..filter()
            },
        ),
        (
            "search: nothing",
            CreditLogFilter {
                search: words("piano"),
                ..filter()
            },
        ),
    ]
}

/// Combines two filters; `None` if they are about the same dimension.
fn both(one: &CreditLogFilter, other: &CreditLogFilter) -> Option<CreditLogFilter> {
    fn join<T: Clone + Default + PartialEq>(one: &T, other: &T) -> Result<T, ()> {
        let nothing = T::default();
        match (*one == nothing, *other == nothing) {
            (false, false) => Err(()),
            (false, true) => Ok(one.clone()),
            (true, _) => Ok(other.clone()),
        }
    }
    let joined = || {
        Ok::<_, ()>(CreditLogFilter {
            actor_kinds: join(&one.actor_kinds, &other.actor_kinds)?,
            actors: join(&one.actors, &other.actors)?,
            dates: join(&one.dates, &other.dates)?,
            kinds: join(&one.kinds, &other.kinds)?,
            direction: join(&one.direction, &other.direction)?,
            member_ids: join(&one.member_ids, &other.member_ids)?,
            session_ids: join(&one.session_ids, &other.session_ids)?,
            top_up_ids: join(&one.top_up_ids, &other.top_up_ids)?,
            occurred_at: join(&one.occurred_at, &other.occurred_at)?,
            amount: join(&one.amount, &other.amount)?,
            search: join(&one.search, &other.search)?,
        })
    };
    joined().ok()
}

fn all_filters() -> Vec<(String, CreditLogFilter)> {
    let dimensions = dimensions();
    let mut filters = vec![("no filter".to_owned(), CreditLogFilter::default())];
    for (at, (name, filter)) in dimensions.iter().enumerate() {
        filters.push(((*name).to_owned(), filter.clone()));
        for (other_name, other) in &dimensions[..at] {
            filters.extend(both(filter, other).map(|filter| (format!("{name} and {other_name}"), filter)));
        }
    }
    filters
}

async fn page(ground: &Ground, filter: &CreditLogFilter, order: SortOrder, after: Option<i64>) -> Vec<Statement> {
    let request = PageRequest::forward(50, after);
    let log = CreditLog::new(ground.database.clone());
    ground.take_asked();
    log.page(&Actor::System, ACCOUNT, filter, order, &request)
        .await
        .expect("a page");
    ground.take_asked()
}

/// Returns the statements of the first chunk of an export that begins in the middle of the log.
async fn chunk(ground: &Ground, filter: &CreditLogFilter) -> Vec<Statement> {
    let from = Some(Timestamp::from_millis(1_700_000_000_000 + ENTRIES / 2 * 60_000));
    let filter = CreditLogFilter {
        occurred_at: instants(from, None),
        ..filter.clone()
    };
    let log = CreditLog::new(ground.database.clone());
    let chunks = log.export(&Actor::System, ACCOUNT, &filter).await.expect("exports");
    ground.take_asked();
    let first = std::pin::pin!(chunks).next().await.expect("a chunk");
    assert!(!first.expect("entries").is_empty());
    ground.take_asked()
}

async fn explain(ground: &Ground, how: &str, statement: &Statement) -> Vec<sea_orm::QueryResult> {
    let mut explained = statement.clone();
    explained.sql = format!("{how} {}", statement.sql);
    ground.database.read().query_all_raw(explained).await.expect("explains")
}

#[tokio::test]
async fn f65_no_filter_makes_sqlite_walk_through_the_log() {
    let ground = Ground::sqlite().await;
    load(&ground).await;
    for (name, filter) in all_filters() {
        for order in [SortOrder::NewestFirst, SortOrder::OldestFirst] {
            for statement in page(&ground, &filter, order, Some(500_000)).await {
                for row in explain(&ground, "EXPLAIN QUERY PLAN", &statement).await {
                    let step: String = row.try_get("", "detail").expect("a detail");
                    let walks = step.starts_with("SCAN credit_entry");
                    assert!(!walks, "{name} {order:?}: {step}\n{}", statement.sql);
                    if step.starts_with("SEARCH credit_entry") {
                        // Without a bound on the sequence, a page would begin at the end of the log, however deep it is.
                        let bounded = step.contains("sequence>? AND sequence<?") || step.contains("occurred_at");
                        assert!(bounded, "{name} {order:?}: {step}\n{}", statement.sql);
                    }
                }
            }
        }
    }
    sums_use_an_index(&ground).await;
}

/// The work of a statement's plan on Postgres, summed over its steps.
#[derive(Debug, Default)]
struct Effort {
    rows: i64,
    buffers: i64,
    walks: bool,
}

impl Effort {
    fn add(&mut self, step: &serde_json::Value) {
        let number = |name: &str| step[name].as_f64().unwrap_or_default();
        if step["Relation Name"] == "credit_entry" || step["Node Type"] == "Bitmap Index Scan" {
            self.walks |= step["Node Type"].as_str().is_some_and(|name| name.contains("Seq Scan"));
            let removed = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
            #[allow(clippy::cast_possible_truncation, reason = "counts of rows")]
            let visited = (number("Actual Loops") * (number("Actual Rows") + removed)) as i64;
            self.rows += visited;
        }
        for child in step["Plans"].as_array().into_iter().flatten() {
            self.add(child);
        }
    }
}

async fn effort(ground: &Ground, statements: &[Statement]) -> Effort {
    let mut effort = Effort::default();
    for statement in statements {
        let rows = explain(ground, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)", statement).await;
        let plan: serde_json::Value = rows[0].try_get_by_index(0).expect("a plan");
        let top = &plan[0]["Plan"];
        effort.add(top);
        effort.buffers += ["Shared Hit Blocks", "Shared Read Blocks"]
            .iter()
            .map(|name| top[*name].as_i64().unwrap_or_default())
            .sum::<i64>();
    }
    effort
}

/// A small table is scanned, which is right. But a list that is cast from a text would be parsed again for each of its rows.
#[tokio::test]
async fn lists_are_constants_in_plans_for_small_tables() {
    let Some(ground) = Ground::postgres().await else { return };
    insert_account(&ground, ACCOUNT, "Europe/Berlin").await;
    insert_log(&ground, ACCOUNT, &log_rows(&mut Dice::new(1), 200, 1_700_000_000_000)).await;
    let mut lists = 0;
    for (name, filter) in all_filters() {
        for statement in page(&ground, &filter, SortOrder::NewestFirst, None).await {
            for row in explain(&ground, "EXPLAIN", &statement).await {
                let step: String = row.try_get_by_index(0).expect("a step");
                lists += usize::from(step.contains("= ANY ("));
                let is_parsed = step.contains(")::uuid[]") || step.contains(")::text[]");
                assert!(!is_parsed, "{name}: {step}");
            }
        }
    }
    assert!(lists > 0, "some filter is a list");
}

#[tokio::test]
async fn f65_no_filter_makes_postgres_walk_through_the_log() {
    let Some(ground) = Ground::postgres().await else { return };
    load(&ground).await;
    for (name, filter) in all_filters() {
        for order in [SortOrder::NewestFirst, SortOrder::OldestFirst] {
            let statements = page(&ground, &filter, order, Some(500_000)).await;
            let effort = effort(&ground, &statements).await;
            assert!(
                !effort.walks && effort.rows <= MOST_VISITED,
                "{name} {order:?}: {effort:?}\n{statements:#?}"
            );
        }
    }
    let singles = dimensions()
        .into_iter()
        .chain([("no filter", CreditLogFilter::default())]);
    for (name, filter) in singles
        .filter(|(_, filter)| filter.dates == DateRange::default() && filter.occurred_at == InstantRange::default())
    {
        let first = effort(&ground, &page(&ground, &filter, SortOrder::NewestFirst, None).await).await;
        let deep = effort(
            &ground,
            &page(&ground, &filter, SortOrder::NewestFirst, Some(300_000)).await,
        )
        .await;
        assert!(
            deep.rows <= first.rows + first.rows / 5 + 100 && deep.buffers <= first.buffers + first.buffers / 5 + 100,
            "{name}: first {first:?}, deep {deep:?}"
        );
    }
    sums_use_an_index(&ground).await;
}

/// A chunk reads a session for each of its lines, and for no entry that the filter rejects.
#[tokio::test]
async fn a_chunk_of_an_export_reads_the_sessions_of_its_lines_by_their_key() {
    let searched = CreditLogFilter {
        search: words("less 77"),
        ..CreditLogFilter::default()
    };
    for ground in Ground::each().await {
        load(&ground).await;
        load_sessions(&ground).await;
        for filter in [&CreditLogFilter::default(), &searched] {
            let statements = chunk(&ground, filter).await;
            let statement = statements.last().expect("a statement");
            assert!(statement.sql.contains(" LEFT JOIN session "), "{}", statement.sql);
            if ground.backend() == DbBackend::Sqlite {
                let steps = explain(&ground, "EXPLAIN QUERY PLAN", statement).await;
                let steps = steps
                    .iter()
                    .map(|row| row.try_get::<String>("", "detail").expect("a detail"));
                let steps: Vec<String> = steps.collect();
                let looks_up =
                    |step: &String| step.starts_with("SEARCH s USING") && step.contains("account_id=? AND id=?");
                assert!(steps.iter().any(looks_up), "{steps:#?}");
            } else {
                let rows = explain(&ground, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON)", statement).await;
                let plan: serde_json::Value = rows[0].try_get_by_index(0).expect("a plan");
                let looked_up = lookups(&plan[0]["Plan"]);
                assert!((1.0..=1_001.0).contains(&looked_up), "{looked_up}: {plan:#}");
            }
        }
    }
}

/// Inserts the sessions of all entries, and others: so many that reading all of them costs more than finding those of a chunk.
async fn load_sessions(ground: &Ground) {
    let (session, member, series) = if ground.backend() == DbBackend::Sqlite {
        let series =
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 200000) SELECT n FROM s) AS s";
        ("unhex(printf('3%031x', n))", "zeroblob(16)", series)
    } else {
        let session = "CAST('3' || lpad(to_hex(n), 31, '0') AS uuid)";
        (
            session,
            "CAST('1' || repeat('0', 31) AS uuid)",
            "generate_series(1, 200000) AS s(n)",
        )
    };
    let insert = format!(
        "INSERT INTO session (account_id, id, member_id, title, status, starts_at, ends_at, booked, held, refunded, booked_at, \
         hold_expires_at, search_text, processing_announced) \
         SELECT {}, {session}, {member}, 'Lesson ' || n, 'COMPLETED', 0, 0, 1, 0, 0, 0, 0, ' lesson', true FROM {series}",
        ACCOUNT.number()
    );
    ground.load(&[insert, "ANALYZE session".to_owned()]).await;
}

/// Returns how often a plan of Postgres looks up a session by its key; infinite if it reads sessions in another way.
fn lookups(step: &serde_json::Value) -> f64 {
    let own = match (step["Relation Name"].as_str(), step["Index Name"].as_str()) {
        (Some("session"), Some("session_pkey")) => step["Actual Loops"].as_f64().unwrap_or(f64::INFINITY),
        (Some("session"), _) => f64::INFINITY,
        _ => 0.0,
    };
    let children = step["Plans"].as_array().into_iter().flatten();
    own + children.map(lookups).sum::<f64>()
}

/// Sums read all matching rows: they may scan the log only if the account is the only restriction.
async fn sums_use_an_index(ground: &Ground) {
    let log = CreditLog::new(ground.database.clone());
    for (name, filter) in dimensions() {
        if ![
            "sessionIds",
            "topUpIds",
            "memberIds: one",
            "actorIds: a member",
            "dates",
        ]
        .contains(&name)
        {
            continue;
        }
        ground.take_asked();
        log.totals(&Actor::System, ACCOUNT, &filter).await.expect("totals");
        for statement in ground.take_asked() {
            let how = if ground.backend() == DbBackend::Sqlite {
                "EXPLAIN QUERY PLAN"
            } else {
                "EXPLAIN"
            };
            let column = if ground.backend() == DbBackend::Sqlite { 3 } else { 0 };
            for row in explain(ground, how, &statement).await {
                let step: String = row.try_get_by_index(column).expect("a step");
                let walks = step.starts_with("SCAN credit_entry") || step.contains("Seq Scan on credit_entry");
                assert!(!walks, "{name}: {step}");
            }
        }
    }
}

/// Names are looked up by their ids, however many members and sessions an account has.
#[tokio::test]
async fn names_are_looked_up_by_their_ids() {
    for ground in Ground::each().await {
        let is_sqlite = ground.backend() == DbBackend::Sqlite;
        insert_account(&ground, ACCOUNT, "UTC").await;
        if !is_sqlite {
            // Postgres rightly scans a small table.
            ground.load(&many_names()).await;
        }
        let log = CreditLog::new(ground.database.clone());
        let (members, sessions) = ([1, 2], [3, 4]);
        let members = members.map(|number| MemberId::from_uuid(uuid(10, number)));
        let sessions = sessions.map(|number| SessionId::from_uuid(uuid(11, number)));
        ground.take_asked();
        let names = log.names(&Actor::System, ACCOUNT, &members, &sessions).await;
        let names = names.expect("names");
        let statements = ground.take_asked();
        assert_eq!(statements.len(), 1);
        let (how, column) = if is_sqlite {
            ("EXPLAIN QUERY PLAN", 3)
        } else {
            ("EXPLAIN", 0)
        };
        for row in explain(&ground, how, &statements[0]).await {
            let step: String = row.try_get_by_index(column).expect("a step");
            let walks =
                step.starts_with("SCAN member") || step.starts_with("SCAN session") || step.contains("Seq Scan");
            assert!(!walks, "{step}");
        }
        if !is_sqlite {
            assert_eq!(names.members[&members[0]].text, "Member 1");
            assert_eq!(names.sessions[&sessions[1]].text, "Lesson 4");
            assert_eq!((names.members.len(), names.sessions.len()), (2, 2));
        }
    }
}

/// Returns statements that insert ten thousand members and as many sessions on Postgres.
fn many_names() -> [String; 3] {
    let id = |room: &str, number: &str| format!("CAST('{room}' || lpad(to_hex({number}), 31, '0') AS uuid)");
    let (account, member, session) = (ACCOUNT.number(), id("a", "n"), id("b", "n"));
    [
        format!(
            "INSERT INTO member (account_id, id, name, role, version, created_at) \
             SELECT {account}, {member}, 'Member ' || n, 'MEMBER', 1, 0 FROM generate_series(1, 10000) AS s(n)"
        ),
        format!(
            "INSERT INTO session (account_id, id, member_id, title, status, starts_at, ends_at, booked, held, refunded, booked_at, \
             hold_expires_at, search_text, processing_announced) SELECT {account}, {session}, {member}, 'Lesson ' || n, 'EXPIRED', \
             0, 1, 10000, 0, 0, 0, 1, '', true FROM generate_series(1, 10000) AS s(n)"
        ),
        "VACUUM ANALYZE member, session".to_owned(),
    ]
}
