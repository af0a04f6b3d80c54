//! Marks fields whose value depends on the caller itself, and not only on the caller's permissions.

use async_graphql::TypeDirective;

/// The value depends on the member or API key that makes the request, and not only on its permissions. It is the caller's own
/// value, or in the caller's language. Do not share it between callers.
#[TypeDirective(name = "viewer", location = "FieldDefinition")]
pub(super) fn of_viewer() {}

/// The value is written in the viewer's language, and otherwise the same for all who may see it.
#[TypeDirective(name = "language", location = "FieldDefinition")]
pub(super) fn in_language() {}
