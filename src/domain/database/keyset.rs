//! Pages of lists by keyset, with bounded work.
//!
//! A list is read in the order of its key: one column, or two. One condition may be served by an index of its own (column, then
//! key): it *drives* the scan. Each of its values is one *branch*: an ordered and limited walk along that index. The branches are
//! merged by key. All other conditions are *residual*: tested on the rows of the branches.
//!
//! Residual conditions may reject every row, so a branch reads no more than its share of [`BUDGET`]. Where a branch has used its
//! share before its end, the rows beyond the last one read are unknown. The page ends at the nearest such row, its *horizon*, and
//! reports it: [`Scan::scanned_to`]. A first statement finds the horizon by reading keys alone. A second one reads the rows up to
//! it. Conditions that reject little fill a page soon, so a modest share is tried before the full one. A page takes at most four
//! statements, whatever its filter and position.
//!
//! Rows may be added between the two statements. The second scan begins and ends where the first one did, so no row is missed in a
//! list that grows at its ends only.

use sea_orm::DbErr;
use uuid::Uuid;

use super::select::{Condition, Row, Select, Source, Value};
use crate::domain::fault::Fault;
use crate::primitives::clock::Timestamp;
use crate::primitives::ids::AccountId;
use crate::primitives::page::{Page, PageRequest};

/// Rows that a page with residual conditions reads at most, spread over its branches…
const BUDGET: i64 = 10_000;
/// …but at least this number for each branch: the longest list of values has a hundred.
const LEAST_SHARE: i64 = 500;
/// The share that is tried first, as a multiple of the requested rows.
const MODEST_PAGES: i64 = 8;

/// A position in the order of a list.
pub(in crate::domain) trait Position: Copy + Ord {
    /// Before every other position.
    const FIRST: Self;
    /// After every other position.
    const LAST: Self;
    /// The next position after this one.
    fn next(self) -> Self;
    /// The last position before this one.
    fn previous(self) -> Self;
    /// Returns one value for each column of the key.
    fn values(self) -> Vec<Value>;
    /// Reads the position from those columns of a row.
    fn read(row: &Row, key: &[&str]) -> Result<Self, DbErr>;
}

impl Position for i64 {
    const FIRST: Self = i64::MIN;
    const LAST: Self = i64::MAX;

    fn next(self) -> Self {
        self.saturating_add(1)
    }

    fn previous(self) -> Self {
        self.saturating_sub(1)
    }

    fn values(self) -> Vec<Value> {
        vec![self.into()]
    }

    fn read(row: &Row, key: &[&str]) -> Result<Self, DbErr> {
        row.try_get("", key[0])
    }
}

impl Position for (i64, i64) {
    const FIRST: Self = (i64::MIN, i64::MIN);
    const LAST: Self = (i64::MAX, i64::MAX);

    fn next(self) -> Self {
        match self.1.checked_add(1) {
            Some(second) => (self.0, second),
            None => (self.0.saturating_add(1), i64::MIN),
        }
    }

    fn previous(self) -> Self {
        match self.1.checked_sub(1) {
            Some(second) => (self.0, second),
            None => (self.0.saturating_sub(1), i64::MAX),
        }
    }

    fn values(self) -> Vec<Value> {
        vec![self.0.into(), self.1.into()]
    }

    fn read(row: &Row, key: &[&str]) -> Result<Self, DbErr> {
        Ok((row.try_get("", key[0])?, row.try_get("", key[1])?))
    }
}

impl Position for (i64, Uuid) {
    const FIRST: Self = (i64::MIN, Uuid::nil());
    const LAST: Self = (i64::MAX, Uuid::max());

    fn next(self) -> Self {
        match self.1.as_u128().checked_add(1) {
            Some(id) => (self.0, Uuid::from_u128(id)),
            None => (self.0.saturating_add(1), Uuid::nil()),
        }
    }

    fn previous(self) -> Self {
        match self.1.as_u128().checked_sub(1) {
            Some(id) => (self.0, Uuid::from_u128(id)),
            None => (self.0.saturating_sub(1), Uuid::max()),
        }
    }

    fn values(self) -> Vec<Value> {
        vec![self.0.into(), self.1.into()]
    }

    fn read(row: &Row, key: &[&str]) -> Result<Self, DbErr> {
        Ok((row.try_get("", key[0])?, row.try_get("", key[1])?))
    }
}

/// One value of the driving condition.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::domain) struct Branch {
    /// The column that comes right after the account in an index.
    pub(in crate::domain) column: &'static str,
    /// The value of that column.
    pub(in crate::domain) value: Value,
}

