//! A pretend server over rows in memory that speaks the sync protocol, and a desk that is signed in to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message as Frame, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use parley_client::keys::MemoryVault;
use parley_client::os::{OsRandomness, SystemClock};
use parley_client::views::{Event, Phase};
use parley_client::{Engine, EngineConfig};
use parley_domain::channel::Channel;
use parley_domain::contact::Contact;
use parley_domain::content::Content;
use parley_domain::conversation::{Conversation, Status};
use parley_domain::decide::{Decision, decide, needed};
use parley_domain::entity::{Entity, Key, Kind, Root, RowSet};
use parley_domain::message::{Direction, Message};
use parley_domain::order::{Fulfilment, Order, Payment, Pipeline, Stage};
use parley_domain::permission::{Actor, Role};
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::change::*;
use parley_domain::protocol::device::{ContactAnswer, ContactRequest, Erasure, Lease, Receipt, ReceiptsRequest};
use parley_domain::protocol::intent::*;
use parley_domain::protocol::session::{Secret, Session};
use parley_domain::time::Boot;
use parley_domain::workspace::{Inbox, Label, Member, Workspace};
use parley_domain::*;
use tokio::sync::broadcast;
use uuid::Uuid;

pub fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n)
}
pub fn me() -> MemberId {
    MemberId(uuid(1))
}
pub fn colleague() -> MemberId {
    MemberId(uuid(2))
}
pub fn inbox() -> InboxId {
    InboxId(uuid(3))
}
pub fn label() -> LabelId {
    LabelId(uuid(4))
}
pub fn stage(n: u128) -> StageId {
    StageId(uuid(10 + n))
}
pub fn conversation(n: u128) -> ConversationId {
    ConversationId(uuid(1_000 + n))
}
pub fn contact(n: u128) -> ContactId {
    ContactId(uuid(100_000 + n))
}
pub fn message(n: u128) -> MessageId {
    MessageId(uuid(1_000_000 + n))
}
pub fn order(n: u128) -> OrderId {
    OrderId(uuid(500 + n))
}
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// What the pretend server holds, and how it misbehaves.
#[derive(Default)]
pub struct World {
    pub seq: u64,
    pub rows: BTreeMap<Key, (u64, Option<Entity>)>,
    pub outcomes: Vec<Outcome>,
    pub scope: Vec<(u64, Root, bool)>,
    pub page: usize,
    /// Answered before anything else is.
    pub scripted: VecDeque<PullPage>,
    /// Refuses intents of this kind of command with this code.
    pub refuse: Option<Code>,
    /// Requests of sync that are still answered; then the server fails. `None` answers all.
    pub answers_left: Option<usize>,
    /// Applies a push and loses the answer.
    pub lose_push_answers: bool,
    /// This many pushes fail before they are looked at.
    pub fail_pushes: usize,
    /// Pushes are answered `blocked`, and nothing is recorded.
    pub block_pushes: bool,
    pub resync: Option<ResyncRequired>,
    pub log: Vec<&'static str>,
    pub pushed: Vec<Intent>,
    pub refreshed: usize,
    pub snapshot_after: Vec<Option<String>>,
    /// What contacts leave and find.
    pub desk: Custody,
    /// Whose desks sign in; `None` is an agent.
    pub role: Option<Role>,
    /// Time as the server sees it; `None`: the real one.
    pub clock: Option<Arc<TestClock>>,
}

/// What the server keeps for the one device of this world.
#[derive(Default)]
pub struct Custody {
    pub policy: Option<DevicePolicy>,
    pub epoch: u64,
    /// The present lease with the time of its grant, and the one before.
    pub lease: Option<(Lease, Timestamp)>,
    pub previous: Option<Lease>,
    pub outbox_key: Option<Secret>,
    /// The key is taken and not acknowledged.
    pub withhold: bool,
    pub erasures: Vec<Erasure>,
    pub receipts: Vec<Receipt>,
    pub contacts: Vec<ContactRequest>,
    /// The refresh token is dead.
    pub session_ended: bool,
    pub revoked: bool,
}

/// A clock that is set by hand: the wall, and how long the computer has run.
pub struct TestClock {
    wall: AtomicI64,
    ran: AtomicI64,
    boot: AtomicU64,
}

