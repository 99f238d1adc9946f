//! The world of a run: one server, four desks, Meta with its customers, and a scheduler that decides what happens next.
//!
//! Promise: one thing happens at a time. Before each, every desk has done what it could and waits for an answer, a poke or the
//! clock; while the server works, the clock stands. So a plan has one history, whatever threads do (docs/adr/0007-simulation.md).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request as HttpRequest, header};
use parley_client::{Engine, EngineConfig, Outside};
use parley_domain::protocol::change::{Poke, PullPage, ResyncReason, ResyncRequired, SnapshotPage};
use parley_domain::protocol::endpoint::{Backfill, Endpoint, Pull, Push, Refresh, Snapshot};
use parley_domain::protocol::intent::{PushAnswer, PushRequest, Verdict};
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER};
use parley_domain::time::SeededRandomness;
use parley_domain::{ConversationId, InboxId, LabelId, MessageId, OrderId, StageId};
use parley_meta::graph::{Broken, Reply};
use parley_server::pokes::Signal;
use parley_server::{App, ByHand, Deps, Ear, Heard};
use parley_sim::{Customer, Detached, Fault, Posted};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};
use tower::ServiceExt;
use xtask::failure::Failure;

use super::frozen;
use super::history::{History, Sight};
use super::network::{DeskWire, FromDesk, GraphWire, Listen, Net, Request, Send};
use super::plan::{DESKS, HookFault, Moment, NetFault, Plan};
use super::start::{self, Ids, MEMBERS, SimClock, SimDisk, SimVault, Start, WORKSPACE_OF};
use crate::Fallible;

/// Pokes to one socket, at most one in this many milliseconds, as the server's own socket has it.
const POKE_EVERY: u64 = 250;
/// Turns that every task gets before anything happens: more than any chain of tasks in a desk is long.
const TURNS: usize = 6;

