//! What a request must bring: the protocol's version, a token where one is needed, the right to use the route, a body that is
//! exactly what the route takes.
//!
//! Promise: [`Asked`] decides by the route's own entry in the list of endpoints, before the body is read; a handler that takes
//! it cannot forget to ask.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use parley_domain::Code;
use parley_domain::protocol::endpoint::{Admits, Endpoint};
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER, PROTOCOL_SERVED};
use serde::de::DeserializeOwned;

use super::problem::Refusal;
use crate::app::Core;
use crate::error::Error;
use crate::session::{WorkspaceCtx, authenticate};

/// A member, whatever the route: for the socket, which is no [`Endpoint`].
impl FromRequestParts<Arc<Core>> for WorkspaceCtx {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, core: &Arc<Core>) -> Result<Self, Refusal> {
        Ok(member(parts, core, Admits::Members, false).await?)
    }
}

async fn member(parts: &Parts, core: &Core, admits: Admits, step_up: bool) -> Result<WorkspaceCtx, Error> {
    let protocol = protocol(&parts.headers)?;
    let token = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(Error::Refused(Code::Unauthorized, "a bearer token is needed"))?;
    let ctx = authenticate(core, token, protocol).await?;
    core.quota.session(parts.uri.path(), &ctx)?;
    ctx.admit(admits, step_up, core.now())?;
    Ok(ctx)
}

/// A request to a route that needs a token: who asks, and what.
pub struct Asked<E: Endpoint> {
    pub ctx: WorkspaceCtx,
    pub request: E::Request,
    pub from: Option<IpAddr>,
}

impl<E: Endpoint> FromRequest<Arc<Core>> for Asked<E> {
    type Rejection = Refusal;

    async fn from_request(request: Request, core: &Arc<Core>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let ctx = member(&parts, core, E::ADMITS, E::STEP_UP).await?;
        let from = address(&parts.headers, &parts.extensions, core);
        let Body(request) = Body::from_request(Request::from_parts(parts, body), core).await?;
        Ok(Self { ctx, request, from })
    }
}

/// The network address that a request came from.
pub struct From(pub Option<IpAddr>);

impl FromRequestParts<Arc<Core>> for From {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, core: &Arc<Core>) -> Result<Self, Refusal> {
        Ok(Self(address(&parts.headers, &parts.extensions, core)))
    }
}

/// The network address that a request came from; `None` where it cannot be told.
pub fn address(headers: &HeaderMap, extensions: &Extensions, core: &Core) -> Option<IpAddr> {
    if core.config.behind_proxy {
        // The last entry is our proxy's; whatever stands before it was written by who asks.
        let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        return last.rsplit(',').next()?.trim().parse().ok();
    }
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
}

/// The version that the other side speaks: ours or the one before, or it is refused before anything is read.
fn protocol(headers: &HeaderMap) -> Result<u32, Error> {
    let version: Option<u32> =
        headers.get(PROTOCOL_HEADER).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    version
        .filter(|version| (PROTOCOL_SERVED..=PROTOCOL).contains(version))
        .ok_or(Error::Refused(Code::ProtocolMismatch, "this server speaks another version of the protocol"))
}

/// A JSON body of exactly this type.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Core>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, core: &Arc<Core>) -> Result<Self, Refusal> {
        protocol(request.headers())?;
        let bytes = Bytes::from_request(request, core).await.map_err(|error| unreadable(&error))?;
        // An array would be taken for the fields in their order.
        let object = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        // The parser's message quotes the body.
        let parsed = if object { serde_json::from_slice(&bytes).ok() } else { None };
        parsed.map(Self).ok_or_else(|| Error::Refused(Code::BadRequest, "the body is not what this route takes").into())
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
