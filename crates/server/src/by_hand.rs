//! The server's own work, one step at a time: for a simulation, which decides itself what happens when.
//!
//! Promise: each step is the function that a served app calls in its loop, and nothing runs between two steps but the writer of
//! webhook bodies, which answers whoever waits for it.

use std::sync::Arc;

use parley_domain::protocol::PROTOCOL;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::task::JoinHandle;

use crate::app::Core;
use crate::error::Result;
pub use crate::http::Heard;
use crate::http::heard;
use crate::pokes::Signal;
use crate::session::{Standing, WorkspaceCtx, authenticate, standing};
use crate::{apply, jobs, outbox};

/// A message that the sender has in hand: `sending` is committed.
#[derive(Clone, Debug)]
pub struct InHand(crate::db::outbox::Entry);

impl InHand {
    /// The message.
    pub fn message(&self) -> parley_domain::MessageId {
        self.0.message
    }
}

/// A server whose steps somebody else takes.
pub struct ByHand {
    core: Arc<Core>,
    ingest: JoinHandle<()>,
}

impl ByHand {
    pub(crate) async fn start(core: Arc<Core>, ingest: JoinHandle<()>) -> Result<Self> {
        outbox::give_up(&core, true).await?;
        jobs::plan(&core).await?;
        Ok(Self { core, ingest })
    }

    /// Applies one round of stored webhooks; `false` when there was nothing to do.
    ///
    /// # Errors
    /// The database failed.
    pub async fn apply(&self) -> Result<bool> {
        apply::step(&self.core).await
    }

    /// Looks at leases and waiting times, then takes what may be sent in hand.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_in_hand(&self) -> Result<Vec<InHand>> {
        let room = self.core.config.senders as u64;
        Ok(outbox::take_in_hand(&self.core, room).await?.into_iter().map(InHand).collect())
    }

    /// Sends one message and records what became of it. The work of a sender that dies ends where it is dropped.
    pub fn send(&self, message: InHand) -> impl Future<Output = ()> + Send + use<> {
        let core = self.core.clone();
        async move { outbox::send_one(&core, &message.0).await }
    }

    /// Runs what is due of the jobs.
    ///
    /// # Errors
    /// The database failed.
    pub async fn jobs(&self) -> Result<usize> {
        jobs::step(&self.core).await
    }

    /// Listens as a socket with this token does.
    ///
    /// # Errors
    /// The token is not good.
    pub async fn listen(&self, token: &str) -> Result<Ear> {
        let ctx = authenticate(&self.core, token, PROTOCOL).await?;
        Ok(Ear { core: self.core.clone(), ctx, signals: self.core.pokes.listen() })
    }

    /// Everything that any session may be told of.
    pub fn signals(&self) -> Receiver<Signal> {
        self.core.pokes.listen()
    }

    /// Stops as a kill would.
    pub async fn kill(self) {
        self.core.stop_at_once();
        self.ingest.abort();
        let _ = self.ingest.await;
        self.core.close().await;
    }
}

/// A socket's ear: what the server would tell this session.
pub struct Ear {
    core: Arc<Core>,
    ctx: WorkspaceCtx,
    signals: Receiver<Signal>,
}

impl Ear {
    /// Everything that came since it was asked last.
    pub fn hear(&mut self) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            let one = match self.signals.try_recv() {
                Ok(signal) => heard(&self.ctx, &signal),
                Err(TryRecvError::Lagged(_)) => Heard::Changed(0),
                Err(_) => return all,
            };
            if one != Heard::Nothing {
                all.push(one);
            }
        }
    }

    /// Whether the session still stands.
    ///
    /// # Errors
    /// The database failed.
    pub async fn standing(&self) -> Result<Standing> {
        standing(&self.core, &self.ctx).await
    }
}