/// Columns of another table, which has at most one row for each row of the list. Only the rows of a page are looked up there, not those
/// that residual conditions reject.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct Beside {
    /// The columns.
    pub(in crate::domain) columns: &'static str,
    /// The table, and its condition on a row of the list, `page`: what follows LEFT JOIN.
    pub(in crate::domain) table: &'static str,
}

/// A list, or the requested part of it.
#[derive(Clone, Debug)]
pub(in crate::domain) struct Keyset<P> {
    /// The table that contains the rows.
    pub(in crate::domain) table: &'static str,
    /// The columns by which it is ordered; together unique within an account.
    pub(in crate::domain) key: &'static [&'static str],
    /// The columns to read, the key among them.
    pub(in crate::domain) columns: String,
    /// What else the rows of a page have.
    pub(in crate::domain) beside: Option<Beside>,
    /// The driving condition; empty to walk along the key itself.
    pub(in crate::domain) branches: Vec<Branch>,
    /// True when a row may come by two branches. It is returned once.
    pub(in crate::domain) has_repeats: bool,
    /// All other conditions.
    pub(in crate::domain) residuals: Vec<Condition>,
    /// The smallest key.
    pub(in crate::domain) from: P,
    /// The largest key.
    pub(in crate::domain) to: P,
    /// Whether the scan goes from the largest key to the smallest.
    pub(in crate::domain) descending: bool,
}

/// The rows that were read, in scan order: at most one more than requested.
#[derive(Debug)]
pub(in crate::domain) struct Scan<P> {
    pub(in crate::domain) rows: Vec<(P, Row)>,
    /// The horizon, where it ended the scan: all rows up to and including it were scanned.
    pub(in crate::domain) scanned_to: Option<P>,
}