impl TestClock {
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(now.0), ran: AtomicI64::new(1_000), boot: AtomicU64::new(1) })
    }

    /// Time goes by.
    pub fn pass(&self, milliseconds: i64) {
        self.wall.fetch_add(milliseconds, SeqCst);
        self.ran.fetch_add(milliseconds, SeqCst);
    }

    /// Somebody moves the hands.
    pub fn set_wall_by(&self, milliseconds: i64) {
        self.wall.fetch_add(milliseconds, SeqCst);
    }

    /// Time goes by and the wall clock does not.
    pub fn run(&self, milliseconds: i64) {
        self.ran.fetch_add(milliseconds, SeqCst);
    }

    /// The computer is off for a while, and started again.
    pub fn reboot(&self, off: i64) {
        self.wall.fetch_add(off, SeqCst);
        self.ran.store(60_000, SeqCst);
        self.boot.fetch_add(1, SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(SeqCst))
    }
    fn boot(&self) -> Option<Boot> {
        Some(Boot { id: self.boot.load(SeqCst), millis: self.ran.load(SeqCst) })
    }
}

impl World {
    pub fn put(&mut self, entity: Entity) -> u64 {
        self.seq += 1;
        let mut entity = entity;
        if let Entity::Message(row) = &mut entity
            && row.position == 0
        {
            row.position = self.seq;
        }
        self.rows.insert(entity.key(), (self.seq, Some(entity)));
        self.seq
    }

    pub fn delete(&mut self, key: Key) {
        self.seq += 1;
        self.rows.insert(key, (self.seq, None));
    }

    pub fn leave(&mut self, root: Root) {
        self.seq += 1;
        self.scope.retain(|(_, known, _)| *known != root);
        self.scope.push((self.seq, root, false));
    }

    pub fn enter(&mut self, root: Root) {
        self.seq += 1;
        self.scope.retain(|(_, known, _)| *known != root);
        self.scope.push((self.seq, root, true));
    }

    pub fn workspace(&self) -> WorkspaceId {
        WorkspaceId(uuid(0))
    }

    fn visible(&self, root: Root) -> bool {
        !self.scope.iter().any(|(_, known, visible)| *known == root && !visible)
    }

    fn row(&self, key: Key, seq: u64, entity: &Option<Entity>) -> Row {
        let root = entity.as_ref().map_or(key, |entity| entity.root(self.workspace()));
        Row { key, root, seq, entity: entity.clone() }
    }

    pub fn set_up(&mut self) {
        self.page = 1_000;
        let at = now();
        self.put(Entity::Workspace(Workspace { id: self.workspace(), name: "Bluebird Bakery".into() }));
        for (id, name) in [(me(), "Ana"), (colleague(), "Ben")] {
            self.put(Entity::Member(Member { id, name: name.into(), role: Role::Agent, active: true }));
        }
        let address = Some(Phone::new("+15550100"));
        let name = "Shop".into();
        self.put(Entity::Inbox(Inbox { id: inbox(), name, channel: Channel::Whatsapp, address, connected: true }));
        self.put(Entity::Label(Label { id: label(), name: "vip".into(), colour: "amber".into() }));
        let pipeline = PipelineId(uuid(5));
        self.put(Entity::Pipeline(Pipeline { id: pipeline, name: "Orders".into() }));
        for (place, name) in ["New", "Packed", "Done"].into_iter().enumerate() {
            let id = stage(place as u128);
            let closed = name == "Done";
            self.put(Entity::Stage(Stage { id, pipeline, name: name.into(), place: place as u32, closed }));
        }
        for n in 0..3 {
            self.talk(n, at);
            self.say(n, n * 10, "Hello from the first sync");
        }
    }

    /// A conversation with its contact.
    pub fn talk(&mut self, n: u128, at: Timestamp) {
        self.put(Entity::Contact(Contact {
            id: contact(n),
            name: Some(PersonName::new(format!("Contact {n}"))),
            phone: Some(Phone::new(format!("4915100000{n:03}"))),
            username: None,
            blocked: false,
            reachable: true,
        }));
        self.put(Entity::Conversation(Conversation {
            id: conversation(n),
            inbox: inbox(),
            contact: contact(n),
            status: Status::Open,
            assignee: None,
            labels: BTreeSet::new(),
            snoozed_until: None,
            customer_wrote_at: Some(at),
            entry_point_until: None,
            active_at: at + n as i64,
            read_upto: 0,
        }));
    }

