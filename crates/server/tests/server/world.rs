//! A server with a workspace, members, one WhatsApp number, and desks that speak HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parley_domain::entity::{Entity, Key};
use parley_domain::message::Message;
use parley_domain::permission::Role;
use parley_domain::protocol::change::{PullPage, PullRequest, Row, SnapshotRequest};
use parley_domain::protocol::endpoint::{Endpoint, Pull, Push, Refresh, SignIn, Snapshot};
use parley_domain::protocol::intent::{Command, Intent, PushRequest, Verdict};
use parley_domain::protocol::session::{RefreshRequest, Secret, Session, SignInRequest};
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER, Problem};
use parley_domain::time::{ManualClock, SeededRandomness, new_uuid};
use parley_domain::{
    AppId, Clock, Email, InboxId, IntentId, MemberId, PersonName, Phone, PhoneNumberId, Randomness, WabaId, WorkspaceId,
};
use parley_meta::webhook::signature;
use parley_server::admin::{NewMember, NewWhatsapp, NewWorkspace};
use parley_server::config::{Limits, Smtp, SmtpTls};
use parley_server::system::{SystemClock, SystemRandomness};
use parley_server::{App, Config, Database, Deps, Running};
use parley_sim::{MetaSim, SimConfig};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

pub const SECRET: &str = "sim-app-secret";
pub const PASSWORD: &str = "correct horse battery";

/// Runs each test on both databases.
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::world::World::sqlite().await).await;
            })*
        }
        mod on_mysql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = $crate::world::World::mysql().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}
pub(crate) use everywhere;

pub struct World {
    dir: tempfile::TempDir,
    database: Database,
    pub clock: Arc<ManualClock>,
    pub sim: MetaSim,
    app: Option<(App, Running)>,
    pub workspace: WorkspaceId,
    pub inbox: InboxId,
    pub http: reqwest::Client,
    /// Of a mail host on this machine.
    pub smtp: Option<u16>,
    /// None, but where they are what is tested.
    pub limits: Limits,
}

impl World {
    pub async fn sqlite() -> Self {
        Self::start(Database::Sqlite).await
    }

    /// `None` where no MySQL was named.
    pub async fn mysql() -> Option<Self> {
        Some(Self::start(Database::MySql(fresh_mysql().await?)).await)
    }

