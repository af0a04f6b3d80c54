//! A client over real HTTP, as in an application.

use std::path::Path;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::words;

/// A client that calls the API, with or without a credential.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    credential: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(base: &str, credential: Option<String>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self {
            http,
            base: base.to_owned(),
            credential,
        }
    }

    /// Returns a client on the same connections with another credential.
    #[must_use]
    pub(crate) fn with_credential(&self, credential: &str) -> Self {
        Self {
            credential: Some(credential.to_owned()),
            ..self.clone()
        }
    }

    /// Returns a client on the same connections without a credential.
    #[must_use]
    pub(crate) fn anonymous(&self) -> Self {
        Self {
            credential: None,
            ..self.clone()
        }
    }

    /// Returns the token or key that it signs in with.
    pub(crate) fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    /// Returns the address of the server.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Runs the operation in `tests/documents/<document>.graphql`.
    pub(crate) async fn run(&self, document: &str, variables: Value) -> Answer {
        self.query(&read_document(document), variables).await
    }

    /// Like [`Self::run`] with `{"input": …}`. Fails unless it succeeds. Returns the mutation's payload.
    pub(crate) async fn accept(&self, document: &str, input: Value) -> Value {
        let answer = self.run(document, json!({ "input": input })).await;
        let payload = answer.only_field();
        assert_eq!(payload["userErrors"], json!([]), "{document} is accepted");
        payload
    }

    /// Like [`Self::run`] with `{"input": …}`. Fails unless it is refused. Returns the first code and the payload.
    pub(crate) async fn refuse(&self, document: &str, input: Value) -> (String, Value) {
        let answer = self.run(document, json!({ "input": input })).await;
        let payload = answer.only_field();
        let code = payload["userErrors"][0]["code"].as_str();
        let code = code
            .unwrap_or_else(|| panic!("{document} is refused: {payload}"))
            .to_owned();
        (code, payload)
    }

    /// Sends the mutation of this name, and selects `fields` and `userErrors { code field message }` of its payload.
    pub(crate) async fn send_mutation(&self, name: &str, fields: &str, input: Value) -> Answer {
        let input_type = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let selection = format!("{fields} userErrors {{ code field message }}");
        let query = format!("mutation ($input: {input_type}!) {{ {name}(input: $input) {{ {selection} }} }}");
        self.query(&query, json!({ "input": input })).await
    }

    /// Like [`Self::send_mutation`]. Returns the payload.
    pub(crate) async fn mutate(&self, name: &str, fields: &str, input: Value) -> Value {
        self.send_mutation(name, fields, input).await.only_field()
    }

    /// Like [`Self::mutate`]. Fails unless the mutation succeeds.
    pub(crate) async fn apply(&self, name: &str, fields: &str, input: Value) -> Value {
        let payload = self.mutate(name, fields, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{name}: {payload}");
        payload
    }

    pub(crate) async fn query(&self, query: &str, variables: Value) -> Answer {
        self.send(
            self.post("/graphql")
                .json(&json!({ "query": query, "variables": variables })),
        )
        .await
    }

    /// Returns a signed-in POST to a path of the server.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.sign(self.http.post(format!("{}{path}", self.base)))
    }

    /// Returns a signed-in request with any method to a path of the server.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.sign(self.http.request(method, format!("{}{path}", self.base)))
    }

    /// Returns a signed-in GET of a path of the server, or of a whole URL.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        self.sign(self.http.get(url))
    }

    /// Sends a request and reads the response as JSON.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let response = Box::pin(request.send()).await.expect("the server answers");
        let status = response.status();
        let text = Box::pin(response.text()).await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        words::must_be_in_the_catalogue(&body["data"]);
        Answer { status, body }
    }

    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credential {
            Some(credential) => request.bearer_auth(credential),
            None => request,
        }
    }
}

/// Returns the code of the first of a payload's `userErrors`, or "accepted".
pub(crate) fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or("accepted")
}

impl Answer {
    /// Returns the data. Any error fails the test.
    pub(crate) fn data(&self) -> &Value {
        assert!(self.body["errors"].is_null(), "{}", self.body);
        &self.body["data"]
    }

    /// Returns the value at a JSON pointer under `data`, such as `/account/balance/posted`. Fails if there is none.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.data()
            .pointer(pointer)
            .unwrap_or_else(|| panic!("nothing at {pointer} in {}", self.body))
    }

    /// Returns the value of the only requested field.
    pub(crate) fn only_field(&self) -> Value {
        let fields = self.data().as_object().expect("an object");
        assert_eq!(fields.len(), 1, "{}", self.body);
        fields.values().next().cloned().expect("one field")
    }

    /// Returns the code of the first top-level error.
    pub(crate) fn error_code(&self) -> &str {
        let code = self.body.pointer("/errors/0/extensions/code").and_then(Value::as_str);
        code.unwrap_or_else(|| panic!("no error with a code in {}", self.body))
    }
}

/// Returns the text of an operation that tests share.
pub(crate) fn read_document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/documents")
        .join(format!("{name}.graphql"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
