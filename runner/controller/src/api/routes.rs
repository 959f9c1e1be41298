//! Routes and what is said about them, declared in one place each, so that the OpenAPI document
//! and the router cannot disagree.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodRouter, on};
use serde_json::{Map, Value, json};

use super::App;

/// What a caller must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing.
    Nothing,
    /// A token of the role reader or more.
    Reader,
    /// A token of the role operator or more.
    Operator,
    /// A token of the role admin.
    Admin,
    /// The session of a runner.
    Session,
    /// The session of a runner, or a token of any role.
    SessionOrReader,
}

/// The methods that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// A body, in or out: its media type and the name of its schema; none for bytes.
pub(crate) type Content = (&'static str, Option<&'static str>);

pub(crate) const JSON: &str = "application/json";

/// One route, as it is documented.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) needs: Needs,
    /// Parameters of the query: name and meaning.
    pub(crate) query: &'static [(&'static str, &'static str)],
    pub(crate) body: Option<Content>,
    /// The most bytes of a body.
    pub(crate) limit: usize,
    pub(crate) answers: &'static [(u16, &'static str, Option<Content>)],
}

/// Most bodies are small.
pub(crate) const SMALL: usize = 64 << 10;

/// The router and its document, as they grow.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<Arc<App>>,
    operations: Vec<Operation>,
}

impl Routes {
    /// Adds a route.
    pub(crate) fn add<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        use axum::routing::MethodFilter;
        let filter = match operation.verb {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Delete => MethodFilter::DELETE,
        };
        let method: MethodRouter<Arc<App>> =
            on(filter, handler).layer(DefaultBodyLimit::max(operation.limit));
        self.router = self.router.route(operation.path, method);
        self.operations.push(operation);
        self
    }

    /// The router and the OpenAPI document.
    pub(crate) fn finish(self, schemas: Value) -> (Router<Arc<App>>, Value) {
        let mut paths = Map::new();
        for operation in &self.operations {
            let item = paths.entry(operation.path).or_insert_with(|| json!({}));
            item[verb(operation.verb)] = describe(operation);
        }
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Wharf controller",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Accepts work, keeps it durably, hands it to runners, records results.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer", "description": "An API token: `whf_` and 43 characters."},
                    "session": {"type": "http", "scheme": "bearer", "description": "The session token of a runner's connection."},
                },
            },
        });
        (self.router, document)
    }
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Put => "put",
        Verb::Delete => "delete",
    }
}

fn describe(operation: &Operation) -> Value {
    let in_path = operation.path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
    });
    let in_query = operation.query.iter().map(|(name, meaning)| {
        json!({"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}})
    });
    let mut answers: Map<String, Value> = operation
        .answers
        .iter()
        .map(|(status, meaning, body)| {
            let mut answer = json!({"description": meaning});
            if let Some(body) = body {
                answer["content"] = content(body);
            }
            (status.to_string(), answer)
        })
        .collect();
    let failure = json!({"description": "Not done; the body says why.", "content": content(&(JSON, Some("Error")))});
    answers.insert("default".to_owned(), failure);
    let security = match operation.needs {
        Needs::Nothing => json!([]),
        Needs::Session => json!([{"session": []}]),
        Needs::SessionOrReader => json!([{"session": []}, {"token": []}]),
        Needs::Reader | Needs::Operator | Needs::Admin => json!([{"token": []}]),
    };
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": format!("Needs: {}.", needs(operation.needs)),
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": answers,
        "security": security,
    });
    if let Some(body) = &operation.body {
        described["requestBody"] = json!({"required": true, "content": content(body)});
    }
    described
}

fn needs(needs: Needs) -> &'static str {
    match needs {
        Needs::Nothing => "nothing",
        Needs::Reader => "a token with the role reader, operator or admin",
        Needs::Operator => "a token with the role operator or admin",
        Needs::Admin => "a token with the role admin",
        Needs::Session => "the session token of a connected runner",
        Needs::SessionOrReader => {
            "an API token of any role, or the session token of a connected runner"
        }
    }
}

fn content((media, schema): &Content) -> Value {
    let mut content = json!({});
    content[media] = match schema {
        Some(name) => json!({"schema": {"$ref": format!("#/components/schemas/{name}")}}),
        None => json!({}),
    };
    content
}