    async fn start(database: Database) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = MetaSim::start(SimConfig::new(7)).await.unwrap();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let mut world = Self {
            dir,
            database,
            clock,
            sim,
            app: None,
            workspace: WorkspaceId(uuid::Uuid::nil()),
            inbox: InboxId(uuid::Uuid::nil()),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            smtp: None,
            limits: Limits::none(),
        };
        world.open().await;
        let admin = world.app().admin();
        let (workspace, _) = admin
            .create_workspace(NewWorkspace {
                name: "Lantern & Loom".to_owned(),
                admin_name: PersonName::new("Ada"),
                admin_email: Email::new("Ada@Example.org"),
                admin_password: Secret::new(PASSWORD),
            })
            .await
            .unwrap();
        world.workspace = workspace;
        world.inbox = world.connect("106540000000001").await;
        world
    }

    pub async fn connect(&self, number: &str) -> InboxId {
        let config = self.sim.config();
        self.app()
            .admin()
            .connect_whatsapp(
                self.workspace,
                NewWhatsapp {
                    name: "Shop".to_owned(),
                    app: AppId(config.app_id.clone()),
                    app_secret: Secret::new(SECRET),
                    verify_token: Secret::new(config.verify_token.clone()),
                    waba: WabaId(config.waba_id.clone()),
                    phone_number_id: PhoneNumberId(number.to_owned()),
                    display_phone: Phone::new("+1 555-010-0001"),
                    token: Secret::new(config.access_token.clone()),
                    graph_url: None,
                },
            )
            .await
            .unwrap()
    }

    /// Opens the server and serves.
    pub async fn open(&mut self) {
        let mut config = Config::new(self.dir.path());
        config.database = self.database.clone();
        // The clock stands still: no rate would ever be paid back.
        config.limits = self.limits;
        config.graph_url = self.sim.base_url().trim_end_matches('/').to_owned();
        config.public_url = Some("https://parley.example.org/".to_owned());
        config.smtp = self.smtp.map(|port| Smtp {
            host: "127.0.0.1".to_owned(),
            port,
            tls: SmtpTls::Off,
            from: "Parley <parley@example.org>".to_owned(),
            user: None,
            password: None,
        });
        let deps = Deps { clock: self.clock.clone(), randomness: Arc::new(SystemRandomness) };
        let app = App::open(config, deps).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = app.serve(listener).unwrap();
        self.sim.set_webhook(&format!("http://{}{}", running.address(), self.webhook_path()));
        self.app = Some((app, running));
    }

    pub async fn kill(&mut self) {
        let (_, running) = self.app.take().unwrap();
        running.kill().await;
    }

    pub fn app(&self) -> &App {
        &self.app.as_ref().unwrap().0
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.as_ref().unwrap().1.address())
    }

    pub fn webhook_path(&self) -> String {
        format!("/webhooks/meta/{}", self.sim.config().app_id)
    }

    /// Posts a signed webhook body; the status.
    pub async fn webhook(&self, body: &Value) -> u16 {
        let raw = body.to_string();
        let signed = signature::sign(SECRET.as_bytes(), raw.as_bytes());
        self.post_raw(raw, Some(&signed)).await
    }

    pub async fn post_raw(&self, raw: String, signed: Option<&str>) -> u16 {
        let mut request = self.http.post(self.url(&self.webhook_path())).body(raw);
        if let Some(signed) = signed {
            request = request.header(signature::HEADER, signed);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// Waits until no stored webhook is left to apply.
    pub async fn applied(&self) {
        eventually("every body is applied", async || {
            let (bodies, waiting, dead) = self.raw_counts().await;
            bodies == 0 || bodies <= waiting + dead
        })
        .await;
    }

    pub async fn raw_counts(&self) -> (u64, u64, u64) {
        parley_server::db::raw::counts(self.app().db()).await.unwrap()
    }

    pub async fn add_member(&self, name: &str, role: Role) -> MemberId {
        let member = self
            .app()
            .admin()
            .add_member(
                self.workspace,
                NewMember {
                    name: PersonName::new(name),
                    email: Email::new(format!("{name}@example.org")),
                    password: Secret::new(PASSWORD),
                    role,
                },
            )
            .await
            .unwrap();
        self.app().admin().grant_inbox(self.workspace, member, self.inbox).await.unwrap();
        member
    }

    pub async fn desk(&self, name: &str) -> Desk {
        Desk::of(self.sign_in(&self.credentials(name)).await.unwrap())
    }

    pub fn credentials(&self, name: &str) -> SignInRequest {
        SignInRequest {
            email: Email::new(format!("{name}@example.org")),
            password: Secret::new(PASSWORD),
            device: None,
            device_name: format!("{name}'s laptop"),
            code: None,
            device_key: None,
        }
    }

    pub async fn sign_in(&self, request: &SignInRequest) -> Result<Session, Refused> {
        post::<SignIn>(self, None, request).await
    }

    /// Another workspace on the same server, whose admin is `name`@example.org.
    pub async fn other_workspace(&self, name: &str) -> WorkspaceId {
        let new = NewWorkspace {
            name: "Other & Sons".to_owned(),
            admin_name: PersonName::new(name),
            admin_email: Email::new(format!("{name}@example.org")),
            admin_password: Secret::new(PASSWORD),
        };
        self.app().admin().create_workspace(new).await.unwrap().0
    }
}

/// What the description of the routes says of the bodies of one: every call of every test is held against it.
pub struct Described {
    path: String,
    request: jsonschema::Validator,
    answer: jsonschema::Validator,
}

impl Described {
    pub fn takes(&self, body: &Value) -> bool {
        self.request.is_valid(body)
    }

    pub fn request(&self, body: &Value) {
        if let Err(error) = self.request.validate(body) {
            panic!("a request to {} is not as described, at {}: {error}", self.path, error.instance_path());
        }
    }

    pub fn answer(&self, body: &Value) {
        if let Err(error) = self.answer.validate(body) {
            panic!("an answer of {} is not as described, at {}: {error}", self.path, error.instance_path());
        }
    }
}

pub fn described(path: &str) -> &'static Described {
    static ALL: LazyLock<BTreeMap<String, Described>> = LazyLock::new(|| {
        let document = parley_server::http::openapi();
        let schema = |part: &Value| {
            let mut schema = part["content"]["application/json"]["schema"].clone();
            schema["components"] = document["components"].clone();
            jsonschema::validator_for(&schema).unwrap()
        };
        let posts = document["paths"].as_object().unwrap().iter().filter(|(_, methods)| methods.get("post").is_some());
        posts
            .map(|(path, methods)| {
                let post = &methods["post"];
                let (request, answer) = (schema(&post["requestBody"]), schema(&post["responses"]["200"]));
                (path.clone(), Described { path: path.clone(), request, answer })
            })
            .collect()
    });
    ALL.get(path).unwrap_or_else(|| panic!("{path} is not described"))
}

