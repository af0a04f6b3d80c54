//! The parts that the filters of lists have in common.
//!
//! Called by the filters of the modules, and by the shells, which parse a request into them. Each part is checked when it is made, so
//! a filter is valid by construction. Its default restricts nothing. Parts with the same meaning are equal.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use super::database::select::Condition;
use super::fault::{Fault, InvalidInput};
use crate::primitives::clock::Timestamp;

/// Values in one list of a request, at most.
const MAX_VALUES: usize = 100;

/// Refuses a list that is longer than any request needs, before anything is read.
pub fn check_count(field: &'static str, count: usize) -> Result<(), InvalidInput> {
    if count > MAX_VALUES {
        return Err(InvalidInput::new(field, format!("at most {MAX_VALUES} values")));
    }
    Ok(())
}

/// Returns a text that identifies a list's filter or order: page cursors are bound to it. A change of a
/// field's name changes the text; `tests/it/reading/keys.rs` pins it.
pub fn key(part: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(part).map_err(|error| Fault::Internal(format!("a list has no key: {error}")))
}

/// Allows any of these values: sorted, without repeats, at most 100. The default allows every value, an empty list none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnyOf<T>(Option<Vec<T>>);

impl<T> Default for AnyOf<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord> AnyOf<T> {
    /// Allows the values of a list; every value where there is no list.
    pub fn new(field: &'static str, list: Option<Vec<impl Into<T>>>) -> Result<Self, InvalidInput> {
        Self::parse(field, list, |value| Some(value.into()))
    }

    /// Parses each value of a list. A value for which `parse` returns `None` matches nothing.
    pub fn parse<U>(
        field: &'static str,
        list: Option<Vec<U>>,
        parse: impl FnMut(U) -> Option<T>,
    ) -> Result<Self, InvalidInput> {
        let Some(list) = list else {
            return Ok(Self(None));
        };
        check_count(field, list.len())?;
        Ok(Self::sorted(list.into_iter().filter_map(parse)))
    }

    fn sorted(values: impl IntoIterator<Item = T>) -> Self {
        let values: BTreeSet<T> = values.into_iter().collect();
        Self(Some(values.into_iter().collect()))
    }

    /// The allowed values; `None` where every value is allowed.
    pub fn values(&self) -> Option<&[T]> {
        self.0.as_deref()
    }

    /// Whether the value is allowed.
    pub fn allows(&self, value: &T) -> bool {
        self.0.as_ref().is_none_or(|values| values.contains(value))
    }

    /// Allows this value alone, if it was allowed.
    pub fn restrict_to(&mut self, value: T) {
        let allowed = self.allows(&value).then_some(value);
        self.0 = Some(allowed.into_iter().collect());
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for AnyOf<T> {
    fn from(values: [T; N]) -> Self {
        const { assert!(N <= MAX_VALUES) };
        Self::sorted(values)
    }
}

impl<T: Copy> AnyOf<T> {
    /// The condition that a column is one of these ids.
    pub(in crate::domain) fn uuids(&self, column: &'static str) -> Option<Condition>
    where
        T: Into<Uuid>,
    {
        let values = self.0.as_ref()?.iter();
        Some(Condition::Uuids(column, values.map(|value| (*value).into()).collect()))
    }

    /// The condition that a column is one of these names.
    pub(in crate::domain) fn texts(&self, column: &'static str, name: impl Fn(T) -> &'static str) -> Option<Condition> {
        let names: BTreeSet<&str> = self.0.as_ref()?.iter().map(|value| name(*value)).collect();
        Some(Condition::Texts(column, names.into_iter().map(str::to_owned).collect()))
    }
}

/// A parsed text. It is serialized as the client gave it, so that page cursors are bound to that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Given<T> {
    text: Option<String>,
    #[serde(skip)]
    parsed: T,
}

impl<T> Given<T> {
    /// Parses the text.
    pub fn parse(
        field: &'static str,
        text: Option<String>,
        parse: fn(&'static str, Option<&str>) -> Result<T, InvalidInput>,
    ) -> Result<Self, InvalidInput> {
        let parsed = parse(field, text.as_deref())?;
        Ok(Self { text, parsed })
    }

    /// What the text means.
    pub const fn parsed(&self) -> &T {
        &self.parsed
    }
}

/// Instants from one (inclusive) to another (exclusive).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InstantRange {
    from: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl InstantRange {
    /// Refuses a range that ends before it begins.
    pub fn new(field: &'static str, from: Option<Timestamp>, before: Option<Timestamp>) -> Result<Self, InvalidInput> {
        match (from, before) {
            (Some(from), Some(before)) if from > before => {
                Err(InvalidInput::new(field, "from must not be after before"))
            }
            _ => Ok(Self { from, before }),
        }
    }

    /// The earliest instant, inclusive; unbounded when `None`.
    pub const fn start(&self) -> Option<Timestamp> {
        self.from
    }

    /// The end, exclusive; unbounded when `None`.
    pub const fn end(&self) -> Option<Timestamp> {
        self.before
    }

    /// The range as conditions on a column of instants.
    pub(in crate::domain) fn conditions(&self, column: &'static str) -> impl Iterator<Item = Condition> + use<> {
        let from = self.from.map(|from| Condition::AtLeast(column, from.millis()));
        let before = self.before.map(|before| Condition::AtMost(column, before.millis() - 1));
        from.into_iter().chain(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_without_repeats_and_has_at_most_a_hundred_values() {
        let list = |count: u8| AnyOf::<u8>::new("filter.kinds", Some((0..count).rev().collect()));
        assert_eq!(list(3), Ok([0, 1, 2, 1].into()));
        assert_ne!(list(0), AnyOf::new("filter.kinds", None::<Vec<u8>>));
        assert!(list(100).is_ok());
        assert_eq!(list(101), Err(InvalidInput::new("filter.kinds", "at most 100 values")));
        let unknown = AnyOf::<u8>::parse("filter.kinds", Some(vec![""; 101]), |_| None);
        assert!(unknown.is_err(), "the length is that of the request");
    }

    #[test]
    fn a_restriction_only_takes_away() {
        for (mut list, left) in [
            (AnyOf::default(), vec![2]),
            ([1, 2].into(), vec![2]),
            ([1].into(), vec![]),
        ] {
            list.restrict_to(2);
            assert_eq!(list.values(), Some(left.as_slice()));
        }
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        assert!(InstantRange::new("filter.occurredAt", at(1), at(1)).is_ok());
        let refused = InstantRange::new("filter.occurredAt", at(2), at(1));
        assert_eq!(
            refused,
            Err(InvalidInput::new("filter.occurredAt", "from must not be after before"))
        );
    }
}