/// What is about to happen.
pub(super) enum Event {
    /// A request reaches the server.
    Arrive(Request, bool),
    /// An answer reaches a desk.
    Answer {
        desk: usize,
        life: u64,
        reply: oneshot::Sender<(u16, Vec<u8>)>,
        status: u16,
        body: Vec<u8>,
        after: After,
    },
    /// An answer that was lost is given up.
    Drop(#[expect(dead_code, reason = "held until it is dropped")] oneshot::Sender<(u16, Vec<u8>)>),
    Listen(Listen),
    PokeOut(usize),
    Poke {
        desk: usize,
        socket: u64,
        seq: u64,
    },
    Hook {
        posted: Posted,
        tries: u32,
        lose_answer: bool,
    },
    Post,
    Gathered,
    Apply,
    Outbox,
    Jobs,
    AtMeta {
        send: u64,
        request: Send,
        fault: Option<Fault>,
    },
    FromMeta {
        send: u64,
        reply: oneshot::Sender<Result<Reply, Broken>>,
        result: Result<Reply, Broken>,
    },
    ServerUp,
    DeskUp(usize),
    Healed(usize),
    DiskUsual(usize),
    /// A look at a desk right after an answer.
    Look(usize, After),
}

/// What to look at when a desk has taken an answer.
#[derive(Clone, Default)]
pub(super) struct After {
    /// Messages that a push was answered for.
    pub applied: Vec<MessageId>,
    /// The desk was told that its rights changed, and that these inboxes are left.
    pub allowed: Option<BTreeSet<InboxId>>,
}

/// The server while it lives.
pub(super) struct Server {
    pub app: App,
    pub by_hand: ByHand,
    pub router: Router,
    signals: broadcast::Receiver<Signal>,
}

pub(super) struct Socket {
    id: u64,
    ear: Ear,
    pokes: mpsc::UnboundedSender<Poke>,
    pending: Option<u64>,
    next: u64,
}

/// A desk and what the run knows of it.
pub(super) struct Desk {
    pub engine: Option<Engine>,
    vault: Arc<SimVault>,
    pub clock: Arc<SimClock>,
    pub disk: Arc<SimDisk>,
    pub faults: VecDeque<NetFault>,
    /// The network is gone until then.
    pub cut_until: u64,
    socket: Option<Socket>,
    pub sight: Sight,
    /// Rights changed since it last was at rest.
    pub rights_changed: bool,
    /// What it was sent, in the order of coming.
    pub conversations: Vec<ConversationId>,
    pub orders: Vec<OrderId>,
    pub labels: Vec<LabelId>,
    pub stages: Vec<StageId>,
    pub positions: BTreeMap<ConversationId, Vec<u64>>,
    pub own: Vec<(ConversationId, MessageId)>,
    starts: u64,
}

/// A run in progress.
pub struct World {
    pub(super) plan: Plan,
    pub(super) ids: Ids,
    dir: TempDir,
    pub(super) clock: Arc<SimClock>,
    began: Instant,
    net: Arc<Net>,
    pub(super) meta: Detached,
    pub(super) customers: Vec<Customer>,
    pub(super) server: Option<Server>,
    pub(super) life: u64,
    pub(super) crash_on: Option<(Moment, u64)>,
    pub(super) desks: Vec<Desk>,
    queue: BTreeMap<(u64, u64), Event>,
    counter: u64,
    sends: BTreeMap<u64, JoinHandle<()>>,
    pub(super) meta_faults: VecDeque<Fault>,
    pub(super) hook_faults: VecDeque<HookFault>,
    raised: Vec<Posted>,
    post_due: bool,
    gathering: Vec<Posted>,
    apply_due: bool,
    outbox_due: bool,
    pub(super) rng: ChaCha8Rng,
    pub history: History,
    pub(super) texts: u64,
    log: Sha256,
    lines: u64,
    echo: bool,
}

impl World {
    /// Everything in place, the server up and the desks open.
    ///
    /// # Errors
    /// Files cannot be written, or a program does not open.
    pub async fn new(plan: Plan, echo: bool) -> Fallible<Self> {
        let start = Start::get()?;
        let (dir, vaults) = start.copy()?;
        let clock = Arc::new(SimClock::new(start.base));
        let meta = Detached::new(start::platform(plan.seed, clock.clone()))?;
        let customers = (0..super::plan::CUSTOMERS)
            .map(|n| {
                // Every third hides the phone behind a username.
                let username = (n % 3 == 2).then(|| format!("@person{n}"));
                meta.customer(&format!("Person {n}"), Some(&format!("+1 555 020 {n:04}")), username.as_deref())
            })
            .collect();
        let ids = start.ids.clone();
        let desks = MEMBERS
            .iter()
            .zip(vaults)
            .enumerate()
            .map(|(who, ((_, workspace, role, numbers), vault))| Desk {
                engine: None,
                vault,
                clock: Arc::new(SimClock::new(start.base)),
                disk: Arc::new(SimDisk::default()),
                faults: VecDeque::new(),
                cut_until: 0,
                socket: None,
                sight: Sight {
                    workspace: ids.workspaces[*workspace],
                    member: ids.members[who],
                    role: *role,
                    inboxes: numbers.iter().map(|n| ids.inboxes[*n]).collect(),
                },
                rights_changed: false,
                conversations: Vec::new(),
                orders: Vec::new(),
                labels: Vec::new(),
                stages: Vec::new(),
                positions: BTreeMap::new(),
                own: Vec::new(),
                starts: 0,
            })
            .collect();
        let mut world = Self {
            rng: ChaCha8Rng::seed_from_u64(plan.seed ^ 0x6e65_7477_6f72_6b21),
            plan,
            ids,
            dir,
            clock,
            began: Instant::now(),
            net: Net::new(),
            meta,
            customers,
            server: None,
            life: 0,
            crash_on: None,
            desks,
            queue: BTreeMap::new(),
            counter: 0,
            sends: BTreeMap::new(),
            meta_faults: VecDeque::new(),
            hook_faults: VecDeque::new(),
            raised: Vec::new(),
            post_due: false,
            gathering: Vec::new(),
            apply_due: false,
            outbox_due: false,
            history: History::default(),
            texts: 0,
            log: Sha256::new(),
            lines: 0,
            echo,
        };
        world.server_up().await?;
        for who in 0..DESKS {
            world.desk_up(who).await;
        }
        world.later(60_000, Event::Jobs);
        Ok(world)
    }

