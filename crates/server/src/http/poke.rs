//! The socket: tells a desk that something in its scope changed, at once, then at most every [`POKE_EVERY`].
//!
//! Promise: it closes within 5 s when the session ends or the member's rights change, whichever node that happened on: signals
//! of this node close it at once, and the database is asked again every [`LOOK_AGAIN`].

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use parley_domain::limits::POKE_EVERY;
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::change::Poke;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior};

use super::problem::Refusal;
use super::quota::SocketPlace;
use crate::app::{Core, until};
use crate::pokes::Signal;
use crate::session::{Standing, WorkspaceCtx, standing};

/// How often the other side must show that it is there.
const PING: Duration = Duration::from_secs(30);
/// How long the other side may take to read what was said last.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often the session is looked up again.
const LOOK_AGAIN: Duration = Duration::from_secs(4);

/// What a signal means for a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    Nothing,
    /// Something in its scope changed, up to this `seq`.
    Changed(u64),
    /// Its device was revoked.
    Revoked,
    /// It is over, or its rights changed.
    Ended,
}

/// Who is told what: a session hears of its own workspace and inboxes alone (SYNC.md S50).
pub fn heard(ctx: &WorkspaceCtx, signal: &Signal) -> Heard {
    match signal {
        Signal::Moved(moved) if moved.workspace == ctx.workspace() => {
            let sees = moved.inboxes.iter().any(|inbox| ctx.actor().sees_inbox(*inbox));
            if moved.everyone || sees || planted(Bug::PokeWithoutPermission) {
                Heard::Changed(moved.seq)
            } else {
                Heard::Nothing
            }
        }
        Signal::Revoked(device) if *device == ctx.device() => Heard::Revoked,
        Signal::Permission(member) if *member == ctx.member() => Heard::Ended,
        _ => Heard::Nothing,
    }
}

/// `GET /v1/sync/poke`
pub async fn socket(
    State(core): State<Arc<Core>>,
    ctx: WorkspaceCtx,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let place = core.quota.socket(&ctx)?;
    // Listening begins before the answer, so that nothing between sign-in and the first pull is missed.
    let signals = core.pokes.listen();
    let upgrade = upgrade.max_message_size(4 * 1024).read_buffer_size(2 * 1024).write_buffer_size(1024);
    Ok(upgrade.on_upgrade(move |socket| async move {
        core.metrics.sockets.inc();
        run(socket, core.clone(), ctx, signals, place).await;
        core.metrics.sockets.dec();
    }))
}

async fn run(
    mut socket: WebSocket,
    core: Arc<Core>,
    ctx: WorkspaceCtx,
    mut signals: tokio::sync::broadcast::Receiver<Signal>,
    place: SocketPlace,
) {
    let every = Duration::from_millis(POKE_EVERY.unsigned_abs());
    let mut stop = core.until_stopping();
    let mut pings = tokio::time::interval(PING);
    let mut looks = tokio::time::interval(LOOK_AGAIN);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pending: Option<u64> = None;
    let mut next = Instant::now();
    loop {
        tokio::select! {
            signal = signals.recv() => {
                let heard = match signal {
                    Ok(signal) => heard(&ctx, &signal),
                    // Some were lost: whatever they said, a pull tells.
                    Err(RecvError::Lagged(_)) => Heard::Changed(0),
                    Err(RecvError::Closed) => return,
                };
                match heard {
                    Heard::Nothing => {}
                    Heard::Changed(seq) => pending = pending.max(Some(seq)),
                    Heard::Revoked => {
                        let _ = say(&mut socket, &Poke::Revoked).await;
                        return farewell(socket).await;
                    }
                    Heard::Ended => return farewell(socket).await,
                }
            },
            () = tokio::time::sleep_until(next), if pending.is_some() => {
                if let Some(seq) = pending.take() {
                    if !say(&mut socket, &Poke::Changed { seq }).await {
                        return;
                    }
                    next = Instant::now() + every;
                }
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_))) | None | Some(Err(_)) => return,
                Some(Ok(_)) => {}
            },
            _ = pings.tick() => {
                if socket.send(Message::Ping(Default::default())).await.is_err() {
                    return;
                }
            },
            // The first look is at once: what happened between authentication and listening is not missed.
            _ = looks.tick() => match standing(&core, &ctx).await {
                Ok(Standing::Good) => {}
                Ok(Standing::Revoked) => {
                    let _ = say(&mut socket, &Poke::Revoked).await;
                    return farewell(socket).await;
                }
                Ok(Standing::Changed) => {
                    return farewell(socket).await;
                }
                // A session that cannot be looked up is not trusted either.
                Err(error) => {
                    tracing::warn!(%error, "a session could not be looked up; its socket closes");
                    return;
                }
            },
            () = place.lost() => {
                let _ = socket.send(Message::Close(None)).await;
                return;
            },
            () = until(&mut stop) => {
                return farewell(socket).await;
            },
        }
    }
}

/// Closes and waits for the answer: a connection that is dropped while the other side's pong is under way is reset, and what
/// was said last may be lost with it.
async fn farewell(mut socket: WebSocket) {
    if socket.send(Message::Close(None)).await.is_ok() {
        let answer = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = tokio::time::timeout(FAREWELL, answer).await;
    }
}

async fn say(socket: &mut WebSocket, poke: &Poke) -> bool {
    match serde_json::to_string(poke) {
        Ok(text) => socket.send(Message::Text(text.into())).await.is_ok(),
        Err(_) => false,
    }
}
