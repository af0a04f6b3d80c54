//! Settings of pages that the server serves.

use super::{Form, Key};

pub(super) const CONSOLE: Key = Key {
    path: "pages.console",
    default: Some("true"),
    form: Form::Flag,
    allowed: "true or false",
    about: "Whether the console is served to browsers at /. Programs get JSON there in either case.",
};

pub(super) const EXPLORER: Key = Key {
    path: "pages.explorer",
    default: None,
    form: Form::Flag,
    allowed: "true or false",
    about: "Whether the explorer of the API is served, at /graphiql and to browsers that open /graphql. Only in development when not set.",
};

pub(super) const FOLDER: Key = Key {
    path: "pages.folder",
    default: None,
    form: Form::Text,
    allowed: "the path of a directory",
    about: "A directory with builds of the pages, in its folders console and explorer, that are served in place of those in the executable.",
};

pub(super) const OIDC_CLIENT_ID: Key = Key {
    path: "pages.oidc_client_id",
    default: None,
    form: Form::Text,
    allowed: "the client's id, beside auth.issuer, which must be a URL",
    about: "The console's client at the issuer: public, with the authorization code flow and PKCE, and the console's address as redirect \
            URI. Its members sign in there. The issuer must let the console's origin read its token endpoint (CORS).",
};

pub(super) const OIDC_SCOPE: Key = Key {
    path: "pages.oidc_scope",
    default: Some("openid"),
    form: Form::Text,
    allowed: "scopes, with spaces between them",
    about: "The scopes that the console requests from the issuer. Its tokens must have the claim acct.",
};

pub(super) const OIDC_TOKEN: Key = Key {
    path: "pages.oidc_token",
    default: Some("access"),
    form: Form::Text,
    allowed: "access or id",
    about: "Which of the issuer's tokens the console sends as its credential: it must be a JWT for auth.audience.",
};