    /// Milliseconds since the run began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A line of the log: time and what happened, without any time or order of this machine.
    pub(super) fn say(&mut self, line: &str) {
        let line = format!("{:>9} {line}\n", self.now());
        if self.echo {
            print!("{line}");
        }
        self.log.update(line.as_bytes());
        self.lines += 1;
    }

    /// The hash of the log so far, and its length in lines.
    pub fn digest(&self) -> (String, u64) {
        (hex::encode(self.log.clone().finalize()), self.lines)
    }

    pub(super) fn later(&mut self, after: u64, event: Event) {
        self.counter += 1;
        self.queue.insert((self.now() + after, self.counter), event);
    }

    pub(super) fn latency(&mut self, most: u64) -> u64 {
        self.rng.random_range(1..=most)
    }

    /// Lets time pass until `until`, with everything that comes in it.
    pub(super) async fn pump(&mut self, until: u64) -> Fallible {
        loop {
            settle().await;
            self.arrivals();
            let now = self.now();
            if self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= now)
                && let Some((_, event)) = self.queue.pop_first()
            {
                self.handle(event).await?;
                continue;
            }
            if now >= until || !self.history.violations.is_empty() {
                return Ok(());
            }
            let next = self.queue.first_key_value().map_or(until, |((at, _), _)| (*at).min(until));
            let net = self.net.clone();
            tokio::select! {
                biased;
                () = net.from_desk.notified() => {}
                () = tokio::time::sleep_until(self.began + Duration::from_millis(next)) => {}
            }
        }
    }

    /// What desks put on the network since.
    fn arrivals(&mut self) {
        for one in self.net.take() {
            let now = self.now();
            match one {
                FromDesk::Request(request) => self.depart(request, now),
                FromDesk::Listen(listen) => {
                    if self.desks[listen.desk].cut_until <= now {
                        let wait = self.latency(30);
                        self.later(wait, Event::Listen(listen));
                    }
                }
            }
        }
    }

    fn depart(&mut self, request: Request, now: u64) {
        let who = request.desk;
        if self.desks[who].cut_until > now {
            self.later(3_000, Event::Drop(request.reply));
            return;
        }
        let mut wait = self.latency(40);
        let refresh = request.path == Refresh::PATH;
        let fits = |fault: &NetFault| match fault {
            NetFault::LoseRequest | NetFault::Repeat { .. } | NetFault::Delay { .. } => true,
            NetFault::LoseAnswer => !refresh,
            NetFault::LoseRefresh => refresh,
            NetFault::LosePoke | NetFault::LatePoke { .. } => false,
        };
        let at = self.desks[who].faults.iter().position(fits);
        let mut lose_answer = false;
        match at.and_then(|at| self.desks[who].faults.remove(at)) {
            Some(NetFault::LoseRequest) => {
                self.struck("request lost");
                self.later(35_000, Event::Drop(request.reply));
                return;
            }
            Some(NetFault::Repeat { ms }) => {
                self.struck("request repeated");
                // Nobody waits for the answer to the second one.
                let (reply, _) = oneshot::channel();
                let (token, body) = (request.token.clone(), request.body.clone());
                self.later(
                    wait + ms,
                    Event::Arrive(Request { desk: who, path: request.path, token, body, reply }, false),
                );
            }
            Some(NetFault::Delay { ms }) => {
                self.struck("request delayed");
                wait += ms;
            }
            Some(NetFault::LoseAnswer) => {
                self.struck("answer lost");
                lose_answer = true;
            }
            Some(NetFault::LoseRefresh) => {
                self.struck("refresh answer lost");
                lose_answer = true;
            }
            _ => {}
        }
        self.later(wait, Event::Arrive(request, lose_answer));
    }

    pub(super) fn struck(&mut self, fault: &str) {
        self.say(&format!("fault: {fault}"));
        self.history.tally.struck(fault);
    }

