//! What a request must bring: the protocol's version, a token where one is needed, a body that is exactly what the route takes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use parley_domain::Code;
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER};
use serde::de::DeserializeOwned;

use super::problem::Refusal;
use crate::app::Core;
use crate::error::Error;
use crate::session::{WorkspaceCtx, authenticate};

impl FromRequestParts<Arc<Core>> for WorkspaceCtx {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, core: &Arc<Core>) -> Result<Self, Refusal> {
        protocol(&parts.headers)?;
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or(Error::Refused(Code::Unauthorized, "a bearer token is needed"))?;
        Ok(authenticate(core, token).await?)
    }
}

/// The other side speaks our version, or it is refused before anything is read.
fn protocol(headers: &HeaderMap) -> Result<(), Error> {
    let version = headers.get(PROTOCOL_HEADER).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    if version == Some(PROTOCOL) {
        Ok(())
    } else {
        Err(Error::Refused(Code::ProtocolMismatch, "this server speaks another version of the protocol"))
    }
}

/// A JSON body of exactly this type.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Core>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, core: &Arc<Core>) -> Result<Self, Refusal> {
        protocol(request.headers())?;
        let bytes = Bytes::from_request(request, core).await.map_err(|error| unreadable(&error))?;
        serde_json::from_slice(&bytes)
            .map(Self)
            // The parser's message quotes the body.
            .map_err(|_| Error::Refused(Code::BadRequest, "the body is not what this route takes").into())
    }
}

/// Why a body could not be read.
pub fn unreadable(error: &BytesRejection) -> Refusal {
    let error = if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        Error::Refused(Code::TooLarge, "the body is too large")
    } else {
        Error::Refused(Code::BadRequest, "the body cannot be read")
    };
    error.into()
}