    /// The customer of conversation `n` writes.
    pub fn say(&mut self, n: u128, id: u128, text: &str) -> u64 {
        let row = Message {
            id: message(id),
            conversation: conversation(n),
            direction: Direction::Incoming,
            author: None,
            content: Content::Text { body: text.into() },
            sent_at: now(),
            position: 0,
            delivery: None,
            reply_to: None,
            resend_of: None,
            forwarded: false,
            edited: false,
            revoked: false,
        };
        self.put(Entity::Message(row))
    }

    /// A colleague notes something in conversation `n`.
    pub fn note(&mut self, n: u128, id: u128, text: &str) {
        self.say(n, id, text);
        let key = Key::new(Kind::Message, message(id));
        if let Some((_, Some(Entity::Message(row)))) = self.rows.get_mut(&key) {
            (row.direction, row.author) = (Direction::Note, Some(colleague()));
        }
    }

    pub fn place_order(&mut self, n: u128) {
        let at = now();
        self.put(Entity::Order(Order {
            id: order(n),
            contact: contact(n),
            conversation: conversation(n),
            number: 1_000 + n as u64,
            stage: stage(0),
            stage_by: None,
            fulfilment: Fulfilment::Draft,
            payment: Payment::Unpaid,
            currency: "EUR".into(),
            total_minor: 4_200,
            placed_at: at,
            staged_at: at,
        }));
    }

    pub fn change(&mut self, n: u128, change: impl FnOnce(&mut Conversation)) {
        let Some((_, Some(Entity::Conversation(row)))) = self.rows.get(&Key::new(Kind::Conversation, conversation(n)))
        else {
            panic!("no such conversation");
        };
        let mut row = row.clone();
        change(&mut row);
        self.put(Entity::Conversation(row));
    }

    fn apply(&mut self, intent: &Intent) -> Verdict {
        if let Some(known) = self.outcomes.iter().find(|outcome| outcome.id == intent.id) {
            return known.verdict;
        }
        if self.block_pushes {
            return Verdict::Blocked;
        }
        let accepted = |id| {
            self.outcomes
                .iter()
                .any(|outcome| outcome.id == id && matches!(outcome.verdict, Verdict::Applied | Verdict::NoOp))
        };
        if !intent.after.iter().all(|id| accepted(*id)) {
            return Verdict::Blocked;
        }
        let mut rows = RowSet::default();
        loop {
            let found: Vec<Entity> = needed(&intent.command, &rows)
                .into_iter()
                .filter_map(|key| self.rows.get(&key).and_then(|(_, entity)| entity.clone()))
                .collect();
            if found.is_empty() {
                break;
            }
            found.into_iter().for_each(|entity| rows.put(entity));
        }
        let actor = Actor { member: me(), role: Role::Agent, inboxes: [inbox()].into() };
        let decision = match self.refuse {
            Some(code) => Decision::Refuse(code),
            None => decide(intent, &actor, &rows, now()),
        };
        let verdict = match decision {
            Decision::Write(entities) => {
                entities.into_iter().for_each(|entity| {
                    self.put(entity);
                });
                Verdict::Applied
            }
            Decision::NoOp => Verdict::NoOp,
            Decision::Refuse(code) => Verdict::Refused { code },
        };
        self.seq += 1;
        self.outcomes.push(Outcome { id: intent.id, verdict, at_seq: self.seq });
        verdict
    }

    fn pull(&mut self, from: u64) -> PullPage {
        let mut changed: Vec<Row> = self
            .rows
            .iter()
            .filter(|(_, (seq, _))| *seq > from)
            .map(|(key, (seq, entity))| self.row(*key, *seq, entity))
            .filter(|row| self.visible(row.root))
            .collect();
        changed.sort_by_key(|row| row.seq);
        let more = changed.len() > self.page;
        changed.truncate(self.page);
        let upto = if more { changed.last().map_or(self.seq, |row| row.seq) } else { self.seq };
        let within = |seq: u64| seq > from && seq <= upto;
        let scope = |wanted: bool| -> Vec<Root> {
            self.scope.iter().filter(|(seq, _, visible)| within(*seq) && *visible == wanted).map(|s| s.1).collect()
        };
        let marks = (1..changed.len().div_ceil(50))
            .map(|n| Mark { index: n * 50, cursor: changed[n * 50 - 1].seq.to_string() })
            .collect();
        PullPage {
            enter: scope(true),
            gone: scope(false),
            outcomes: self.outcomes.iter().filter(|outcome| within(outcome.at_seq)).cloned().collect(),
            rows: changed,
            upto,
            cursor: upto.to_string(),
            more,
            marks,
        }
    }