    async fn handle(&mut self, event: Event) -> Fallible {
        match event {
            Event::Arrive(request, lose_answer) => self.arrive(request, lose_answer).await?,
            Event::Answer { desk, life, reply, status, body, after } => {
                if life == self.life && self.desks[desk].cut_until <= self.now() {
                    let _ = reply.send((status, body));
                    if !after.applied.is_empty() || after.allowed.is_some() {
                        self.later(1, Event::Look(desk, after));
                    }
                }
            }
            Event::Drop(_) => {}
            Event::Listen(listen) => self.listen(listen).await,
            Event::PokeOut(desk) => self.poke_out(desk),
            Event::Poke { desk, socket, seq } => {
                if let Some(open) = self.desks[desk].socket.as_ref().filter(|open| open.id == socket) {
                    let _ = open.pokes.send(Poke::Changed { seq });
                }
            }
            Event::Hook { posted, tries, lose_answer } => self.hook(posted, tries, lose_answer).await?,
            Event::Post => self.post(),
            Event::Gathered => {
                let parts = std::mem::take(&mut self.gathering);
                let posted = self.meta.together(&parts);
                self.later(1, Event::Hook { posted, tries: 0, lose_answer: false });
            }
            Event::Apply => self.apply().await?,
            Event::Outbox => self.outbox().await?,
            Event::Jobs => {
                if let Some(server) = &self.server {
                    frozen(server.by_hand.jobs()).await?;
                }
                self.after_work();
                self.later(10 * 60_000, Event::Jobs);
            }
            Event::AtMeta { send, request, fault } => self.at_meta(send, request, fault).await,
            Event::FromMeta { send, reply, result } => {
                if let Some(task) = self.sends.remove(&send) {
                    let _ = reply.send(result);
                    let _ = frozen(task).await;
                    self.after_work();
                    self.plan_outbox(120);
                }
            }
            Event::ServerUp => self.server_up().await?,
            Event::DeskUp(who) => self.desk_up(who).await,
            Event::Healed(who) => self.say(&format!("desk {who} has a network again")),
            Event::DiskUsual(who) => self.desks[who].disk.0.store(0, std::sync::atomic::Ordering::SeqCst),
            Event::Look(who, after) => self.look(who, after).await,
        }
        Ok(())
    }

    // The server.

    pub(super) async fn server_up(&mut self) -> Fallible {
        if self.server.is_some() {
            return Ok(());
        }
        self.life += 1;
        let deps = Deps {
            clock: self.clock.clone(),
            randomness: Arc::new(SeededRandomness::new(self.plan.seed.wrapping_mul(31).wrapping_add(self.life))),
        };
        let graph = Arc::new(GraphWire(self.net.clone()));
        let config = start::config(self.dir.path());
        let server = frozen(async move {
            let app = App::open_over(config, deps, graph).await?;
            let by_hand = app.by_hand().await?;
            let (router, signals) = (app.router(), by_hand.signals());
            Ok::<_, parley_server::Error>(Server { app, by_hand, router, signals })
        })
        .await?;
        self.server = Some(server);
        self.say("the server is up");
        self.plan_apply(1);
        self.plan_outbox(2);
        Ok(())
    }

    /// Kills the server; it is back after `down`.
    pub(super) async fn crash_server(&mut self, down: u64) {
        let Some(server) = self.server.take() else { return };
        self.say("the server is killed");
        for task in self.sends.values() {
            task.abort();
        }
        for (_, task) in std::mem::take(&mut self.sends) {
            let _ = frozen(task).await;
        }
        // What had left for Meta arrives there; nobody waits for the answer.
        for desk in &mut self.desks {
            desk.socket = None;
        }
        let Server { app, by_hand, router, signals } = server;
        drop((router, signals));
        frozen(by_hand.kill()).await;
        drop(app);
        self.later(down, Event::ServerUp);
    }

    async fn crashes(&mut self, moment: Moment) -> bool {
        if let Some((_, down)) = self.crash_on.take_if(|(on, _)| *on == moment) {
            self.struck(if moment == Moment::Sending {
                "server crash: sending"
            } else {
                "server crash: pushed or hooked"
            });
            self.crash_server(down).await;
            return true;
        }
        false
    }

