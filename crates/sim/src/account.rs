//! Reading the account: numbers, templates, subscriptions, the token (`meta-platform.md` §1.5, §5, §8, §9.1).
//!
//! Promise: small but with Meta's shapes; a field that a node does not have is refused, as the Graph does.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value, json};

use crate::config::Number;
use crate::graph::{Graph, answered, json_body};
use crate::graph_error::GraphError;
use crate::media;
use crate::strict::Fields;

type Params = HashMap<String, String>;

fn phone_node(number: &Number, webhook: Option<String>) -> Value {
    json!({
        "verified_name": number.verified_name, "display_phone_number": number.display_phone_number, "id": number.phone_number_id,
        "quality_rating": "GREEN", "name_status": "APPROVED", "code_verification_status": "VERIFIED", "status": "CONNECTED",
        "platform_type": "CLOUD_API", "is_on_biz_app": false, "account_mode": "LIVE", "throughput": {"level": "STANDARD"},
        "whatsapp_business_manager_messaging_limit": "TIER_2K", "is_official_business_account": false,
        "webhook_configuration": {"application": webhook.unwrap_or_default()},
    })
}

/// `GET /<ID>` of a number, the account, a template or a medium.
pub async fn node(
    State(graph): State<Graph>,
    Path((version, id)): Path<(String, String)>,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Response {
    let result = graph.enter(&version, &headers).and_then(|()| read_node(&graph, &id, &params));
    answered(&graph, result)
}

fn read_node(graph: &Graph, id: &str, params: &Params) -> Result<Value, GraphError> {
    if let Some(number) = graph.number(id).and_then(|at| graph.config.numbers.get(at)) {
        let usual = [
            "verified_name",
            "code_verification_status",
            "display_phone_number",
            "quality_rating",
            "platform_type",
            "throughput",
            "webhook_configuration",
        ];
        return choose(&phone_node(number, graph.queue.url()), params, &usual, "WhatsAppBusinessPhoneNumber");
    }
    if id == graph.config.waba_id {
        let node = json!({
            "id": id, "name": "Lantern & Loom", "timezone_id": "1", "message_template_namespace": "5a1e_sim",
            "account_review_status": "APPROVED", "business_verification_status": "VERIFIED", "country": "US", "ownership_type": "SELF",
        });
        return choose(
            &node,
            params,
            &["name", "timezone_id", "message_template_namespace"],
            "WhatsAppBusinessAccount",
        );
    }
    if let Some(template) = graph.lock().templates.iter().find(|template| template.id == id) {
        return choose(
            &template.listing(),
            params,
            &["name", "language", "status", "category", "components"],
            "MessageTemplate",
        );
    }
    let foreign = params.get("phone_number_id").is_some_and(|number| graph.number(number).is_none());
    match media::look_up(graph, id) {
        Some(found) if !foreign => Ok(found),
        _ => Err(GraphError::no_object("get", id)),
    }
}

/// `id` and the fields asked for, or the usual ones.
fn choose(node: &Value, params: &Params, usual: &[&str], kind: &str) -> Result<Value, GraphError> {
    let asked: Vec<&str> = match params.get("fields") {
        Some(fields) => fields
            .split(',')
            .map(|field| field.trim().split('{').next().unwrap_or_default())
            .filter(|field| !field.is_empty())
            .collect(),
        None => usual.to_vec(),
    };
    let mut out = Map::new();
    for field in asked {
        match node.get(field) {
            Some(value) => out.insert(field.to_owned(), value.clone()),
            None => {
                let mut error = GraphError::invalid("");
                error.message = format!("(#100) Tried accessing nonexisting field ({field}) on node type ({kind})");
                error.details = None;
                return Err(error);
            }
        };
    }
    out.insert("id".into(), node["id"].clone());
    Ok(Value::Object(out))
}

/// `DELETE /<MEDIA_ID>`.
pub async fn delete_node(
    State(graph): State<Graph>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let result = graph.enter(&version, &headers).and_then(|()| match graph.lock().media.remove(&id) {
        Some(_) => Ok(json!({"success": true})),
        None => Err(GraphError::no_object("delete", &id)),
    });
    answered(&graph, result)
}

fn own_account(graph: &Graph, version: &str, verb: &str, id: &str, headers: &HeaderMap) -> Result<(), GraphError> {
    graph.enter(version, headers)?;
    if id == graph.config.waba_id { Ok(()) } else { Err(GraphError::no_object(verb, id)) }
}

/// `GET /<WABA>/phone_numbers`.
pub async fn phone_numbers(
    State(graph): State<Graph>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let result = own_account(&graph, &version, "get", &id, &headers).map(|()| {
        let all: Vec<Value> = graph.config.numbers.iter().map(|number| phone_node(number, graph.queue.url())).collect();
        json!({"data": all, "paging": {"cursors": {"before": "MA", "after": "MQ"}}})
    });
    answered(&graph, result)
}

/// `GET /<WABA>/message_templates`, filtered and paged.
pub async fn templates(
    State(graph): State<Graph>,
    Path((version, id)): Path<(String, String)>,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Response {
    let result = own_account(&graph, &version, "get", &id, &headers).and_then(|()| template_page(&graph, &params));
    answered(&graph, result)
}

fn template_page(graph: &Graph, params: &Params) -> Result<Value, GraphError> {
    let from = match params.get("after") {
        None => 0,
        Some(cursor) => {
            let decoded = STANDARD_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            decoded
                .and_then(|text| text.strip_prefix("t").and_then(|n| n.parse::<usize>().ok()))
                .ok_or_else(|| GraphError::code(131059))?
        }
    };
    let limit = match params.get("limit") {
        None => 25,
        Some(limit) => limit
            .parse::<usize>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| GraphError::invalid("Param limit must be a positive integer."))?,
    };
    let state = graph.lock();
    let listed: Vec<Value> = state
        .templates
        .iter()
        .map(crate::template::Template::listing)
        .filter(|one| {
            ["name", "status", "language", "category"]
                .iter()
                .all(|key| params.get(*key).is_none_or(|wanted| one[*key] == wanted.as_str()))
        })
        .collect();
    let usual = ["name", "parameter_format", "components", "language", "status", "category"];
    let page: Vec<Value> = listed
        .iter()
        .skip(from)
        .take(limit)
        .map(|one| choose(one, params, &usual, "MessageTemplate"))
        .collect::<Result<_, _>>()?;
    let cursor = |at: usize| STANDARD_NO_PAD.encode(format!("t{at}"));
    let end = from + page.len();
    let mut paging = json!({"cursors": {"before": cursor(from), "after": cursor(end)}});
    if end < listed.len() {
        // Meta's own `next` carries the token; ours must not be followed either.
        paging["next"] = json!(format!(
            "{}/v26.0/{}/message_templates?access_token=do-not-follow&after={}",
            graph.base_url,
            graph.config.waba_id,
            cursor(end)
        ));
    }
    Ok(json!({"data": page, "paging": paging}))
}

/// `GET /<WABA>/subscribed_apps`.
pub async fn subscriptions(
    State(graph): State<Graph>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let result = own_account(&graph, &version, "get", &id, &headers).map(|()| {
        let app = &graph.config.app_id;
        let one = json!({"whatsapp_business_api_data": {"id": app, "name": "Parley", "link": format!("https://www.facebook.com/games/?app_id={app}")}});
        if graph.lock().subscribed { json!({"data": [one]}) } else { json!({"data": []}) }
    });
    answered(&graph, result)
}

/// `POST /<WABA>/subscribed_apps`, with or without an override of the callback.
pub async fn subscribe(
    State(graph): State<Graph>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let result = own_account(&graph, &version, "post", &id, &headers).and_then(|()| {
        if !body.is_empty() {
            let body = json_body(&headers, &body)?;
            let fields = Fields::of(&body, "")?;
            fields.only(&["override_callback_uri", "verify_token"])?;
            if let Some(url) = fields.text_opt("override_callback_uri", 200)? {
                graph.queue.set_url(Some(url.to_owned()));
            }
        }
        graph.lock().subscribed = true;
        Ok(json!({"success": true}))
    });
    answered(&graph, result)
}

/// `DELETE /<WABA>/subscribed_apps`: from now on nothing is raised.
pub async fn unsubscribe(
    State(graph): State<Graph>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let result = own_account(&graph, &version, "delete", &id, &headers).map(|()| {
        graph.lock().subscribed = false;
        json!({"success": true})
    });
    answered(&graph, result)
}

/// `GET /debug_token?input_token=`; asked with the token itself or the app's (`app_id|app_secret`).
pub async fn debug_token(
    State(graph): State<Graph>,
    Path(version): Path<String>,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Response {
    let app_token = format!("{}|{}", graph.config.app_id, graph.config.app_secret);
    let entered = match graph.authorise(&headers, Some(&app_token)) {
        Ok(()) if version.starts_with('v') => Ok(()),
        Ok(()) => Err(GraphError::unknown_path(&format!("/{version}"))),
        Err(error) => Err(error),
    };
    let result = entered.and_then(|()| {
        let Some(token) = params.get("input_token") else {
            return Err(GraphError::required("input_token"));
        };
        let valid = *token == graph.lock().token;
        if !valid {
            let error = json!({"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"});
            return Ok(json!({"data": {"error": error, "is_valid": false, "scopes": []}}));
        }
        let scopes = ["whatsapp_business_management", "whatsapp_business_messaging"];
        let granular: Vec<Value> = scopes.iter().map(|scope| json!({"scope": scope, "target_ids": [graph.config.waba_id]})).collect();
        Ok(json!({"data": {
            "app_id": graph.config.app_id, "type": "SYSTEM_USER", "application": "Parley", "expires_at": 0, "data_access_expires_at": 0,
            "is_valid": true, "issued_at": graph.now() / 1000, "scopes": scopes, "granular_scopes": granular, "user_id": "122100000000001",
        }}))
    });
    answered(&graph, result)
}
