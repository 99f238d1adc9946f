//! Media: upload, look up, download, delete (`meta-platform.md` §7).
//!
//! Promise: urls live five minutes and need the token; customers' media ids live seven days, the business's own thirty.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::graph::{Graph, answered};
use crate::graph_error::GraphError;
use crate::ids::Mint;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const URL_MS: i64 = 5 * 60 * 1000;

/// Uploadable types and their limits in bytes.
const LIMITS: &[(&str, usize)] = &[
    ("audio/aac", 16 << 20),
    ("audio/amr", 16 << 20),
    ("audio/mpeg", 16 << 20),
    ("audio/mp4", 16 << 20),
    ("audio/ogg", 16 << 20),
    ("image/jpeg", 5 << 20),
    ("image/png", 5 << 20),
    ("image/webp", 500 << 10),
    ("video/mp4", 16 << 20),
    ("video/3gpp", 16 << 20),
    ("text/plain", 100 << 20),
    ("application/pdf", 100 << 20),
    ("application/msword", 100 << 20),
    ("application/vnd.ms-excel", 100 << 20),
    ("application/vnd.ms-powerpoint", 100 << 20),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", 100 << 20),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100 << 20),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", 100 << 20),
];

/// One stored file.
#[derive(Debug, Clone)]
pub struct Medium {
    /// Content.
    pub bytes: Bytes,
    /// MIME type as declared.
    pub mime: String,
    dies_at_ms: i64,
    urls: Vec<(String, i64)>,
}

impl Medium {
    /// What a customer sent.
    pub fn inbound(bytes: Vec<u8>, mime: &str, now: i64) -> Self {
        Self { bytes: bytes.into(), mime: mime.to_owned(), dies_at_ms: now + 7 * DAY_MS, urls: Vec::new() }
    }

    /// What the business uploaded.
    pub fn uploaded(bytes: Vec<u8>, mime: &str, now: i64) -> Self {
        Self { dies_at_ms: now + 30 * DAY_MS, ..Self::inbound(bytes, mime, now) }
    }

    /// Whether the id still works.
    pub fn alive(&self, now: i64) -> bool {
        now < self.dies_at_ms
    }

    /// SHA-256 in base64, as webhooks write it.
    pub fn sha256(&self) -> String {
        STANDARD.encode(Sha256::digest(&self.bytes))
    }

    /// A fresh signed url.
    pub fn url(&mut self, mint: &mut Mint, base_url: &str, id: &str, now: i64) -> String {
        let hash = mint.url_hash();
        let ends = now + URL_MS;
        self.urls.push((hash.clone(), ends));
        format!("{base_url}/whatsapp_business/attachments/?mid={id}&ext={}&hash={hash}", ends / 1000)
    }

    fn opens(&self, hash: &str, now: i64) -> bool {
        self.urls.iter().any(|(known, ends)| known == hash && now < *ends)
    }
}

/// `GET /<MEDIA_ID>`.
pub fn look_up(graph: &Graph, id: &str) -> Option<Value> {
    let now = graph.now();
    let mut guard = graph.lock();
    let state = &mut *guard;
    let medium = state.media.get_mut(id).filter(|medium| medium.alive(now))?;
    let url = medium.url(&mut state.mint, &graph.base_url, id, now);
    // Meta has sent the size both ways.
    let size = if id.ends_with(['0', '2', '4', '6', '8']) {
        json!(medium.bytes.len().to_string())
    } else {
        json!(medium.bytes.len())
    };
    Some(json!({
        "messaging_product": "whatsapp", "url": url, "mime_type": medium.mime, "sha256": hex::encode(Sha256::digest(&medium.bytes)),
        "file_size": size, "id": id,
    }))
}

/// What a signed url carries.
#[derive(Debug, Deserialize)]
pub struct Ticket {
    mid: String,
    hash: String,
}