    async fn arrive(&mut self, request: Request, lose_answer: bool) -> Fallible {
        let who = request.desk;
        let Some(server) = &self.server else {
            // Nobody listens there: refused at once.
            return Ok(());
        };
        let (status, body) = frozen(answer(&server.router, &request)).await?;
        let mut after = After::default();
        let mut what = String::new();
        match (request.path, status) {
            (path, 200) if path == Push::PATH => {
                let asked: PushRequest = serde_json::from_slice(&request.body)?;
                let answered: PushAnswer = serde_json::from_slice(&body)?;
                self.history.offered(&asked.intents);
                what = answered.answers.iter().map(|answer| format!(" {:?}", answer.result)).collect();
                after.applied = answered
                    .answers
                    .iter()
                    .filter(|answer| answer.result == Verdict::Applied)
                    .filter_map(|answer| self.history.made.get(&answer.id)?.message)
                    .collect();
            }
            (path, 200) if path == Pull::PATH => {
                let page: PullPage = serde_json::from_slice(&body)?;
                what = format!(
                    " {} rows, {} in, {} out, {} outcomes, upto {}",
                    page.rows.len(),
                    page.enter.len(),
                    page.gone.len(),
                    page.outcomes.len(),
                    page.upto
                );
                self.sent(who, &page.rows).await?;
            }
            (path, 200) if path == Snapshot::PATH || path == Backfill::PATH => {
                let page: SnapshotPage = serde_json::from_slice(&body)?;
                what = format!(" {} rows", page.rows.len());
                self.sent(who, &page.rows).await?;
            }
            (_, 409) => {
                let required: ResyncRequired = serde_json::from_slice(&body)?;
                if required.reason == ResyncReason::Permission {
                    after.allowed = Some(required.allowed.into_iter().collect());
                }
                what = " resync".to_owned();
            }
            (path, 401) if path != Refresh::PATH => self.struck("token expired"),
            _ => {}
        }
        self.say(&format!("desk {who} {} {status}{what}", request.path));
        let pushed = request.path == Push::PATH;
        self.after_work();
        if pushed {
            self.plan_outbox(20);
            if self.crashes(Moment::Pushed).await {
                return Ok(());
            }
        }
        if lose_answer {
            // Cut off now, or silent until the desk gives up.
            if self.rng.random() {
                self.later(35_000, Event::Drop(request.reply));
            }
            return Ok(());
        }
        let (wait, life) = (self.latency(40), self.life);
        self.later(wait, Event::Answer { desk: who, life, reply: request.reply, status, body, after });
        Ok(())
    }

    async fn listen(&mut self, listen: Listen) {
        let who = listen.desk;
        let Some(server) = &self.server else { return };
        let heard = frozen(server.by_hand.listen(&listen.token)).await;
        let good = heard.is_ok();
        match heard {
            Ok(ear) => {
                let (pokes, received) = mpsc::unbounded_channel();
                self.counter += 1;
                if listen.reply.send(Ok(received)).is_ok() {
                    self.desks[who].socket = Some(Socket { id: self.counter, ear, pokes, pending: None, next: 0 });
                }
            }
            Err(_) => drop(listen.reply.send(Err(401))),
        }
        self.say(&format!("desk {who} opens its socket: {good}"));
    }

    /// What the server has told its sockets since; each is held against who may hear it.
    pub(super) fn after_work(&mut self) {
        let Some(server) = &mut self.server else { return };
        let mut moved = Vec::new();
        while let Ok(signal) = server.signals.try_recv() {
            if let Signal::Moved(one) = signal {
                moved.push(one);
            }
        }
        let now = self.now();
        let mut out = Vec::new();
        let mut wrong = Vec::new();
        let mut told = 0;
        for (who, desk) in self.desks.iter_mut().enumerate() {
            let Some(socket) = &mut desk.socket else { continue };
            let mut ended = false;
            for heard in socket.ear.hear() {
                match heard {
                    Heard::Changed(seq) => {
                        told += 1;
                        let concerns = moved.iter().any(|one| {
                            one.seq == seq
                                && one.workspace == desk.sight.workspace
                                && (one.everyone || one.inboxes.iter().any(|inbox| desk.sight.inboxes.contains(inbox)))
                        });
                        if !concerns {
                            wrong.push(format!("desk {who} is poked about {seq}, which is not in its inboxes"));
                        }
                        if socket.pending.is_none() {
                            out.push((who, socket.next.saturating_sub(now).max(1)));
                        }
                        socket.pending = socket.pending.max(Some(seq));
                    }
                    Heard::Revoked | Heard::Ended => ended = true,
                    Heard::Nothing => {}
                }
            }
            if ended {
                desk.socket = None;
            }
        }
        self.history.tally.checked("I8", told);
        for text in wrong {
            self.history.violated("I8", text);
        }
        for (who, wait) in out {
            self.later(wait, Event::PokeOut(who));
        }
    }

