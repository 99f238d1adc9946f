//! For who runs the server: readiness, metrics, the description of the routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parley_domain::Code;
use parley_domain::protocol::endpoint::{Admits, DESCRIBED, HEALTH_PATH, POKE_PATH};
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

/// The routes as an OpenAPI document, made from the list that handlers and desks are made from. Bodies are named after their
/// types in `crates/domain/src/protocol`; the document does not spell their fields.
pub fn openapi() -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    schemas.insert(
        "Problem".to_owned(),
        json!({
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": { "type": "string", "enum": Code::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>() },
                "message": { "type": "string", "description": "for developers" },
                "retry_after": { "type": ["integer", "null"], "description": "milliseconds" },
            },
        }),
    );
    let mut body = |shape: &str| -> Value {
        let name: String = shape.chars().filter(|c| !c.is_whitespace()).collect();
        let inner = name.strip_prefix("Vec<").and_then(|name| name.strip_suffix('>'));
        let element = inner.unwrap_or(&name).replace("::", ".");
        schemas.entry(element.clone()).or_insert_with(|| json!({ "title": element }));
        let reference = json!({ "$ref": format!("#/components/schemas/{element}") });
        let schema = if inner.is_some() { json!({ "type": "array", "items": reference }) } else { reference };
        json!({ "application/json": { "schema": schema } })
    };
    let problem = json!({
        "description": "refused",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    for route in DESCRIBED {
        let security = if matches!(route.admits, Admits::Anyone) { json!([]) } else { json!([{ "device": [] }]) };
        let operation = json!({
            "operationId": route.name,
            "summary": route.about.trim(),
            "security": security,
            "requestBody": { "required": true, "content": body(route.request) },
            "responses": {
                "200": { "description": "done", "content": body(route.response) },
                "default": problem,
            },
        });
        paths.insert(route.path.to_owned(), json!({ "post": operation }));
    }
    let plain = |about: &str| json!({ "get": { "summary": about, "responses": { "200": { "description": about } } } });
    paths.insert(HEALTH_PATH.to_owned(), plain("The server is up."));
    paths.insert(READY_PATH.to_owned(), plain("The server and its database are up."));
    paths.insert(METRICS_PATH.to_owned(), plain("Numbers for a monitor, behind a token of the configuration."));
    paths.insert(POKE_PATH.to_owned(), plain("The socket; upgraded with an access token."));
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Parley server", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "device": { "type": "http", "scheme": "bearer" } },
        },
    })
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
            assert!(post["requestBody"].is_object() && post["responses"]["200"].is_object(), "{path}");
        }
        assert_eq!(paths.len(), PATHS.len() + 4);
        let text = document.to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }
}