impl<P: Position> Keyset<P> {
    /// Returns the list of all rows of an account, in ascending order.
    pub(in crate::domain) fn new(table: &'static str, key: &'static [&'static str], columns: String) -> Self {
        Self {
            table,
            key,
            columns,
            beside: None,
            branches: Vec::new(),
            has_repeats: false,
            residuals: Vec::new(),
            from: P::FIRST,
            to: P::LAST,
            descending: false,
        }
    }

    /// Adds a condition that an index serves. It drives the scan if it is the first one.
    pub(in crate::domain) fn drive(&mut self, condition: Condition) {
        let branches = if self.branches.is_empty() {
            condition.branches()
        } else {
            Vec::new()
        };
        // Without branches the scan would walk the whole list.
        if branches.is_empty() {
            self.residuals.push(condition);
        } else {
            self.has_repeats = matches!(condition, Condition::Any(_));
            self.branches = branches;
        }
    }

    /// Narrows the list to what lies between a page's cursors, and sets the direction. `descending` is the list's own order.
    pub(in crate::domain) fn turn_to<Q: Copy>(
        &mut self,
        descending: bool,
        request: &PageRequest<Q>,
        key: impl Fn(Q) -> P,
    ) {
        let (after, before) = (request.after.map(&key), request.before.map(&key));
        let (above, below) = if descending { (before, after) } else { (after, before) };
        self.from = above.map_or(self.from, |above| above.next().max(self.from));
        self.to = below.map_or(self.to, |below| below.previous().min(self.to));
        self.descending = descending != request.backward;
    }

    /// Reads `limit` rows, and one more if there is one.
    pub(in crate::domain) async fn scan(
        &self,
        source: &impl Source,
        account_id: AccountId,
        limit: u32,
    ) -> Result<Scan<P>, Fault> {
        if self.from > self.to || self.residuals.iter().any(Condition::matches_nothing) {
            return self.collect(Vec::new(), limit, None);
        }
        let wanted = i64::from(limit) + 1;
        if self.residuals.is_empty() {
            let reach = if self.has_repeats { 2 * wanted } else { wanted };
            let statement = self.rows_statement(source, account_id, reach, wanted);
            return self.collect(statement.all(source).await?, limit, None);
        }
        let full = self.share();
        let modest = (MODEST_PAGES * wanted / self.branch_count()).max(wanted);
        if modest < full {
            let scan = self.bounded(source, account_id, limit, modest).await?;
            if scan.scanned_to.is_none() {
                return Ok(scan);
            }
        }
        self.bounded(source, account_id, limit, full).await
    }

    /// Reads the rows before the horizon that results from this share for each branch.
    async fn bounded(
        &self,
        source: &impl Source,
        account_id: AccountId,
        limit: u32,
        share: i64,
    ) -> Result<Scan<P>, Fault> {
        let Some(ends) = self.ends(source, account_id, share).await? else {
            return self.collect(Vec::new(), limit, None);
        };
        let narrowed = Self {
            from: ends.from,
            to: ends.to,
            ..self.clone()
        };
        let statement = narrowed.rows_statement(source, account_id, share, i64::from(limit) + 1);
        self.collect(statement.all(source).await?, limit, ends.horizon)
    }

    /// Collects rows with their keys. The horizon matters only where it came before the page was full.
    fn collect(&self, rows: Vec<Row>, limit: u32, horizon: Option<P>) -> Result<Scan<P>, Fault> {
        let mut keyed = Vec::with_capacity(rows.len());
        for row in rows {
            keyed.push((P::read(&row, self.key)?, row));
        }
        keyed.dedup_by_key(|(key, _)| *key);
        keyed.truncate(limit as usize + 1);
        Ok(Scan {
            scanned_to: horizon.filter(|_| keyed.len() <= limit as usize),
            rows: keyed,
        })
    }

    fn branch_count(&self) -> i64 {
        i64::try_from(self.branches.len().max(1)).unwrap_or(BUDGET)
    }

    fn share(&self) -> i64 {
        (BUDGET / self.branch_count()).max(LEAST_SHARE)
    }

    /// The first statement: where the branches begin, and where the first branch that uses its whole share ends. `None`
    /// where no row exists.
    async fn ends(&self, source: &impl Source, account_id: AccountId, share: i64) -> Result<Option<Ends<P>>, Fault> {
        let mut near = Vec::new();
        let mut horizons = Vec::new();
        for row in self.ends_statement(source, account_id, share).all(source).await? {
            let key = P::read(&row, self.key)?;
            match row.try_get::<i64>("", "scanned")? {
                0 => near.push(key),
                scanned if scanned == share => horizons.push(key),
                _ => {}
            }
        }
        let mut ends = Ends {
            from: self.from,
            to: self.to,
            horizon: None,
        };
        if self.descending {
            let Some(near) = near.into_iter().max() else {
                return Ok(None);
            };
            ends.to = near;
            ends.horizon = horizons.into_iter().max();
            ends.from = ends.horizon.unwrap_or(self.from);
        } else {
            let Some(near) = near.into_iter().min() else {
                return Ok(None);
            };
            ends.from = near;
            ends.horizon = horizons.into_iter().min();
            ends.to = ends.horizon.unwrap_or(self.to);
        }
        Ok(Some(ends))
    }

    fn ends_statement(&self, source: &impl Source, account_id: AccountId, share: i64) -> Select {
        let key = self.key.join(", ");
        let mut select = Select::of(source, account_id, "");
        let walk = Walk::new(self, &mut select);
        let share = select.placeholder(share);
        for (n, branch) in self.padded_branches().enumerate() {
            let condition = branch.map(|branch| select.equals(branch));
            let far = walk.branch(&key, condition.as_deref(), &share);
            let near = walk.branch(&key, condition.as_deref(), "1");
            select.push(if n == 0 { "" } else { " UNION ALL " }).push(&format!(
                "SELECT {key}, scanned FROM (SELECT {key}, COUNT(*) OVER () AS scanned FROM ({far}) AS walked \
                 ORDER BY {reverse} LIMIT 1) AS far{n} UNION ALL SELECT {key}, 0 AS scanned FROM ({near}) AS near{n}",
                reverse = walk.reverse
            ));
        }
        select
    }

    /// The second statement, and the only one where there are no residual conditions.
    fn rows_statement(&self, source: &impl Source, account_id: AccountId, reach: i64, wanted: i64) -> Select {
        let mut select = Select::of(source, account_id, "");
        let walk = Walk::new(self, &mut select);
        let reach = select.placeholder(reach);
        if let Some(Beside { columns, .. }) = self.beside {
            select.push(&format!("SELECT page.*, {columns} FROM ("));
        }
        if self.branches.len() < 2 && self.residuals.is_empty() {
            let condition = self.branches.first().map(|branch| select.equals(branch.clone()));
            let rows = walk.branch(&self.columns, condition.as_deref(), &reach);
            select.push(&rows);
        } else {
            self.push_merged(&mut select, &walk, &reach, wanted);
        }
        if let Some(Beside { table, .. }) = self.beside {
            select.push(&format!(") AS page LEFT JOIN {table} ORDER BY {}", walk.order));
        }
        select
    }

    /// Adds the rows of all branches that meet the residual conditions.
    fn push_merged(&self, select: &mut Select, walk: &Walk, reach: &str, wanted: i64) {
        select.push("SELECT * FROM (");
        for (n, branch) in self.padded_branches().enumerate() {
            let condition = branch.map(|branch| select.equals(branch));
            let rows = walk.branch(&self.columns, condition.as_deref(), reach);
            select
                .push(if n == 0 { "" } else { " UNION ALL " })
                .push(&format!("SELECT * FROM ({rows}) AS branch{n}"));
        }
        select.push(") AS listed WHERE true").and_all(&self.residuals);
        let limit = if self.has_repeats { 2 * wanted } else { wanted };
        select.push(" ORDER BY ").push(&walk.order).push(" LIMIT ").bind(limit);
    }

    /// Pads the branches with ones that match nothing to a power of two. So there are few statement texts, and databases
    /// have all of them prepared.
    fn padded_branches(&self) -> impl Iterator<Item = Option<Branch>> {
        let nothing = self.branches.first().map(|branch| Branch {
            column: branch.column,
            value: branch.value.as_null(),
        });
        let count = self.branches.len().max(1).next_power_of_two();
        let branches = self.branches.iter().cloned().map(Some);
        branches.chain(std::iter::repeat(nothing)).take(count)
    }
}

impl Condition {
    /// Returns one branch for each value.
    fn branches(&self) -> Vec<Branch> {
        let branch = |column, value| Branch { column, value };
        match self {
            Self::Uuids(column, ids) => ids.iter().map(|id| branch(column, (*id).into())).collect(),
            Self::Texts(column, texts) => texts.iter().map(|text| branch(column, text.as_str().into())).collect(),
            Self::Any(conditions) => conditions.iter().flat_map(Self::branches).collect(),
            Self::Accounts(..)
            | Self::AtLeast(..)
            | Self::AtMost(..)
            | Self::Like(..)
            | Self::Plain(_)
            | Self::Around(..) => Vec::new(),
        }
    }
}

impl Select {
    fn equals(&mut self, branch: Branch) -> String {
        format!("{} = {}", branch.column, self.placeholder(branch.value))
    }
}

impl Keyset<(i64, Uuid)> {
    /// Narrows a list that is ordered by time to a range of times.
    pub(in crate::domain) fn narrow(&mut self, from: Option<Timestamp>, before: Option<Timestamp>) {
        let from = from.map(|from| (from.millis(), Uuid::nil()));
        let to = before.map(|before| (before.millis(), Uuid::nil()).previous());
        self.from = from.map_or(self.from, |from| from.max(self.from));
        self.to = to.map_or(self.to, |to| to.min(self.to));
    }
}

struct Ends<P> {
    from: P,
    to: P,
    horizon: Option<P>,
}

/// The parts that all walks of one statement have in common.
struct Walk {
    table: &'static str,
    range: String,
    order: String,
    reverse: String,
}

impl Walk {
    fn new<P: Position>(keyset: &Keyset<P>, select: &mut Select) -> Self {
        let mut places = |position: P| {
            let places: Vec<String> = position
                .values()
                .into_iter()
                .map(|value| select.placeholder(value))
                .collect();
            places.join(", ")
        };
        let (from, to) = (places(keyset.from), places(keyset.to));
        let key = keyset.key.join(", ");
        let order = |direction: &str| {
            let columns: Vec<String> = keyset
                .key
                .iter()
                .map(|column| format!("{column} {direction}"))
                .collect();
            columns.join(", ")
        };
        let (order, reverse) = if keyset.descending {
            (order("DESC"), order("ASC"))
        } else {
            (order("ASC"), order("DESC"))
        };
        Self {
            table: keyset.table,
            range: if keyset.key.len() == 1 {
                format!("{key} >= {from} AND {key} <= {to}")
            } else {
                format!("({key}) >= ({from}) AND ({key}) <= ({to})")
            },
            order,
            reverse,
        }
    }

    fn branch(&self, columns: &str, condition: Option<&str>, limit: &str) -> String {
        let Self {
            table, range, order, ..
        } = self;
        let condition = condition
            .map(|condition| format!(" AND {condition}"))
            .unwrap_or_default();
        format!(
            "SELECT {columns} FROM {table} WHERE account_id = $1{condition} AND {range} ORDER BY {order} LIMIT {limit}"
        )
    }
}

impl<P: Position> Scan<P> {
    /// Returns the requested page, in the list's order.
    pub(in crate::domain) fn into_page<T, Q>(
        self,
        request: &PageRequest<Q>,
        position: impl Fn(P) -> Q,
        mut read: impl FnMut(&Row) -> Result<T, Fault>,
    ) -> Result<Page<T, Q>, Fault> {
        let mut items = Vec::with_capacity(self.rows.len());
        for (key, row) in &self.rows {
            items.push((position(*key), read(row)?));
        }
        let mut page = Page::from_scan(items, request);
        if let Some(horizon) = self.scanned_to {
            page.scanned_to = Some(position(horizon));
            if request.backward {
                page.has_previous = true;
            } else {
                page.has_next = true;
            }
        }
        Ok(page)
    }
}
