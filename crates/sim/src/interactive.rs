//! Interactive messages: buttons, lists, links, products, requests (`meta-platform.md` §6.2).
//!
//! Promise: limits and nesting are checked; the body text comes back for the ledger.

use crate::graph_error::GraphError;
use crate::message::medium;
use crate::strict::Fields;

const KINDS: &[&str] = &[
    "button",
    "list",
    "cta_url",
    "flow",
    "product",
    "product_list",
    "catalog_message",
    "location_request_message",
    "contact_request",
    "call_permission_request",
];

/// Checks the `interactive` object, collects media ids, returns the body text.
pub fn check(object: &Fields<'_>, media: &mut Vec<String>) -> Result<String, GraphError> {
    let kind = object.word("type", KINDS)?;
    object.only(&["type", "header", "body", "footer", "action"])?;
    let body_max = if kind == "list" { 4096 } else { 1024 };
    let body = match object.object_opt("body")? {
        None if kind == "product" => String::new(),
        _ => {
            let body = object.object("body")?;
            body.only(&["text"])?;
            body.text("text", body_max)?.to_owned()
        }
    };
    if let Some(footer) = object.object_opt("footer")? {
        footer.only(&["text"])?;
        footer.text("text", 60)?;
    }
    header(object, kind, media)?;
    let action = object.object("action")?;
    match kind {
        "button" => buttons(&action)?,
        "list" => list(&action)?,
        "cta_url" => {
            action.only(&["name", "parameters"])?;
            action.word("name", &["cta_url"])?;
            let parameters = action.object("parameters")?;
            parameters.only(&["display_text", "url"])?;
            parameters.text("display_text", 20)?;
            let url = parameters.text("url", 2048)?;
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(parameters.bad("url", "is not a valid URI"));
            }
        }
        "flow" => {
            action.only(&["name", "parameters"])?;
            action.word("name", &["flow"])?;
            let parameters = action.object("parameters")?;
            parameters.only(&[
                "flow_message_version",
                "flow_id",
                "flow_name",
                "flow_cta",
                "flow_token",
                "mode",
                "flow_action",
                "flow_action_payload",
            ])?;
            parameters.text("flow_cta", 30)?;
            if parameters.get("flow_id").is_none() {
                parameters.text("flow_name", 200)?;
            }
        }
        "product" => {
            action.only(&["catalog_id", "product_retailer_id"])?;
            action.text("catalog_id", 64)?;
            action.text("product_retailer_id", 256)?;
        }
        "product_list" => products(&action)?,
        "catalog_message" => {
            action.only(&["name", "parameters"])?;
            action.word("name", &["catalog_message"])?;
            if let Some(parameters) = action.object_opt("parameters")? {
                parameters.only(&["thumbnail_product_retailer_id"])?;
            }
        }
        "location_request_message" => named(&action, "send_location")?,
        "contact_request" => named(&action, "request_contact_info")?,
        _ => named(&action, "call_permission_request")?,
    }
    Ok(body)
}

fn named(action: &Fields<'_>, name: &str) -> Result<(), GraphError> {
    action.only(&["name"])?;
    action.word("name", &[name]).map(|_| ())
}

fn header(object: &Fields<'_>, kind: &str, media: &mut Vec<String>) -> Result<(), GraphError> {
    let Some(header) = object.object_opt("header")? else {
        if kind == "product_list" {
            return Err(
                GraphError::code(131008).because("Parameter 'interactive.header' is mandatory for product_list.")
            );
        }
        return Ok(());
    };
    let allowed: &[&str] = match kind {
        "list" | "product_list" => &["text"],
        "button" | "cta_url" | "flow" => &["text", "image", "video", "document"],
        _ => return Err(object.bad("header", "is not allowed for this interactive type")),
    };
    let header_kind = header.word("type", allowed)?;
    header.only(&["type", header_kind])?;
    if header_kind == "text" {
        header.text("text", 60)?;
    } else {
        let medium_object = header.object(header_kind)?;
        medium_object.only(&["id", "link", "filename"])?;
        media.extend(medium(&medium_object)?);
    }
    Ok(())
}

fn buttons(action: &Fields<'_>) -> Result<(), GraphError> {
    action.only(&["buttons"])?;
    let (mut ids, mut titles) = (Vec::new(), Vec::new());
    for button in action.list("buttons", 3)? {
        button.only(&["type", "reply"])?;
        button.word("type", &["reply"])?;
        let reply = button.object("reply")?;
        reply.only(&["id", "title"])?;
        let (id, title) = (reply.text("id", 256)?, reply.text("title", 20)?);
        if ids.contains(&id) {
            return Err(reply.bad("id", "must be unique"));
        }
        if titles.contains(&title) {
            return Err(reply.bad("title", "must be unique"));
        }
        ids.push(id);
        titles.push(title);
    }
    Ok(())
}

fn list(action: &Fields<'_>) -> Result<(), GraphError> {
    action.only(&["button", "sections"])?;
    action.text("button", 20)?;
    let sections = action.list("sections", 10)?;
    let mut rows_seen = 0;
    for section in &sections {
        section.only(&["title", "rows"])?;
        if sections.len() > 1 {
            section.text("title", 24)?;
        }
        for row in section.list("rows", 10)? {
            row.only(&["id", "title", "description"])?;
            row.text("id", 200)?;
            row.text("title", 24)?;
            row.text_opt("description", 72)?;
            rows_seen += 1;
        }
    }
    if rows_seen > 10 { Err(action.bad("sections", "must have at most 10 rows in total")) } else { Ok(()) }
}

fn products(action: &Fields<'_>) -> Result<(), GraphError> {
    action.only(&["catalog_id", "sections"])?;
    action.text("catalog_id", 64)?;
    let mut seen = 0;
    for section in action.list("sections", 10)? {
        section.only(&["title", "product_items"])?;
        section.text_opt("title", 24)?;
        for item in section.list("product_items", 30)? {
            item.only(&["product_retailer_id"])?;
            item.text("product_retailer_id", 256)?;
            seen += 1;
        }
    }
    if seen > 30 { Err(action.bad("sections", "must have at most 30 products in total")) } else { Ok(()) }
}
