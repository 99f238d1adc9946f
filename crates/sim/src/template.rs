//! Message templates: what the business owns and how a send may use them (`meta-platform.md` §6.3, §8).
//!
//! Promise: name, language, status, and the number and kind of every parameter are held against the template, with Meta's codes.

use serde_json::{Value, json};

use crate::graph_error::GraphError;
use crate::message::medium;
use crate::strict::Fields;

/// A template of the business account.
#[derive(Debug, Clone)]
pub struct Template {
    /// Its id in the Graph.
    pub id: String,
    /// `[a-z0-9_]`, unique with the language.
    pub name: String,
    /// E.g. `en_US`.
    pub language: String,
    /// MARKETING, UTILITY or AUTHENTICATION.
    pub category: String,
    /// APPROVED, PENDING, REJECTED, PAUSED, DISABLED…
    pub status: String,
    /// As the Graph lists them: HEADER, BODY, FOOTER, BUTTONS.
    pub components: Value,
}

impl Template {
    /// As `GET /<WABA>/message_templates` shows it.
    pub fn listing(&self) -> Value {
        json!({
            "name": self.name, "language": self.language, "status": self.status, "category": self.category,
            "parameter_format": if self.named() { "NAMED" } else { "POSITIONAL" },
            "components": self.components, "id": self.id,
        })
    }

    fn component(&self, kind: &str) -> Option<&Value> {
        self.components.as_array()?.iter().find(|component| component["type"] == kind)
    }

    fn variables(&self, kind: &str) -> Vec<String> {
        self.component(kind).and_then(|component| component["text"].as_str()).map(variables).unwrap_or_default()
    }

    fn named(&self) -> bool {
        self.variables("BODY").iter().any(|name| name.parse::<u32>().is_err())
    }
}

/// The names between `{{` and `}}`, each once, in order.
fn variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for part in text.split("{{").skip(1) {
        if let Some((name, _)) = part.split_once("}}") {
            let name = name.trim().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// One parameter of a send.
#[derive(Debug, Clone)]
struct Given {
    kind: String,
    name: Option<String>,
}

/// How a send uses a template.
#[derive(Debug, Clone)]
pub struct TemplateUse {
    /// Template name.
    pub name: String,
    /// Language code.
    pub language: String,
    header: Vec<Given>,
    body: Vec<Given>,
    buttons: Vec<(String, usize, usize)>,
}

/// Reads the `template` object of a send.
pub fn read(object: &Fields<'_>, media: &mut Vec<String>) -> Result<TemplateUse, GraphError> {
    object.only(&["name", "language", "components"])?;
    let language = object.object("language")?;
    language.only(&["code", "policy"])?;
    let mut used = TemplateUse {
        name: object.text("name", 512)?.to_owned(),
        language: language.text("code", 16)?.to_owned(),
        header: Vec::new(),
        body: Vec::new(),
        buttons: Vec::new(),
    };
    for component in object.list_opt("components")? {
        match component.word("type", &["header", "body", "button"])? {
            "header" => {
                component.only(&["type", "parameters"])?;
                used.header = parameters(&component, media)?;
            }
            "body" => {
                component.only(&["type", "parameters"])?;
                used.body = parameters(&component, media)?;
            }
            _ => {
                component.only(&["type", "sub_type", "index", "parameters"])?;
                let kind = component
                    .word("sub_type", &["quick_reply", "url", "copy_code", "flow", "catalog", "voice_call"])?;
                let index = component.number("index")? as usize;
                used.buttons.push((kind.to_owned(), index, parameters(&component, media)?.len()));
            }
        }
    }
    Ok(used)
}

fn parameters(component: &Fields<'_>, media: &mut Vec<String>) -> Result<Vec<Given>, GraphError> {
    let mut given = Vec::new();
    for parameter in component.list_opt("parameters")? {
        let kinds = [
            "text",
            "currency",
            "date_time",
            "image",
            "video",
            "document",
            "location",
            "payload",
            "coupon_code",
            "action",
        ];
        let kind = parameter.word("type", &kinds)?;
        parameter.only(&["type", "parameter_name", kind])?;
        match kind {
            "text" => {
                let text = parameter.text("text", 32_768)?;
                if text.contains(['\n', '\t']) || text.contains("     ") {
                    return Err(GraphError::code(132018)
                        .because("Param text cannot have new-line/tab characters or more than 4 consecutive spaces"));
                }
            }
            "payload" => {
                parameter.text("payload", 256)?;
            }
            "image" | "video" | "document" => {
                let object = parameter.object(kind)?;
                object.only(&["id", "link", "filename"])?;
                media.extend(medium(&object)?);
            }
            "coupon_code" => {
                parameter.text("coupon_code", 20)?;
            }
            _ => {
                parameter.object(kind)?;
            }
        }
        given
            .push(Given { kind: kind.to_owned(), name: parameter.text_opt("parameter_name", 256)?.map(str::to_owned) });
    }
    Ok(given)
}

/// Holds a use against the account's templates; returns the template.
pub fn check<'a>(templates: &'a [Template], used: &TemplateUse, to_bsuid: bool) -> Result<&'a Template, GraphError> {
    let found = templates.iter().find(|one| one.name == used.name && one.language == used.language);
    let missing = || {
        GraphError::code(132001).because(format!("template name ({}) does not exist in {}", used.name, used.language))
    };
    let template = found.ok_or_else(missing)?;
    match template.status.as_str() {
        "APPROVED" => {}
        "PAUSED" => return Err(GraphError::code(132015)),
        "DISABLED" => return Err(GraphError::code(132016)),
        _ => return Err(missing()),
    }
    if to_bsuid && template.category == "AUTHENTICATION" {
        return Err(GraphError::code(131062));
    }
    header(template, used)?;
    texts("body", &template.variables("BODY"), &used.body)?;
    for (kind, index, count) in &used.buttons {
        let button = template.component("BUTTONS").and_then(|buttons| buttons["buttons"].get(index));
        let fits = button
            .and_then(|button| button["type"].as_str())
            .is_some_and(|own| own.eq_ignore_ascii_case(kind) || (own == "OTP" && kind == "url"));
        if !fits {
            return Err(GraphError::code(132018).because(format!("buttons: no {kind} button at index {index}")));
        }
        if *count != 1 {
            return Err(count_error("buttons", *count, 1));
        }
    }
    Ok(template)
}