    fn all(&self, root: Option<Root>, after: Option<&str>) -> SnapshotPage {
        let rows: Vec<Row> = self
            .rows
            .iter()
            .map(|(key, (seq, entity))| self.row(*key, *seq, entity))
            .filter(|row| row.entity.is_some() && self.visible(row.root) && root.is_none_or(|root| row.root == root))
            .collect();
        let (from, cursor) = match after {
            Some(after) => {
                let (from, cursor) = after.split_once('@').unwrap();
                (from.parse().unwrap(), cursor.to_owned())
            }
            None => (0, self.seq.to_string()),
        };
        let to = (from + self.page).min(rows.len());
        let after = (to < rows.len()).then(|| format!("{to}@{cursor}"));
        let remaining = (rows.len() - to) as u64;
        SnapshotPage { rows: rows[from..to].to_vec(), after, cursor, remaining }
    }
}

/// A running pretend server.
pub struct Server {
    pub world: Arc<Mutex<World>>,
    pub address: SocketAddr,
    pokes: broadcast::Sender<Poke>,
    runtime: Option<tokio::runtime::Runtime>,
}

type Shared = (Arc<Mutex<World>>, broadcast::Sender<Poke>);

impl Server {
    pub async fn start() -> Self {
        let mut world = World::default();
        world.set_up();
        let mut server = Self {
            world: Arc::new(Mutex::new(world)),
            address: "127.0.0.1:0".parse().unwrap(),
            pokes: broadcast::channel(64).0,
            runtime: None,
        };
        server.resume().await;
        server
    }

    /// Listens (again, on the same port).
    pub async fn resume(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = tokio::net::TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/v1/session/sign-in", post(sign_in))
            .route("/v1/session/refresh", post(refresh))
            .route("/v1/session/sign-out", post(|| async { Json(serde_json::json!({})) }))
            .route("/v1/device/contact", post(contacted))
            .route("/v1/device/receipts", post(receipts))
            .route("/v1/device/recover", post(recover))
            .route("/v1/sync/pull", post(pull))
            .route("/v1/sync/snapshot", post(snapshot))
            .route("/v1/sync/backfill", post(backfill))
            .route("/v1/sync/push", post(push))
            .route("/v1/sync/outcomes", post(outcomes))
            .route("/v1/sync/poke", get(poke))
            .with_state((self.world.clone(), self.pokes.clone()));
        // On a runtime of its own: when the server dies, its connections die with it.
        let listener = listener.into_std().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap()
        });
        self.runtime = Some(runtime);
    }

    /// The network goes down: nobody listens, sockets close.
    pub async fn vanish(&mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5))).await.unwrap();
    }

    pub async fn come_back(&mut self) {
        self.resume().await;
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Changes the world and pokes.
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        let seq = {
            let mut world = self.world();
            change(&mut world);
            world.seq
        };
        let _ = self.pokes.send(Poke::Changed { seq });
    }

    pub fn revoke(&self) {
        let _ = self.pokes.send(Poke::Revoked);
    }
}

fn session(world: &World) -> Session {
    Session {
        workspace: WorkspaceId(uuid(0)),
        workspace_name: "Bluebird Bakery".into(),
        member: me(),
        member_name: "Ana".into(),
        role: world.role.unwrap_or(Role::Agent),
        inboxes: vec![inbox()],
        device: DeviceId(uuid(9)),
        access_token: Secret::new("access-canary-token"),
        access_expires_at: world.clock.as_ref().map_or(Timestamp(0), |clock| clock.now()) + 600_000,
        refresh_token: Secret::new("refresh-canary-token"),
        server_time: world.clock.as_ref().map_or(Timestamp(0), |clock| clock.now()),
    }
}

async fn sign_in(State((world, _)): State<Shared>, Json(request): Json<serde_json::Value>) -> Response {
    if request["password"] == "right" {
        let mut world = world.lock().unwrap();
        world.desk.session_ended = false;
        Json(session(&world)).into_response()
    } else {
        (StatusCode::UNAUTHORIZED, Json(serde_json::json!({"code": "bad_credentials", "message": ""}))).into_response()
    }
}

