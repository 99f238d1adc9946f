//! For who runs the server: readiness, metrics, the description of the routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parley_domain::Code;
use parley_domain::protocol::Problem;
use parley_domain::protocol::change::{Poke, ResyncRequired};
use parley_domain::protocol::endpoint::{
    Admits, Backfill, DESCRIBED, Endpoint, HEALTH_PATH, POKE_PATH, Pull, Push, Snapshot, schemas,
};
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::problem::Refusal;
use crate::app::Core;
use crate::error::Error;
use crate::metrics;

/// Whether the server can do its work: it asks the database.
pub const READY_PATH: &str = "/ready";
/// Numbers for a monitor, behind a token of the configuration.
pub const METRICS_PATH: &str = "/metrics";
/// The description of the routes.
pub const OPENAPI_PATH: &str = "/openapi.json";

/// `GET /ready`
pub async fn ready(State(core): State<Arc<Core>>) -> Response {
    let good = !core.stopping() && core.db.alive().await.is_ok();
    let (status, word) = if good { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    (status, Json(json!({ "status": word }))).into_response()
}

/// `GET /metrics`; not there unless the configuration has a token for it.
pub async fn numbers(State(core): State<Arc<Core>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let Some(expected) = &core.config.metrics_token else {
        return Err(Refusal::from(Error::Refused(Code::NotFound, "no such route")));
    };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !bool::from(given.as_bytes().ct_eq(expected.expose().as_bytes())) {
        return Err(Refusal::from(Error::Refused(Code::Unauthorized, "the token is not the one of the configuration")));
    }
    let text = metrics::read(&core).await?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// `GET /openapi.json`
pub async fn description() -> Json<Value> {
    Json(openapi())
}

/// The routes as an OpenAPI document, made from the list that handlers and desks are made from, and from the very types that they
/// read and write (`crates/domain/src/protocol`).
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let bodies = schemas(&mut generator);
    let problem = refused("refused", &generator.subschema_for::<Problem>());
    let resync = refused("the cursor cannot be served", &generator.subschema_for::<ResyncRequired>());
    let poke = generator.subschema_for::<Poke>();
    let mut paths = Map::new();
    for (route, [request, answer]) in DESCRIBED.iter().zip(&bodies) {
        let security = if matches!(route.admits, Admits::Anyone) { json!([]) } else { json!([{ "device": [] }]) };
        let mut responses = json!({ "200": { "description": "done", "content": content(answer) }, "default": problem });
        if [Pull::PATH, Snapshot::PATH, Backfill::PATH, Push::PATH].contains(&route.path) {
            responses["409"] = resync.clone();
        }
        let operation = json!({
            "operationId": route.name,
            "summary": route.about.trim(),
            "security": security,
            "requestBody": { "required": true, "content": content(request) },
            "responses": responses,
        });
        paths.insert(route.path.to_owned(), json!({ "post": operation }));
    }
    let plain = |about: &str| json!({ "get": { "summary": about, "responses": { "200": { "description": about } } } });
    paths.insert(HEALTH_PATH.to_owned(), plain("The server is up."));
    paths.insert(READY_PATH.to_owned(), plain("The server and its database are up."));
    paths.insert(METRICS_PATH.to_owned(), plain("Numbers for a monitor, behind a token of the configuration."));
    let socket = json!({ "get": {
        "summary": "The socket; upgraded with an access token. Its text frames are these.",
        "security": [{ "device": [] }],
        "responses": { "101": { "description": "text frames", "content": content(&poke) }, "default": problem },
    } });
    paths.insert(POKE_PATH.to_owned(), socket);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Parley server", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "device": { "type": "http", "scheme": "bearer" } },
        },
    });
    plain_words(&mut document);
    document
}

fn content(schema: &Schema) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn refused(about: &str, schema: &Schema) -> Value {
    json!({ "description": about, "content": { "application/problem+json": { "schema": schema } } })
}

/// Descriptions are the types' own documentation, whose links lead nowhere here.
fn plain_words(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`").replace('\n', " ");
            }
            fields.values_mut().for_each(plain_words);
        }
        Value::Array(values) => values.iter_mut().for_each(plain_words),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use parley_domain::protocol::endpoint::PATHS;

    use super::*;

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = openapi();
        let paths = document["paths"].as_object().unwrap();
        for path in PATHS {
            let post = &paths[*path]["post"];
            for body in [&post["requestBody"], &post["responses"]["200"]] {
                let schema = &body["content"]["application/json"]["schema"];
                assert!(schema["$ref"].is_string() || schema["type"] == "array", "{path}: {schema}");
            }
        }
        assert_eq!(paths.len(), PATHS.len() + 4);
        let text = document.to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            let schema = document["components"]["schemas"].get(name).unwrap();
            let told = ["properties", "oneOf", "enum", "type", "const"].iter().any(|part| schema.get(part).is_some());
            assert!(told, "{name} says nothing");
        }
        let pull = &document["components"]["schemas"]["PullPage"]["properties"];
        assert_eq!(pull["rows"]["type"], "array");
        let sign_in = &document["components"]["schemas"]["SignInRequest"];
        assert_eq!(sign_in["additionalProperties"], false, "an unknown field is refused");
        assert!(!text.contains("[`"), "links of the types' documentation lead nowhere here");
    }
}