/// The download host.
pub async fn download(State(graph): State<Graph>, Query(ticket): Query<Ticket>, headers: HeaderMap) -> Response {
    if let Err(error) = graph.authorise(&headers, None) {
        return answered(&graph, Err(error));
    }
    let now = graph.now();
    let state = graph.lock();
    match state.media.get(&ticket.mid).filter(|medium| medium.alive(now) && medium.opens(&ticket.hash, now)) {
        Some(medium) => ([(header::CONTENT_TYPE, medium.mime.clone())], medium.bytes.clone()).into_response(),
        None => axum::http::StatusCode::NOT_FOUND.into_response(),
    }
}

/// `POST /<PHONE_ID>/media`.
pub async fn upload(
    State(graph): State<Graph>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let result = graph.enter(&version, &headers).and_then(|()| store(&graph, &id, &headers, &body));
    answered(&graph, result)
}

fn store(graph: &Graph, id: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, GraphError> {
    if graph.number(id).is_none() {
        return Err(GraphError::no_object("post", id));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((_, boundary)) = content_type.split_once("boundary=") else {
        return Err(GraphError::required("messaging_product"));
    };
    let parts = parts(body, boundary.trim_matches('"'));
    let text = |name: &str| {
        parts.iter().find(|part| part.name == name).map(|part| String::from_utf8_lossy(part.content).into_owned())
    };
    match text("messaging_product").as_deref() {
        Some("whatsapp") => {}
        Some(_) => return Err(GraphError::invalid("Param messaging_product must be one of {whatsapp}.")),
        None => return Err(GraphError::required("messaging_product")),
    }
    if let Some(part) = parts.iter().find(|part| !["messaging_product", "type", "file"].contains(&part.name.as_str())) {
        return Err(GraphError::invalid(format!("Unexpected key \"{}\" on param \"the request\".", part.name)));
    }
    let Some(file) = parts.iter().find(|part| part.name == "file") else {
        return Err(GraphError::required("file"));
    };
    let Some(mime) = text("type").or_else(|| file.mime.clone()) else {
        return Err(GraphError::required("type"));
    };
    let plain = mime.split(';').next().unwrap_or_default().trim();
    match LIMITS.iter().find(|(known, _)| *known == plain) {
        None => {
            return Err(GraphError::invalid(format!(
                "Param file must be a file with one of the supported types. Received file of type '{mime}'."
            )));
        }
        Some((_, max)) if file.content.len() > *max => {
            return Err(GraphError::invalid(format!("Param file must be at most {max} bytes.")));
        }
        Some(_) => {}
    }
    let medium = Medium::uploaded(file.content.to_vec(), &mime, graph.now());
    let mut state = graph.lock();
    let id = state.mint.number_id();
    state.media.insert(id.clone(), medium);
    Ok(json!({"id": id}))
}

struct Part<'a> {
    name: String,
    mime: Option<String>,
    content: &'a [u8],
}

/// The parts of a multipart body; malformed ones are left out.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<Part<'a>> {
    let fence = format!("--{boundary}").into_bytes();
    let mut out = Vec::new();
    let mut rest = body;
    while let Some(at) = find(rest, &fence) {
        let section = &rest[at + fence.len()..];
        let end = find(section, &fence).unwrap_or(section.len());
        if let Some(part) = part(&section[..end]) {
            out.push(part);
        }
        rest = &section[end..];
    }
    out
}

fn part(section: &[u8]) -> Option<Part<'_>> {
    let section = section.strip_prefix(b"\r\n")?;
    let blank = find(section, b"\r\n\r\n")?;
    let content = &section[blank + 4..];
    let content = content.strip_suffix(b"\r\n").unwrap_or(content);
    let head = String::from_utf8_lossy(&section[..blank]).into_owned();
    let mut mime = None;
    let mut name = None;
    for line in head.lines() {
        let (key, value) = line.split_once(':')?;
        match key.to_ascii_lowercase().as_str() {
            "content-disposition" => {
                name = value
                    .split(';')
                    .map(str::trim)
                    .find_map(|item| item.strip_prefix("name="))
                    .map(|name| name.trim_matches('"').to_owned());
            }
            "content-type" => mime = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    Some(Part { name: name?, mime, content })
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}
