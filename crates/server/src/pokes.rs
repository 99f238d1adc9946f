//! Who is told that something changed. Pokes carry no content; nothing is missed when one is lost.

use std::sync::Arc;

use parley_domain::{DeviceId, MemberId};
use tokio::sync::broadcast;

use crate::db::sequence::Moved;

/// Pokes that a slow socket may be behind; it then gets one for all.
const BEHIND: usize = 1_024;

/// What sockets listen for.
#[derive(Clone, Debug)]
pub enum Signal {
    /// A commit became visible.
    Moved(Arc<Moved>),
    /// A device was revoked.
    Revoked(DeviceId),
    /// What a member may see has changed: their sockets close, and come back with the new rights.
    Permission(MemberId),
}

/// Spreads signals to all sockets of this node.
#[derive(Clone, Debug)]
pub struct Pokes(broadcast::Sender<Signal>);

impl Default for Pokes {
    fn default() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }
}

impl Pokes {
    /// Tells of a commit. Call it after the commit only.
    pub fn moved(&self, moved: Moved) {
        if moved.everyone || !moved.inboxes.is_empty() {
            let _ = self.0.send(Signal::Moved(Arc::new(moved)));
        }
    }

    /// Tells of a revocation.
    pub fn revoked(&self, device: DeviceId) {
        let _ = self.0.send(Signal::Revoked(device));
    }

    /// Tells of a change of what a member may see.
    pub fn permission(&self, member: MemberId) {
        let _ = self.0.send(Signal::Permission(member));
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Signal> {
        self.0.subscribe()
    }
}