fn header(template: &Template, used: &TemplateUse) -> Result<(), GraphError> {
    let format = template
        .component("HEADER")
        .and_then(|header| header["format"].as_str())
        .unwrap_or("NONE")
        .to_ascii_lowercase();
    match format.as_str() {
        "none" | "text" => texts("header", &template.variables("HEADER"), &used.header),
        media => match used.header.as_slice() {
            [one] if one.kind == media => Ok(()),
            [one] => Err(GraphError::code(132012).because(format!(
                "header: Format mismatch, expected {}, received {}",
                media.to_uppercase(),
                one.kind.to_uppercase()
            ))),
            given => Err(count_error("header", given.len(), 1)),
        },
    }
}

fn texts(part: &str, wanted: &[String], given: &[Given]) -> Result<(), GraphError> {
    if wanted.len() != given.len() {
        return Err(count_error(part, given.len(), wanted.len()));
    }
    let named = wanted.iter().any(|name| name.parse::<u32>().is_err());
    for parameter in given {
        if !["text", "currency", "date_time"].contains(&parameter.kind.as_str()) {
            return Err(GraphError::code(132012).because(format!(
                "{part}: Format mismatch, expected TEXT, received {}",
                parameter.kind.to_uppercase()
            )));
        }
        let known = parameter.name.as_ref().is_some_and(|name| wanted.contains(name));
        if named && !known {
            return Err(GraphError::invalid(format!("{part}: Parameter name is missing or empty")));
        }
    }
    Ok(())
}

fn count_error(part: &str, given: usize, wanted: usize) -> GraphError {
    GraphError::code(132000).because(format!(
        "{part}: number of localizable_params ({given}) does not match the expected number of params ({wanted})"
    ))
}

/// The templates that a fresh account has.
pub fn starting_set() -> Vec<Template> {
    let body = |text: &str| json!({"type": "BODY", "text": text});
    let one = |id: &str, name: &str, language: &str, category: &str, status: &str, components: Value| Template {
        id: id.into(),
        name: name.into(),
        language: language.into(),
        category: category.into(),
        status: status.into(),
        components,
    };
    vec![
        one(
            "7100000000000001",
            "order_shipped",
            "en_US",
            "UTILITY",
            "APPROVED",
            json!([body("Hello {{1}}, your order {{2}} has left our workshop today."), {"type": "FOOTER", "text": "Lantern & Loom"}]),
        ),
        one(
            "7100000000000002",
            "order_shipped",
            "pt_BR",
            "UTILITY",
            "APPROVED",
            json!([body("Olá {{1}}, seu pedido {{2}} saiu hoje da nossa oficina.")]),
        ),
        one(
            "7100000000000003",
            "pickup_ready",
            "en_US",
            "UTILITY",
            "APPROVED",
            json!([body("Hi {{first_name}}, your {{product}} is ready to be picked up at our counter.")]),
        ),
        one(
            "7100000000000004",
            "evening_lamps",
            "en_US",
            "MARKETING",
            "APPROVED",
            json!([{"type": "HEADER", "format": "IMAGE"}, body("New evening lamps are in, {{1}}. Shall we keep one for you?"),
                   {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Yes please"}, {"type": "QUICK_REPLY", "text": "Stop offers"}]}]),
        ),
        one(
            "7100000000000005",
            "sign_in_code",
            "en_US",
            "AUTHENTICATION",
            "APPROVED",
            json!([body("{{1}} is your verification code."), {"type": "BUTTONS", "buttons": [{"type": "OTP", "text": "Copy code"}]}]),
        ),
        one(
            "7100000000000006",
            "winter_offer",
            "en_US",
            "MARKETING",
            "PAUSED",
            json!([body("Our winter offer ends tonight.")]),
        ),
        one(
            "7100000000000007",
            "spring_offer",
            "en_US",
            "MARKETING",
            "PENDING",
            json!([body("Our spring offer starts today.")]),
        ),
        one(
            "7100000000000008",
            "hello",
            "en_US",
            "UTILITY",
            "APPROVED",
            json!([body("Hello, this is Lantern & Loom. How can we help?")]),
        ),
    ]
}
