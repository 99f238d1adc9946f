//! Every route once, with its method, path and types: the server's handlers and the desk's client are both made from this.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::change::{BackfillRequest, PullPage, PullRequest, SnapshotPage, SnapshotRequest};
use super::intent::{OutcomesAnswer, OutcomesRequest, PushAnswer, PushRequest};
use super::session::{RefreshRequest, Session, SignInRequest};

/// A route that takes and returns JSON by POST. A refusal is a [`super::Problem`] with a status of 4xx or 5xx; a pull,
/// snapshot or backfill whose cursor cannot be served gets 409 and a [`super::change::ResyncRequired`].
pub trait Endpoint {
    /// Path below the server's address.
    const PATH: &'static str;
    /// Whether a bearer access token is needed.
    const SIGNED_IN: bool;
    /// Body of the request.
    type Request: Serialize + DeserializeOwned;
    /// Body of the answer.
    type Response: Serialize + DeserializeOwned;
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident: $path:literal, signed_in $signed:literal, $request:ty => $response:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;
            impl Endpoint for $name {
                const PATH: &'static str = $path;
                const SIGNED_IN: bool = $signed;
                type Request = $request;
                type Response = $response;
            }
        )*
        /// Every path, for tests that walk over all routes.
        pub const PATHS: &[&str] = &[$($path),*];
    };
}

endpoints! {
    /// Signs a device in.
    SignIn: "/v1/session/sign-in", signed_in false, SignInRequest => Session;
    /// Replaces tokens.
    Refresh: "/v1/session/refresh", signed_in false, RefreshRequest => Session;
    /// Signs the device out and forgets its tokens.
    SignOut: "/v1/session/sign-out", signed_in true, serde_json::Value => serde_json::Value;
    /// What changed.
    Pull: "/v1/sync/pull", signed_in true, PullRequest => PullPage;
    /// Everything, newest conversations first.
    Snapshot: "/v1/sync/snapshot", signed_in true, SnapshotRequest => SnapshotPage;
    /// One root.
    Backfill: "/v1/sync/backfill", signed_in true, BackfillRequest => SnapshotPage;
    /// Edits.
    Push: "/v1/sync/push", signed_in true, PushRequest => PushAnswer;
    /// Outcomes by id.
    Outcomes: "/v1/sync/outcomes", signed_in true, OutcomesRequest => OutcomesAnswer;
}

/// The socket: `GET` with a bearer access token, upgraded; carries [`super::change::Poke`] as JSON text.
pub const POKE_PATH: &str = "/v1/sync/poke";
/// Liveness: 200 with `{"status":"ok"}` without a token.
pub const HEALTH_PATH: &str = "/health";
