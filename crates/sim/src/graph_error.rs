//! Meta's error answers: HTTP status, code, and the JSON body (`meta-platform.md` §5, §11.1).
//!
//! Promise: a [`GraphError`] renders to the body that the Graph API sends for that code; where Meta answers with HTML, so
//! does the simulator. Nothing here decides *when* an error happens.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// One refused Graph call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    /// HTTP status.
    pub http: u16,
    /// Meta's code; clients branch on it.
    pub code: i64,
    /// Meta's subcode, where there is one.
    pub subcode: Option<i64>,
    /// `error.message`.
    pub message: String,
    /// `error.type`.
    pub kind: &'static str,
    /// `error.error_data.details`; the whole `error_data` is left out when this is.
    pub details: Option<String>,
    /// `error.is_transient`, where Meta sends it.
    pub transient: Option<bool>,
}

impl GraphError {
    fn of(http: u16, code: i64, title: &str, details: impl Into<String>) -> Self {
        Self {
            http,
            code,
            subcode: None,
            message: format!("(#{code}) {title}"),
            kind: "OAuthException",
            details: Some(details.into()),
            transient: None,
        }
    }

    /// 100: a parameter is unknown, of the wrong type, or too long.
    pub fn invalid(details: impl Into<String>) -> Self {
        Self::of(400, 100, "Invalid parameter", details)
    }

    /// 100 as Meta words a missing top-level parameter.
    pub fn required(parameter: &str) -> Self {
        Self {
            message: format!("(#100) The parameter {parameter} is required."),
            details: None,
            ..Self::of(400, 100, "", "")
        }
    }

    /// 100 with subcode 33: no such object, or no permission for it.
    pub fn no_object(verb: &str, id: &str) -> Self {
        Self {
            http: 400,
            code: 100,
            subcode: Some(33),
            message: format!(
                "Unsupported {verb} request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, \
                 or does not support this operation"
            ),
            kind: "GraphMethodException",
            details: None,
            transient: None,
        }
    }

    /// 190: the token is missing, wrong or expired.
    pub fn token(missing: bool) -> Self {
        let message = if missing {
            "An access token is required to request this resource."
        } else {
            "Invalid OAuth access token - Cannot parse access token"
        };
        Self {
            http: 401,
            code: 190,
            subcode: None,
            message: message.into(),
            kind: "OAuthException",
            details: None,
            transient: None,
        }
    }

    /// 2500: a path that the Graph does not have.
    pub fn unknown_path(path: &str) -> Self {
        Self { message: format!("Unknown path components: {path}"), details: None, ..Self::of(400, 2500, "", "") }
    }

    /// The error for a code of the send table, with Meta's title and details. Unknown codes become 135000.
    pub fn code(code: i64) -> Self {
        let (title, details) = Self::texts(code);
        let http = match code {
            131000 | 131016 => 500,
            1 | 2 => 500,
            131031 | 368 => 403,
            132001 => 404,
            _ => 400,
        };
        let mut error = Self::of(http, code, title, details);
        match code {
            2 => {
                error.message = title.into();
                error.details = None;
                error.transient = Some(true);
            }
            4 => {
                error.message = format!("(#4) {title}");
                error.details = None;
                error.subcode = Some(2446079);
                error.transient = Some(true);
            }
            133010 | 368 | 80007 => error.details = None,
            _ => {}
        }
        error
    }

    /// The same error with other details.
    #[must_use]
    pub fn because(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// The same error under another HTTP status.
    #[must_use]
    pub fn with_http(mut self, http: u16) -> Self {
        self.http = http;
        self
    }

    /// Title and details of a code, as statuses and errors carry them.
    pub fn texts(code: i64) -> (&'static str, &'static str) {
        match code {
            2 => ("An unexpected error has occurred. Please retry your request later.", ""),
            4 => ("Application request limit reached", ""),
            368 => ("Temporarily blocked for policies violations", ""),
            80007 => ("Rate limit issues", ""),
            130429 => ("Rate limit hit", "Cloud API message throughput has been reached."),
            130472 => ("User's number is part of an experiment", "This user's number is part of an experiment."),
            131000 => ("Something went wrong", "Message failed to send due to an unknown error."),
            131008 => ("Required parameter is missing", "A required parameter is missing."),
            131009 => ("Parameter value is not valid", "A parameter value is not valid."),
            131016 => ("Service unavailable", "A service is temporarily unavailable."),
            131021 => ("Recipient cannot be sender", "Recipient cannot be the sender."),
            131026 => ("Message undeliverable", "Message undeliverable."),
            131030 => (
                "Recipient phone number not in allowed list",
                "Add the recipient phone number to the recipient list and try again.",
            ),
            131031 => ("Business Account locked", "Business Account has been locked."),
            131042 => ("Business eligibility payment issue", "There was an error related to your payment method."),
            131047 => (
                "Re-engagement message",
                "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
            ),
            131048 => (
                "Spam rate limit hit",
                "There are restrictions on how many messages can be sent from this phone number.",
            ),
            131049 => (
                "Marketing message not delivered",
                "This message was not delivered to maintain healthy ecosystem engagement.",
            ),
            131050 => {
                ("User has stopped marketing messages", "The recipient chose to stop marketing messages on WhatsApp.")
            }
            131051 => ("Unsupported message type", "Unsupported message type."),
            131053 => ("Media upload error", "The media could not be downloaded or processed."),
            131056 => (
                "(Business Account, Consumer Account) pair rate limit hit",
                "Too many messages were sent from this phone number to the same phone number in a short period of time.",
            ),
            131059 => ("Invalid cursor", "The paging cursor is not valid."),
            131062 => (
                "BSUID recipient not supported",
                "Business-scoped user id recipients are not supported for this message.",
            ),
            132000 => (
                "Number of parameters does not match the expected number of params",
                "The number of parameters does not match.",
            ),
            132001 => {
                ("Template name does not exist in the translation", "The template does not exist in this language.")
            }
            132012 => (
                "Parameter format does not match format in the created template",
                "A parameter's format does not match the template.",
            ),
            132015 => ("Template is paused", "The template is paused due to low quality."),
            132016 => ("Template is disabled", "The template is disabled due to low quality."),
            133010 => ("Account not registered", ""),
            _ => (
                "Generic user error",
                "Message failed to send because of an unknown error with the request parameters.",
            ),
        }
    }

    /// The body under `error`.
    pub fn body(&self, fbtrace_id: &str) -> Value {
        let mut error = Map::new();
        error.insert("message".into(), json!(self.message));
        error.insert("type".into(), json!(self.kind));
        error.insert("code".into(), json!(self.code));
        if let Some(subcode) = self.subcode {
            error.insert("error_subcode".into(), json!(subcode));
        }
        if let Some(details) = &self.details {
            error.insert("error_data".into(), json!({"messaging_product": "whatsapp", "details": details}));
        }
        if let Some(transient) = self.transient {
            error.insert("is_transient".into(), json!(transient));
        }
        error.insert("fbtrace_id".into(), json!(fbtrace_id));
        json!({"error": error})
    }

    /// The whole HTTP answer.
    pub fn response(&self, fbtrace_id: &str) -> Response {
        let status = StatusCode::from_u16(self.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(header::CONTENT_TYPE, "application/json; charset=UTF-8")], self.body(fbtrace_id).to_string())
            .into_response()
    }
}

/// What a broken front end sends instead of JSON.
pub fn html_503() -> Response {
    let page = "<!DOCTYPE html><html><head><title>Service Unavailable</title></head><body><h1>Sorry, something went wrong.</h1></body></html>";
    (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}
