//! The mark of fields whose value depends on who asks, and not only on what they may do.

use async_graphql::TypeDirective;

/// The value depends on which member or API key asks, beside their permissions: it is their own, or in their language. Do not
/// share it between callers.
#[TypeDirective(name = "viewer", location = "FieldDefinition")]
pub(super) fn of_viewer() {}

/// The value is written in the language of the one who asks, and otherwise the same for all who may see it.
#[TypeDirective(name = "language", location = "FieldDefinition")]
pub(super) fn in_language() {}