async fn refresh(State((world, _)): State<Shared>) -> Response {
    let mut world = world.lock().unwrap();
    world.refreshed += 1;
    match world.answers_left {
        Some(0) => StatusCode::BAD_GATEWAY.into_response(),
        _ if world.desk.revoked => problem("device_revoked"),
        _ if world.desk.session_ended => problem("unauthorized"),
        _ => Json(session(&world)).into_response(),
    }
}

fn problem(code: &str) -> Response {
    (StatusCode::UNAUTHORIZED, Json(serde_json::json!({"code": code, "message": ""}))).into_response()
}

async fn contacted(State((world, _)): State<Shared>, Json(request): Json<ContactRequest>) -> Response {
    let mut guard = world.lock().unwrap();
    let world = &mut *guard;
    if world.answers_left == Some(0) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let now = world.clock.as_ref().map_or(now(), |clock| clock.now());
    let policy = world.desk.policy.clone().unwrap_or_default();
    let desk = &mut world.desk;
    let rules = policy.of(world.role.unwrap_or(Role::Agent));
    let present = desk.lease.as_ref().map(|(lease, at)| (lease.serial, *at));
    let serial = parley_domain::lease::grant(present, request.lease, request.renew, now, &rules);
    if present.map(|(serial, _)| serial) != Some(serial) {
        let fresh = Lease { serial, secret: Secret::new(format!("{serial:064x}")) };
        desk.previous = desk.lease.replace((fresh, now)).map(|(lease, _)| lease);
    }
    if request.outbox_key.is_some() {
        desk.outbox_key = request.outbox_key.clone();
    }
    desk.receipts.extend(request.receipts.iter().cloned());
    let taken = request.receipts.len() as u32;
    let erasures = match request.erased_upto {
        Some(upto) => desk.erasures.iter().filter(|erasure| erasure.place > upto).cloned().collect(),
        None => Vec::new(),
    };
    desk.contacts.push(request);
    Json(ContactAnswer {
        server_time: now,
        policy_epoch: desk.epoch,
        policy,
        lease: desk.lease.clone().unwrap().0,
        previous: desk.previous.clone(),
        in_custody: desk.outbox_key.is_some() && !desk.withhold,
        erasures,
        more_erasures: false,
        receipts_taken: taken,
    })
    .into_response()
}

async fn receipts(State((world, _)): State<Shared>, Json(request): Json<ReceiptsRequest>) -> Response {
    world.lock().unwrap().desk.receipts.extend(request.receipts);
    Json(serde_json::json!({})).into_response()
}

async fn recover(State((world, _)): State<Shared>) -> Response {
    let outbox_key = world.lock().unwrap().desk.outbox_key.clone();
    Json(parley_domain::protocol::device::Custody { outbox_key }).into_response()
}

fn answer(world: &mut World, what: &'static str) -> Result<(), Box<Response>> {
    match &mut world.answers_left {
        Some(0) => return Err(Box::new(StatusCode::BAD_GATEWAY.into_response())),
        Some(left) => *left -= 1,
        None => {}
    }
    world.log.push(what);
    match &world.resync {
        Some(resync) if what != "push" && what != "snapshot" => {
            let resync = resync.clone();
            world.resync = None;
            Err(Box::new((StatusCode::CONFLICT, Json(resync)).into_response()))
        }
        _ => Ok(()),
    }
}

async fn pull(State((world, _)): State<Shared>, Json(request): Json<PullRequest>) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(refusal) = answer(&mut world, "pull") {
        return *refusal;
    }
    if let Some(page) = world.scripted.pop_front() {
        return Json(page).into_response();
    }
    Json(world.pull(request.cursor.parse().unwrap())).into_response()
}

async fn snapshot(State((world, _)): State<Shared>, Json(request): Json<SnapshotRequest>) -> Response {
    let mut world = world.lock().unwrap();
    world.snapshot_after.push(request.after.clone());
    match answer(&mut world, "snapshot") {
        Ok(()) => Json(world.all(None, request.after.as_deref())).into_response(),
        Err(refusal) => *refusal,
    }
}

async fn backfill(State((world, _)): State<Shared>, Json(request): Json<BackfillRequest>) -> Response {
    let mut world = world.lock().unwrap();
    match answer(&mut world, "backfill") {
        Ok(()) => Json(world.all(Some(request.root), request.after.as_deref())).into_response(),
        Err(refusal) => *refusal,
    }
}