/// A refusal: status and problem.
pub type Refused = (u16, Problem);

pub async fn post<E: Endpoint>(
    world: &World,
    token: Option<&Secret>,
    request: &E::Request,
) -> Result<E::Response, Refused> {
    described(E::PATH).request(&serde_json::to_value(request).unwrap());
    let mut call = world.http.post(world.url(E::PATH)).header(PROTOCOL_HEADER, PROTOCOL.to_string()).json(request);
    if let Some(token) = token {
        call = call.bearer_auth(token.expose());
    }
    let answer = call.send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    if status == 200 {
        described(E::PATH).answer(&serde_json::from_slice(&body).unwrap());
        Ok(serde_json::from_slice(&body).unwrap())
    } else {
        let problem = serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
            code: parley_domain::Code::ResyncRequired,
            message: String::from_utf8_lossy(&body).into_owned(),
            retry_after: None,
        });
        Err((status, problem))
    }
}

/// A desk without a store: the rows that it was sent.
pub struct Desk {
    pub session: Session,
    pub cursor: String,
    pub rows: BTreeMap<Key, Row>,
    random: SeededRandomness,
}

impl Desk {
    pub fn of(session: Session) -> Self {
        let random = SeededRandomness::new(session.device.0.as_u64_pair().1);
        Self { session, cursor: String::new(), rows: BTreeMap::new(), random }
    }

    /// Goes on with a new token.
    pub async fn refresh(&mut self, world: &World) {
        let (device, refresh_token) = (self.session.device, self.session.refresh_token.clone());
        let request = RefreshRequest { device, refresh_token, proof: None };
        self.session = post::<Refresh>(world, None, &request).await.unwrap();
    }

    pub async fn call<E: Endpoint>(&self, world: &World, request: &E::Request) -> Result<E::Response, Refused> {
        post::<E>(world, Some(&self.session.access_token), request).await
    }

    pub fn take(&mut self, rows: Vec<Row>) {
        for row in rows {
            let newer = self.rows.get(&row.key).is_none_or(|known| known.seq <= row.seq);
            match (newer, row.entity.is_some()) {
                (true, true) => {
                    self.rows.insert(row.key, row);
                }
                (true, false) => {
                    self.rows.remove(&row.key);
                }
                _ => {}
            }
        }
    }

    /// Takes a whole snapshot; the number of pages.
    pub async fn snapshot(&mut self, world: &World) -> usize {
        let mut after = None;
        let mut pages = 0;
        loop {
            let page = self.call::<Snapshot>(world, &SnapshotRequest { after }).await.unwrap();
            pages += 1;
            self.take(page.rows);
            self.cursor = page.cursor;
            after = page.after;
            if after.is_none() {
                return pages;
            }
        }
    }

