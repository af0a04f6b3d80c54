//! Judges each statement that the tests send to Postgres with one account in a transaction: could a sharded database run it?
//!
//! A statement about an account names it, as `account_id = $n`, on each table that is distributed by account. Others must be on
//! the list [`ACROSS`], with their reason, and have a form that is run on all servers at once. The rules are those of Citus; see
//! "Several servers" in `docs/operating.md`.
//!
//! It begins with `LEDGERBELL_TEST_ACCOUNTS_PER_TRANSACTION=1`, on Postgres. A statement that breaks a rule fails the test that
//! ends next.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledgerbell::domain::database::Database;
use sea_orm::DbBackend;
use sqlparser::ast::{
    BinaryOperator, Expr, FromTable, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr,
    Statement, TableFactor, TableWithJoins, Value, Visit as _, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::across::ACROSS;

/// The tables that are not distributed: see the crate `migration`.
pub(crate) const GLOBAL_TABLES: [&str; 7] = [
    "installation",
    "account_directory",
    "api_key",
    "gateway_object",
    "webhook_inbox",
    "quota",
    "seaql_migrations",
];

/// The statements so far, in any test of this process.
struct Judged {
    texts: BTreeSet<String>,
    /// Those that break a rule, with the rule.
    broken: BTreeMap<String, String>,
}

fn judged() -> MutexGuard<'static, Judged> {
    static JUDGED: Mutex<Judged> = Mutex::new(Judged {
        texts: BTreeSet::new(),
        broken: BTreeMap::new(),
    });
    JUDGED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has each statement judged, where the tests run on Postgres with one account in a transaction.
pub(super) fn observe(database: Database) -> Database {
    let accounts = std::env::var("LEDGERBELL_TEST_ACCOUNTS_PER_TRANSACTION");
    if database.backend() != DbBackend::Postgres || accounts.as_deref() != Ok("1") {
        return database;
    }
    database.observed_by(|statement| {
        let mut judged = judged();
        if judged.texts.insert(statement.sql.clone())
            && let Err(rule) = judge(&statement.sql)
        {
            judged.broken.insert(statement.sql.clone(), rule);
        }
    })
}

/// Fails if a statement of any test so far breaks a rule.
pub(super) fn assert_shardable() {
    let broken = std::mem::take(&mut judged().broken);
    let list: Vec<String> = broken.iter().map(|(sql, rule)| format!("{rule}:\n{sql}")).collect();
    assert!(list.is_empty(), "a sharded database cannot run:\n{}", list.join("\n\n"));
}

/// Returns the rule that a statement breaks.
pub(crate) fn judge(sql: &str) -> Result<(), String> {
    let statements =
        Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| format!("it cannot be parsed: {error}"))?;
    let mut reader = Reader::default();
    for statement in &statements {
        let ControlFlow::Continue(()) = statement.visit(&mut reader);
    }
    if reader.unnamed.is_empty() {
        return Ok(());
    }
    let tables: Vec<&str> = reader.unnamed.iter().map(String::as_str).collect();
    let Some((_, reason)) = ACROSS.iter().find(|(beginning, _)| sql.starts_with(beginning)) else {
        return Err(format!("it does not name the account on {}", tables.join(", ")));
    };
    assert!(!reason.is_empty(), "{sql}");
    if reader.has_subquery_in_list {
        return Err(
            "across accounts, a sub-select over a distributed table in the list of columns is refused".to_owned(),
        );
    }
    if sql.contains("LATERAL") && sql.contains("json_to_recordset") || sql.contains("SKIP LOCKED") {
        return Err("across accounts, LATERAL beside given rows and SKIP LOCKED are refused".to_owned());
    }
    Ok(())
}

/// What a statement reads and writes.
#[derive(Default)]
struct Reader {
    /// Names that a WITH clause defines.
    defined: BTreeSet<String>,
    /// Distributed tables on which no account is named.
    unnamed: BTreeSet<String>,
    has_subquery_in_list: bool,
}

impl Visitor for Reader {
    type Break = std::convert::Infallible;

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<Self::Break> {
        let mut scope = Scope::default();
        match statement {
            Statement::Update(update) => {
                scope.add_table(&update.table);
                if let Some(from) = &update.from {
                    let (sqlparser::ast::UpdateTableFromKind::BeforeSet(from)
                    | sqlparser::ast::UpdateTableFromKind::AfterSet(from)) = from;
                    scope.add_tables(from);
                }
                scope.add_condition(update.selection.as_ref());
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                scope.add_tables(from);
                scope.add_tables(delete.using.as_deref().unwrap_or_default());
                scope.add_condition(delete.selection.as_ref());
            }
            _ => return ControlFlow::Continue(()),
        }
        self.end(&scope);
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if let Some(with) = &query.with {
            self.defined
                .extend(with.cte_tables.iter().map(|table| table.alias.name.value.clone()));
        }
        self.read(&query.body);
        ControlFlow::Continue(())
    }
}

impl Reader {
    fn read(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => {
                let mut scope = Scope::default();
                scope.add_tables(&select.from);
                scope.add_condition(select.selection.as_ref());
                self.end(&scope);
                self.has_subquery_in_list |= has_subquery(select);
            }
            // Queries in parentheses are visited by themselves.
            SetExpr::SetOperation { left, right, .. } => {
                self.read(left);
                self.read(right);
            }
            _ => {}
        }
    }

    fn end(&mut self, scope: &Scope) {
        let unnamed = scope.unnamed();
        self.unnamed.extend(
            unnamed
                .filter(|table| !self.defined.contains(*table))
                .map(str::to_owned),
        );
    }
}

