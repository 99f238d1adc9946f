//! The network of a run: requests, answers and pokes are things in a list until the run's scheduler takes them out.
//!
//! Promise: nothing here decides anything. Requests are taken in the order of (time, desk, number at that desk), whatever the
//! order in which tasks put them in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parley_client::{Carried, Wire};
use parley_domain::protocol::change::Poke;
use parley_domain::protocol::session::Secret;
use parley_meta::graph::{Broken, Posted, Reply};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// A request of a desk.
pub struct Request {
    pub desk: usize,
    pub path: &'static str,
    pub token: Option<String>,
    pub body: Vec<u8>,
    /// Dropped when no answer will come.
    pub reply: oneshot::Sender<(u16, Vec<u8>)>,
}

/// A desk that wants to open its socket.
pub struct Listen {
    pub desk: usize,
    pub token: String,
    pub reply: oneshot::Sender<Result<UnboundedReceiver<Poke>, u16>>,
}

/// A send on its way to Meta.
pub struct Send {
    pub path: String,
    pub token: String,
    pub body: Value,
    pub reply: oneshot::Sender<Result<Reply, Broken>>,
}

/// What a desk put on the network.
pub enum FromDesk {
    Request(Request),
    Listen(Listen),
}

#[derive(Default)]
struct Lists {
    from_desks: BTreeMap<(u128, usize, u64), FromDesk>,
    sends: Vec<Send>,
    counter: u64,
}

/// The network.
pub struct Net {
    began: Instant,
    lists: Mutex<Lists>,
    /// Something was put in by a desk.
    pub from_desk: Notify,
    /// A send was put in.
    pub send: Notify,
}

impl Net {
    /// An empty one.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), lists: Mutex::default(), from_desk: Notify::new(), send: Notify::new() })
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, desk: usize, one: FromDesk) {
        let at = self.began.elapsed().as_millis();
        let mut lists = self.lists();
        lists.counter += 1;
        let n = lists.counter;
        lists.from_desks.insert((at, desk, n), one);
        drop(lists);
        self.from_desk.notify_one();
    }

    /// What desks put in, in order.
    pub fn take(&self) -> Vec<FromDesk> {
        std::mem::take(&mut self.lists().from_desks).into_values().collect()
    }

    /// The sends that were put in.
    pub fn take_sends(&self) -> Vec<Send> {
        std::mem::take(&mut self.lists().sends)
    }

    /// Waits for a request of a desk; what others put in is forgotten.
    pub async fn next_post(&self, desk: usize) -> Request {
        loop {
            for one in self.take() {
                match one {
                    FromDesk::Request(request) if request.desk == desk => return request,
                    _ => {}
                }
            }
            self.from_desk.notified().await;
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.lists() = Lists::default();
    }
}

/// A desk's end of the network.
pub struct DeskWire {
    pub net: Arc<Net>,
    pub desk: usize,
}

impl Wire for DeskWire {
    fn post(&self, path: &'static str, token: Option<&Secret>, body: Vec<u8>) -> Carried<Option<(u16, Vec<u8>)>> {
        let (reply, answered) = oneshot::channel();
        let token = token.map(|token| token.expose().to_owned());
        self.net.put(self.desk, FromDesk::Request(Request { desk: self.desk, path, token, body, reply }));
        Box::pin(async move { answered.await.ok() })
    }

    fn listen(&self, token: &Secret) -> Carried<Result<UnboundedReceiver<Poke>, u16>> {
        let (reply, answered) = oneshot::channel();
        let token = token.expose().to_owned();
        self.net.put(self.desk, FromDesk::Listen(Listen { desk: self.desk, token, reply }));
        Box::pin(async move { answered.await.unwrap_or(Err(0)) })
    }
}

/// The server's end towards Meta.
pub struct GraphWire(pub Arc<Net>);

impl std::fmt::Debug for GraphWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GraphWire")
    }
}

impl parley_meta::graph::Wire for GraphWire {
    fn post<'a>(&'a self, url: &'a str, token: &'a Secret, body: &'a Value) -> Posted<'a> {
        let (reply, answered) = oneshot::channel();
        let path = url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let send = Send { path, token: token.expose().to_owned(), body: body.clone(), reply };
        self.0.lists().sends.push(send);
        self.0.send.notify_one();
        Box::pin(async move { answered.await.unwrap_or(Err(Broken::CutOff)) })
    }
}