    pub async fn pull(&mut self, world: &World) -> PullPage {
        let mut all = PullPage::default();
        loop {
            let page = self.call::<Pull>(world, &PullRequest { cursor: self.cursor.clone() }).await.unwrap();
            self.cursor.clone_from(&page.cursor);
            for root in &page.gone {
                self.rows.retain(|_, row| row.root != *root);
            }
            self.take(page.rows.clone());
            all.rows.extend(page.rows);
            all.enter.extend(page.enter);
            all.gone.extend(page.gone);
            all.outcomes.extend(page.outcomes);
            all.upto = page.upto;
            if !page.more {
                return all;
            }
        }
    }

    pub fn messages(&self) -> Vec<&Message> {
        let mut found: Vec<&Message> = self
            .rows
            .values()
            .filter_map(|row| match &row.entity {
                Some(Entity::Message(message)) => Some(message),
                _ => None,
            })
            .collect();
        found.sort_by_key(|message| message.position);
        found
    }

    pub fn entities<'a, T>(&'a self, pick: impl Fn(&'a Entity) -> Option<&'a T>) -> Vec<&'a T> {
        self.rows.values().filter_map(|row| row.entity.as_ref().and_then(&pick)).collect()
    }

    pub fn intent(&self, world: &World, command: Command) -> Intent {
        let now = world.clock.now();
        Intent { id: IntentId(self.id(world)), made_at: now, command, touches: vec![], after: vec![] }
    }

    pub fn id(&self, world: &World) -> uuid::Uuid {
        new_uuid(&*world.clock, &self.random as &dyn Randomness)
    }

    pub async fn push(&self, world: &World, intents: Vec<Intent>) -> Vec<Verdict> {
        let answer = self.call::<Push>(world, &PushRequest { intents, ..PushRequest::default() }).await.unwrap();
        answer.answers.into_iter().map(|answer| answer.result).collect()
    }
}

/// Waits for something that happens by itself.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..1_500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

async fn fresh_mysql() -> Option<String> {
    let server = std::env::var("PARLEY_TEST_MYSQL_URL").ok().filter(|url| !url.is_empty())?;
    let server = server.trim_end_matches('/').to_owned();
    let mut bytes = [0u8; 8];
    SystemRandomness.fill(&mut bytes);
    let name = format!("parley_{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let mut options = sea_orm::ConnectOptions::new(format!("{server}/mysql"));
    options.sqlx_logging(false).max_connections(1);
    let connection = sea_orm::Database::connect(options).await.unwrap();
    connection
        .execute_unprepared(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"))
        .await
        .unwrap();
    connection.close().await.unwrap();
    Some(format!("{server}/{name}"))
}

/// One `messages` change of the world's number.
pub fn change(number: &str, contacts: Value, messages: Value, statuses: Value) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "15550100001", "phone_number_id": number },
    });
    for (name, list) in [("contacts", contacts), ("messages", messages), ("statuses", statuses)] {
        if list.as_array().is_some_and(|list| !list.is_empty()) {
            value[name] = list;
        }
    }
    json!({ "field": "messages", "value": value })
}

pub fn body(changes: Value) -> Value {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "102290000000001", "changes": changes }] })
}

/// A text of a customer, who is told apart by `person`.
pub fn text(world: &World, wamid: &str, person: u32, words: &str) -> Value {
    body(json!([change(
        "106540000000001",
        json!([card(person)]),
        json!([message(world, wamid, person, words)]),
        json!([])
    )]))
}

pub fn card(person: u32) -> Value {
    json!({ "profile": { "name": format!("Customer {person}") }, "wa_id": phone(person), "user_id": bsuid(person) })
}

pub fn message(world: &World, wamid: &str, person: u32, words: &str) -> Value {
    json!({
        "from": phone(person), "from_user_id": bsuid(person), "id": wamid,
        "timestamp": (world.clock.now().0 / 1_000).to_string(), "type": "text", "text": { "body": words },
    })
}

pub fn phone(person: u32) -> String {
    format!("4915100{person:06}")
}

pub fn bsuid(person: u32) -> String {
    format!("DE.{:020}", 7_000_000 + person)
}