async fn push(State((world, pokes)): State<Shared>, Json(request): Json<PushRequest>) -> Response {
    let mut world = world.lock().unwrap();
    if let Err(refusal) = answer(&mut world, "push") {
        return *refusal;
    }
    if world.fail_pushes > 0 {
        world.fail_pushes -= 1;
        return StatusCode::BAD_GATEWAY.into_response();
    }
    world.pushed.extend(request.intents.iter().cloned());
    let answers = request.intents.iter().map(|intent| Answer { id: intent.id, result: world.apply(intent) }).collect();
    let _ = pokes.send(Poke::Changed { seq: world.seq });
    if world.lose_push_answers {
        world.lose_push_answers = false;
        return StatusCode::BAD_GATEWAY.into_response();
    }
    Json(PushAnswer { answers }).into_response()
}

async fn outcomes(State((world, _)): State<Shared>, Json(request): Json<OutcomesRequest>) -> Response {
    let mut world = world.lock().unwrap();
    match answer(&mut world, "outcomes") {
        Ok(()) => {
            let known = |outcome: &&Outcome| request.ids.contains(&outcome.id);
            Json(OutcomesAnswer { outcomes: world.outcomes.iter().filter(known).cloned().collect() }).into_response()
        }
        Err(refusal) => *refusal,
    }
}

async fn poke(State((world, pokes)): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    if world.lock().unwrap().answers_left == Some(0) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let mut pokes = pokes.subscribe();
    upgrade.on_upgrade(move |mut socket| async move {
        while let Ok(poke) = pokes.recv().await {
            let text = serde_json::to_string(&poke).unwrap();
            if socket.send(Frame::Text(text.into())).await.is_err() {
                return;
            }
        }
    })
}

/// A desk's directory and vault; engines come and go over it.
pub struct Desk {
    pub dir: tempfile::TempDir,
    pub vault: Arc<MemoryVault>,
}

impl Desk {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), vault: Arc::default() }
    }

    pub fn config(&self) -> EngineConfig {
        config(self.dir.path(), self.vault.clone())
    }

    /// An engine whose files were tried.
    pub async fn open(&self) -> Engine {
        let engine = Engine::start(self.config()).await;
        until(&engine, "opened", async || engine.phase() != Phase::Opening).await;
        engine
    }

    /// An engine that is signed in and has everything.
    pub async fn signed_in(&self, server: &Server) -> Engine {
        let engine = self.open().await;
        let phase =
            engine.sign_in(&server.address.to_string(), "ana@example.com", "right", "LAPTOP-7", None).await.unwrap();
        assert!(matches!(phase, Phase::Ready { .. }));
        synced(&engine).await;
        engine
    }
}

pub fn config(dir: &Path, vault: Arc<MemoryVault>) -> EngineConfig {
    EngineConfig { base_dir: dir.to_owned(), vault, clock: Arc::new(SystemClock), randomness: Arc::new(OsRandomness) }
}

/// Waits until the first sync is complete.
pub async fn synced(engine: &Engine) {
    until(engine, "synced", async || {
        let connection = engine.connection();
        connection.syncing.is_none() && connection.heard_at.is_some()
    })
    .await;
}

/// Waits for what a window would see, looking again after each event.
pub async fn until(engine: &Engine, what: &str, mut seen: impl AsyncFnMut() -> bool) {
    let mut events = engine.subscribe();
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while !seen().await {
        let left = patience.saturating_duration_since(tokio::time::Instant::now());
        assert!(!left.is_zero(), "never: {what}; {:?}", engine.connection());
        // An event may have been sent right before this subscription: look again soon in any case.
        let _ = tokio::time::timeout(left.min(Duration::from_millis(100)), events.recv()).await;
    }
}

/// Texts of a timeline, oldest first.
pub async fn texts(engine: &Engine, n: u128) -> Vec<String> {
    let page = engine.timeline(conversation(n), None, 200).await.unwrap();
    page.entries.iter().map(|entry| entry.content.searchable().unwrap_or_default().to_owned()).collect()
}

/// The next notification.
pub async fn next_notice(events: &mut broadcast::Receiver<Event>) -> ConversationId {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(20), events.recv()).await.expect("no notification");
        if let Event::Notify { conversation, .. } = event.unwrap() {
            return conversation;
        }
    }
}

/// Notifications that have arrived in this subscription.
pub fn notified(events: &mut broadcast::Receiver<Event>) -> Vec<ConversationId> {
    let mut found = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let Event::Notify { conversation, .. } = event {
            found.push(conversation);
        }
    }
    found
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
