//! Refusals on the wire.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parley_domain::Code;
use parley_domain::protocol::Problem;

use crate::error::Error;

/// An error as an answer.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: Error,
}

impl Refusal {
    /// With a status that the code alone does not tell.
    pub fn with(status: StatusCode, error: Error) -> Self {
        Self { status, error }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.code() {
            Code::BadRequest => StatusCode::BAD_REQUEST,
            Code::Unauthorized
            | Code::BadCredentials
            | Code::DeviceRevoked
            | Code::SecondFactorNeeded
            | Code::BadSecondFactor => StatusCode::UNAUTHORIZED,
            Code::Forbidden | Code::SecondFactorRequired | Code::StepUpNeeded => StatusCode::FORBIDDEN,
            // What is not visible is answered like what is not there.
            Code::NotFound | Code::OutOfScope | Code::InvitationInvalid => StatusCode::NOT_FOUND,
            Code::Conflict | Code::LastAdmin => StatusCode::CONFLICT,
            Code::WeakPassword => StatusCode::UNPROCESSABLE_ENTITY,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::ProtocolMismatch => StatusCode::UPGRADE_REQUIRED,
            Code::ServerFailed => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, error }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(error = %self.error, "a request failed");
        }
        let retry_after = match (&self.error, self.error.code()) {
            (Error::Wait(_, milliseconds), _) => Some(*milliseconds),
            (_, Code::RateLimited | Code::ServerFailed) => Some(1_000),
            _ => None,
        };
        let message = match &self.error {
            Error::Refused(_, message) => (*message).to_owned(),
            Error::Wait(..) => "too many tries; wait".to_owned(),
            // What is wrong inside is for the log.
            _ => "the server failed".to_owned(),
        };
        let problem = Problem { code: self.error.code(), message, retry_after };
        let mut response = (self.status, Json(problem)).into_response();
        if let Some(milliseconds) = retry_after {
            // The header counts in seconds: rounded up, so that who heeds it is not refused again.
            let seconds = milliseconds.max(0).unsigned_abs().div_ceil(1_000);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
