//! Pages of lists, newest first.

use serde_json::Value;

use crate::adapters::gateway::simulated::objects;

use super::form::Form;
use super::{Done, invalid, no_such};

/// Parameters of every list.
pub(super) const PAGING: [&str; 3] = ["limit", "starting_after", "ending_before"];
/// The default number of objects per page.
const USUAL: i64 = 10;
/// The maximum number of objects per page.
const MOST: i64 = 100;

/// Returns the requested page of `all`. The objects have an `id` and are sorted newest first.
pub(super) fn page(form: &Form, path: &str, all: &[Value]) -> Done {
    let limit = form.number("limit")?.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let message = "This value must be at least 1 and at most 100.";
        return Err(invalid("limit", Some("parameter_invalid_integer"), message));
    }
    let limit = usize::try_from(limit).unwrap_or(1);
    let place = |name: &str| match form.text(name) {
        None => Ok(None),
        Some(id) => match all.iter().position(|object| object["id"] == id) {
            Some(at) => Ok(Some(at)),
            None => Err(no_such("object", id, Some(name))),
        },
    };
    let (after, before) = (place("starting_after")?, place("ending_before")?);
    let begin = after.map_or(0, |at| at + 1);
    let end = before.unwrap_or(all.len()).max(begin);
    let window = begin..end;
    let (shown, has_more) = if before.is_some() {
        // The objects directly before `ending_before`.
        let first = end.saturating_sub(limit).max(begin);
        (first..end, first > begin)
    } else {
        (begin..end.min(begin + limit), window.len() > limit)
    };
    Ok(objects::list(path, all.get(shown).unwrap_or_default(), has_more))
}