    fn poke_out(&mut self, who: usize) {
        let now = self.now();
        let Some(socket) = &mut self.desks[who].socket else { return };
        let Some(seq) = socket.pending.take() else { return };
        socket.next = now + POKE_EVERY;
        let id = socket.id;
        let at = self.desks[who]
            .faults
            .iter()
            .position(|fault| matches!(fault, NetFault::LosePoke | NetFault::LatePoke { .. }));
        let mut wait = self.latency(20);
        match at.and_then(|at| self.desks[who].faults.remove(at)) {
            Some(NetFault::LosePoke) => return self.struck("poke lost"),
            Some(NetFault::LatePoke { ms }) => {
                self.struck("poke late");
                wait += ms;
            }
            _ => {}
        }
        self.later(wait, Event::Poke { desk: who, socket: id, seq });
    }

    // Webhooks.

    /// Takes what Meta has raised; soon it is on its way, with what comes until then.
    pub(super) fn raised(&mut self) {
        self.raised.extend(self.meta.take());
        if !self.raised.is_empty() && !std::mem::replace(&mut self.post_due, true) {
            let wait = self.latency(400);
            self.later(wait, Event::Post);
        }
    }

    /// Puts events into bodies, several in one as Meta does, and the bodies on their way.
    fn post(&mut self) {
        self.post_due = false;
        let mut left = std::mem::take(&mut self.raised);
        while !left.is_empty() {
            let count = if self.rng.random_ratio(1, 3) { 1 } else { self.rng.random_range(1..=left.len().min(8)) };
            let parts: Vec<Posted> = left.drain(..count).collect();
            let posted = if let [one] = parts.as_slice() { one.clone() } else { self.meta.together(&parts) };
            self.send_hook(posted);
        }
    }

    fn send_hook(&mut self, posted: Posted) {
        let wait = self.latency(60);
        match self.hook_faults.pop_front() {
            None => self.later(wait, Event::Hook { posted, tries: 0, lose_answer: false }),
            Some(HookFault::Lose) => {
                self.struck("webhook lost");
                self.later(2_000, Event::Hook { posted, tries: 1, lose_answer: false });
            }
            Some(HookFault::LoseAnswer) => {
                self.struck("webhook answer lost");
                self.later(wait, Event::Hook { posted, tries: 0, lose_answer: true });
            }
            Some(HookFault::Repeat { ms }) => {
                self.struck("webhook repeated");
                self.later(wait + ms, Event::Hook { posted: posted.clone(), tries: 0, lose_answer: false });
                self.later(wait, Event::Hook { posted, tries: 0, lose_answer: false });
            }
            Some(HookFault::Delay { ms }) => {
                self.struck("webhook late, overtaken");
                self.later(wait + ms, Event::Hook { posted, tries: 0, lose_answer: false });
            }
            Some(HookFault::Gather { ms }) => {
                self.struck("webhooks gathered");
                if self.gathering.is_empty() {
                    self.later(ms, Event::Gathered);
                }
                self.gathering.push(posted);
            }
        }
    }