fn has_subquery(select: &Select) -> bool {
    struct Finder(bool);
    impl Visitor for Finder {
        type Break = std::convert::Infallible;
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Self::Break> {
            self.0 = true;
            ControlFlow::Continue(())
        }
    }
    let mut finder = Finder(false);
    for item in &select.projection {
        if let SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } = item {
            let ControlFlow::Continue(()) = expression.visit(&mut finder);
        }
    }
    finder.0
}

/// The tables of one FROM clause, and the equalities between their accounts.
#[derive(Default)]
struct Scope {
    /// Distributed tables, by their alias.
    tables: BTreeMap<String, String>,
    /// Aliases whose accounts are equal.
    equal: Vec<(String, String)>,
    /// Aliases of which the second one's account is the first one's, by a left join.
    outer: Vec<(String, String)>,
    /// Aliases whose account is a parameter.
    named: BTreeSet<String>,
    conditions: Vec<Expr>,
}

impl Scope {
    fn add_tables(&mut self, tables: &[TableWithJoins]) {
        for table in tables {
            self.add_table(table);
        }
    }

    fn add_table(&mut self, table: &TableWithJoins) {
        self.add_factor(&table.relation);
        for join in &table.joins {
            let known: BTreeSet<String> = self.tables.keys().cloned().collect();
            self.add_factor(&join.relation);
            match &join.join_operator {
                JoinOperator::Join(JoinConstraint::On(condition))
                | JoinOperator::Inner(JoinConstraint::On(condition))
                | JoinOperator::CrossJoin(JoinConstraint::On(condition)) => self.conditions.push(condition.clone()),
                // It restricts the rows that are added, not those that they are added to.
                JoinOperator::Left(JoinConstraint::On(condition))
                | JoinOperator::LeftOuter(JoinConstraint::On(condition)) => self.add_outer(&known, condition),
                _ => {}
            }
        }
    }

    /// Reads the condition of a left join: the accounts of the tables before it name those that it adds, never the reverse.
    fn add_outer(&mut self, known: &BTreeSet<String>, condition: &Expr) {
        let mut joined = Self {
            tables: self.tables.clone(),
            ..Self::default()
        };
        joined.split(condition);
        self.named
            .extend(joined.named.into_iter().filter(|alias| !known.contains(alias)));
        for (one, other) in joined.equal {
            match (known.contains(&one), known.contains(&other)) {
                (true, false) => self.outer.push((one, other)),
                (false, true) => self.outer.push((other, one)),
                _ => {}
            }
        }
    }

    fn add_factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                let name = last(name);
                if !GLOBAL_TABLES.contains(&name.as_str()) && !name.starts_with("pg_") {
                    let alias = alias
                        .as_ref()
                        .map_or_else(|| name.clone(), |alias| alias.name.value.clone());
                    self.tables.insert(alias, name);
                }
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.add_table(table_with_joins),
            // Functions; and sub-selects, which are visited by themselves.
            _ => {}
        }
    }

    fn add_condition(&mut self, condition: Option<&Expr>) {
        self.conditions.extend(condition.cloned());
        for condition in std::mem::take(&mut self.conditions) {
            self.split(&condition);
        }
    }

    fn split(&mut self, condition: &Expr) {
        match condition {
            Expr::Nested(inner) => self.split(inner),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                self.split(left);
                self.split(right);
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => match (self.account_of(left), self.account_of(right)) {
                (Some(one), Some(other)) => self.equal.push((one, other)),
                (Some(alias), None) if is_parameter(right) => self.named.extend([alias]),
                (None, Some(alias)) if is_parameter(left) => self.named.extend([alias]),
                _ => {}
            },
            _ => {}
        }
    }

    /// Returns the alias of the table whose account the expression is.
    fn account_of(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [alias, column] if column.value == "account_id" => Some(alias.value.clone()),
                _ => None,
            },
            Expr::Identifier(column) if column.value == "account_id" => self.tables.keys().next().cloned(),
            _ => None,
        }
    }

    fn unnamed(&self) -> impl Iterator<Item = &str> {
        let mut named = self.named.clone();
        loop {
            let known = named.len();
            for (one, other) in &self.equal {
                if named.contains(one) || named.contains(other) {
                    named.extend([one.clone(), other.clone()]);
                }
            }
            for (one, other) in &self.outer {
                if named.contains(one) {
                    named.insert(other.clone());
                }
            }
            if named.len() == known {
                break;
            }
        }
        let tables = self.tables.iter();
        tables
            .filter(move |(alias, _)| !named.contains(*alias))
            .map(|(_, name)| name.as_str())
    }
}

fn is_parameter(expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => matches!(value.value, Value::Placeholder(_) | Value::Number(..)),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_parameter(expr),
        _ => false,
    }
}

fn last(name: &ObjectName) -> String {
    let part = name.0.last().and_then(|part| part.as_ident());
    part.map(|ident| ident.value.clone()).unwrap_or_default()
}