    async fn hook(&mut self, posted: Posted, tries: u32, lose_answer: bool) -> Fallible {
        let Some(server) = &self.server else {
            let wait = 1_000u64 << tries.min(5);
            self.later(wait, Event::Hook { posted, tries: tries + 1, lose_answer });
            return Ok(());
        };
        let app = parley_sim::SimConfig::new(1).app_id;
        let request = HttpRequest::post(format!("/webhooks/meta/{app}"))
            .header("x-hub-signature-256", posted.signature.clone())
            .body(Body::from(posted.bytes.clone()))?;
        let (status, _) = frozen(asked(&server.router, request)).await?;
        self.say(&format!("webhook of {} bytes: {status}", posted.bytes.len()));
        if status != 200 {
            self.later(2_000, Event::Hook { posted, tries: tries + 1, lose_answer });
            return Ok(());
        }
        if lose_answer {
            let again = posted.clone();
            self.later(3_000, Event::Hook { posted: again, tries: tries + 1, lose_answer: false });
        } else {
            self.history.hook_acked(&posted.bytes);
        }
        if !self.crashes(Moment::Hooked).await {
            self.plan_apply(120);
        }
        Ok(())
    }

    /// What is slow or lost is so no longer: it comes now, or is given up now.
    pub(super) fn hurry(&mut self) {
        for (at, event) in std::mem::take(&mut self.queue) {
            match event {
                Event::Drop(_) => {}
                Event::Arrive(..) | Event::Hook { .. } | Event::Poke { .. } => {
                    let wait = self.latency(60);
                    self.later(wait, event);
                }
                other => drop(self.queue.insert(at, other)),
            }
        }
    }

    /// No webhook is on its way.
    pub(super) fn quiet(&self) -> bool {
        self.gathering.is_empty()
            && self.raised.is_empty()
            && !self.queue.values().any(|event| matches!(event, Event::Hook { .. } | Event::Apply))
    }

    pub(super) fn plan_apply(&mut self, after: u64) {
        if !std::mem::replace(&mut self.apply_due, true) {
            self.later(after, Event::Apply);
        }
    }

    pub(super) fn plan_outbox(&mut self, after: u64) {
        if !std::mem::replace(&mut self.outbox_due, true) {
            self.later(after, Event::Outbox);
        }
    }

    async fn apply(&mut self) -> Fallible {
        self.apply_due = false;
        if let Some(server) = &self.server {
            frozen(async {
                while server.by_hand.apply().await? {}
                Ok::<_, parley_server::Error>(())
            })
            .await?;
            self.after_work();
            self.plan_outbox(120);
        }
        Ok(())
    }

    // Sends.

    async fn outbox(&mut self) -> Fallible {
        self.outbox_due = false;
        let Some(server) = &self.server else { return Ok(()) };
        let taken = frozen(server.by_hand.take_in_hand()).await?;
        self.after_work();
        for message in taken {
            let Some(server) = &self.server else { return Ok(()) };
            let id = message.message();
            let mut task = tokio::spawn(server.by_hand.send(message));
            let net = self.net.clone();
            let left = frozen(async {
                loop {
                    let sends = net.take_sends();
                    if !sends.is_empty() {
                        return sends;
                    }
                    tokio::select! {
                        biased;
                        () = net.send.notified() => {}
                        _ = &mut task => return net.take_sends(),
                    }
                }
            })
            .await;
            self.say(&format!("message {id} leaves: {}", !left.is_empty()));
            self.counter += 1;
            let send = self.counter;
            if !left.is_empty() {
                self.sends.insert(send, task);
            }
            for request in left {
                let (wait, fault) = (self.latency(300), self.meta_faults.pop_front());
                self.later(wait, Event::AtMeta { send, request, fault });
                if self.crashes(Moment::Sending).await {
                    return Ok(());
                }
            }
            self.after_work();
        }
        let Some(server) = &self.server else { return Ok(()) };
        if frozen(parley_server::db::outbox::count_rows(server.app.db().reader())).await? > 0 {
            self.plan_outbox(1_000);
        }
        Ok(())
    }

    async fn at_meta(&mut self, send: u64, request: Send, fault: Option<Fault>) {
        let Send { path, token, body, reply } = request;
        let mut wait = self.latency(200);
        if let Some(fault) = &fault {
            self.struck(match fault {
                Fault::RateLimited => "meta 429",
                Fault::Broken => "meta 500, not accepted",
                Fault::BrokenAfterAccept => "meta 500, accepted",
                Fault::Html503 => "meta 503",
                Fault::TimeoutBeforeAccept { .. } => "meta timeout before accept",
                Fault::ResetAfterAccept => "meta reset after accept",
                Fault::Slow { .. } => "meta answers after status",
                _ => "meta fails later",
            });
        }
        if matches!(fault, Some(Fault::TimeoutBeforeAccept { .. })) {
            self.later(30_000, Event::FromMeta { send, reply, result: Err(Broken::NoAnswer) });
            return;
        }
        if matches!(fault, Some(Fault::Slow { .. })) {
            wait += 8_000;
        }
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let answered = self.meta.post(&path, &token, text, fault).await;
        self.say(&format!("Meta answers {:?}", answered.as_ref().map(|(status, _)| *status)));
        let result = match answered {
            Some((status, body)) => Ok(Reply { status, headers: Default::default(), body, whole: true }),
            None => Err(Broken::CutOff),
        };
        self.later(wait, Event::FromMeta { send, reply, result });
        self.raised();
    }

    // Desks.

    /// Opens a desk.
    pub(super) async fn desk_up(&mut self, who: usize) {
        if self.desks[who].engine.is_some() {
            return;
        }
        let desk = &mut self.desks[who];
        desk.starts += 1;
        let seed = self.plan.seed.wrapping_mul(977).wrapping_add(desk.starts * 10 + who as u64);
        let config = EngineConfig {
            base_dir: start::desk_dir(self.dir.path(), who),
            vault: desk.vault.clone(),
            clock: desk.clock.clone(),
            randomness: Arc::new(SeededRandomness::new(seed)),
        };
        let wire = Arc::new(DeskWire { net: self.net.clone(), desk: who });
        let engine = Engine::start_in(config, Outside { wire: Some(wire), disk: Some(desk.disk.clone()) }).await;
        // Opening has a thread of its own; time stands meanwhile.
        while engine.phase() == parley_client::views::Phase::Opening {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ready = matches!(engine.phase(), parley_client::views::Phase::Ready { .. });
        self.desks[who].engine = Some(engine);
        self.say(&format!("desk {who} is up: {ready}"));
        if !ready {
            self.history.violated("I10", format!("desk {who} does not open"));
        }
    }

    /// Kills or closes a desk; it is back after `down`.
    pub(super) async fn desk_down(&mut self, who: usize, down: u64) {
        let Some(engine) = self.desks[who].engine.take() else { return };
        engine.close().await;
        drop(engine);
        self.desks[who].socket = None;
        self.say(&format!("desk {who} is down"));
        self.later(down, Event::DeskUp(who));
    }

    /// Takes a desk's network away until `until`.
    pub(super) fn cut(&mut self, who: usize, until: u64) {
        self.desks[who].cut_until = until;
        self.desks[who].socket = None;
        let wait = until.saturating_sub(self.now());
        self.later(wait, Event::Healed(who));
    }

    /// Ends everything.
    pub async fn close(mut self) {
        for who in 0..DESKS {
            self.desk_down(who, 0).await;
        }
        self.crash_server(0).await;
    }

    /// The workspace of a number.
    pub(super) fn workspace_of(&self, number: usize) -> parley_domain::WorkspaceId {
        self.ids.workspaces[WORKSPACE_OF[number]]
    }
}

/// Every task that can go on goes on, until all wait. No time passes.
pub(super) async fn settle() {
    for _ in 0..TURNS {
        let mut waited = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            // To the end of the queue of tasks that can go on; unlike `yield_now`, without a look at the system.
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }
}

/// Lets the server answer a desk's request.
pub(super) async fn answer(router: &Router, request: &Request) -> Fallible<(u16, Vec<u8>)> {
    let mut http = HttpRequest::post(request.path)
        .header(PROTOCOL_HEADER, PROTOCOL.to_string())
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = &request.token {
        http = http.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    asked(router, http.body(Body::from(request.body.clone()))?).await
}

async fn asked(router: &Router, request: HttpRequest<Body>) -> Fallible<(u16, Vec<u8>)> {
    let answer = router.clone().oneshot(request).await.map_err(|_| Failure::new("the router failed"))?;
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
    Ok((status, body.to_vec()))
}
