//! A backup, then fifty sends, an erasure and a hundred changes; the database is lost and restored. The ledger holds each send once, the
//! erased person is absent before the port opens, and both desks, one of them offline throughout, hold what the server has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use parley_client::keys::MemoryVault;
use parley_client::views::{ConnectionState, View};
use parley_client::{Engine, EngineConfig, os};
use parley_domain::delivery::DeliveryState;
use parley_domain::entity::{Entity, Key};
use parley_domain::permission::Role;
use parley_domain::protocol::change::{PullPage, SnapshotPage, SnapshotRequest};
use parley_domain::protocol::endpoint::{Endpoint, SignIn, Snapshot};
use parley_domain::protocol::session::{Secret, Session, SignInRequest};
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER};
use parley_domain::{ContactId, ConversationId};
use parley_server::admin::{NewMember, NewWhatsapp, NewWorkspace};
use parley_server::{App, Config, Database, Deps, Running};
use parley_sim::{MetaSim, SimConfig};
use parley_tests::Fallible;
use parley_tests::inside::fresh_mysql;
use parley_tests::meta::http;
use parley_tests::stack::{ACCESS_TOKEN, APP_ID, APP_SECRET, DEV, Login, RHEA};
use sea_orm::{ConnectionTrait, Statement};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use xtask::failure::Failure;

const SETTLES_WITHIN: Duration = Duration::from_secs(60);
const OPEN: u8 = 0;
/// Requests go through, answers do not. A pull is answered as by a server that lags behind, a contact as by one
/// that knows none, and a refresh with the session that is known, so that the desk goes on offering.
const SWALLOWS: u8 = 1;
const SHUT: u8 = 2;

/// The line between a desk and the server.
struct Gate {
    address: SocketAddr,
    mode: Arc<AtomicU8>,
}

/// The answer to the sign-in, as it came.
type SignedIn = Arc<Mutex<Vec<u8>>>;

impl Gate {
    async fn to(server: SocketAddr) -> Fallible<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let gate = Self { address: listener.local_addr()?, mode: Arc::default() };
        let (mode, session) = (gate.mode.clone(), SignedIn::default());
        tokio::spawn(async move {
            while let Ok((desk, _)) = listener.accept().await {
                if mode.load(Ordering::SeqCst) != SHUT
                    && let Ok(server) = TcpStream::connect(server).await
                {
                    tokio::spawn(carry(desk, server, mode.clone(), session.clone()));
                }
            }
        });
        Ok(gate)
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn carry(mut desk: TcpStream, mut server: TcpStream, mode: Arc<AtomicU8>, session: SignedIn) {
    let mut signs_in = false;
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        let (count, from_desk) = tokio::select! {
            count = desk.read(&mut up) => (count, true),
            count = server.read(&mut down) => (count, false),
        };
        let count = count.unwrap_or(0);
        let now = mode.load(Ordering::SeqCst);
        if count == 0 || now == SHUT || (now == SWALLOWS && !from_desk) {
            return;
        }
        if now == SWALLOWS && up.starts_with(b"POST /v1/sync/pull") {
            let page = serde_json::to_string(&PullPage::default()).unwrap_or_default();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
            let _ = desk.write_all(format!("{head} {}\r\n\r\n{page}", page.len()).as_bytes()).await;
            return;
        }
        if now == SWALLOWS && up.starts_with(b"POST /v1/session/refresh") {
            let known = session.lock().map(|known| known.clone()).unwrap_or_default();
            let _ = desk.write_all(&known).await;
            return;
        }
        if now == SWALLOWS && up.starts_with(b"POST /v1/device/contact") {
            // As by a server of before contacts: nothing is renewed, and the desk goes on.
            let problem = r#"{"code":"not_found","message":""}"#;
            let head =
                "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
            let _ = desk.write_all(format!("{head} {}\r\n\r\n{problem}", problem.len()).as_bytes()).await;
            return;
        }
        if from_desk && up.starts_with(b"POST ") {
            signs_in = up.starts_with(b"POST /v1/session/sign-in");
        } else if !from_desk
            && signs_in
            && let Ok(mut known) = session.lock()
        {
            known.extend_from_slice(down.get(..count).unwrap_or_default());
        }
        let (to, bytes) = if from_desk { (&mut server, &up) } else { (&mut desk, &down) };
        if to.write_all(bytes.get(..count).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}

async fn until(what: &str, holds: impl AsyncFn() -> Fallible<bool>) -> Fallible {
    let started = Instant::now();
    while !holds().await? {
        if started.elapsed() > SETTLES_WITHIN {
            return Err(Failure::new(format!("waited in vain until {what}")));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn desk(gate: &Gate, login: Login, folder: &Path) -> Fallible<Engine> {
    let engine = Engine::start(EngineConfig {
        base_dir: folder.to_owned(),
        vault: Arc::new(MemoryVault::default()),
        clock: Arc::new(os::SystemClock),
        randomness: Arc::new(os::OsRandomness),
    })
    .await;
    engine.sign_in(&format!("http://{}", gate.address), login.email, login.password, "test", None).await?;
    until("the first sync is over", async || {
        let connection = engine.connection();
        Ok(connection.state == ConnectionState::Online && connection.syncing.is_none() && connection.heard_at.is_some())
    })
    .await?;
    Ok(engine)
}

async fn open(data: &Path, database: &Database) -> Fallible<App> {
    let mut config = Config::new(data);
    config.database = database.clone();
    Ok(App::open(config, Deps::system()).await?)
}

async fn serve(app: &App, address: &str) -> Fallible<Running> {
    let started = Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(app.serve(listener)?),
            Err(_) if started.elapsed() < SETTLES_WITHIN => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn post<E: Endpoint>(server: SocketAddr, request: &E::Request, token: Option<&Secret>) -> Fallible<E::Response> {
    let mut call = http().post(format!("http://{server}{}", E::PATH)).header(PROTOCOL_HEADER, PROTOCOL).json(request);
    if let Some(token) = token {
        call = call.bearer_auth(token.expose());
    }
    Ok(call.send().await?.error_for_status()?.json().await?)
}

type Rows = BTreeMap<Key, (u64, String)>;

/// What the server gives this member now, as a fresh device would get it.
async fn scoped(server: SocketAddr, login: Login) -> Fallible<Rows> {
    let request = SignInRequest {
        email: login.email.into(),
        password: Secret::new(login.password),
        device: None,
        device_name: "control".into(),
        code: None,
        device_key: None,
    };
    let session: Session = post::<SignIn>(server, &request, None).await?;
    let (mut rows, mut after) = (BTreeMap::new(), None);
    loop {
        let request = SnapshotRequest { after };
        let page: SnapshotPage = post::<Snapshot>(server, &request, Some(&session.access_token)).await?;
        for row in page.rows {
            if let Some(entity) = row.entity {
                rows.insert(row.key, (row.seq, serde_json::to_string(&entity)?));
            }
        }
        after = page.after;
        if after.is_none() {
            return Ok(rows);
        }
    }
}

async fn held(desk: &Engine) -> Fallible<Rows> {
    let rows = desk.held().await?;
    rows.into_iter()
        .map(|(seq, entity): (u64, Entity)| Ok((entity.key(), (seq, serde_json::to_string(&entity)?))))
        .collect()
}

/// Empties the database: the disk is lost, the keys and the journal are not.
async fn lose(data: &Path, database: Database) -> Fallible<Database> {
    match database {
        Database::Sqlite => {
            for name in ["parley.db", "parley.db-wal", "parley.db-shm"] {
                let _ = std::fs::remove_file(data.join(name));
            }
            Ok(Database::Sqlite)
        }
        Database::MySql(_) => fresh_mysql().await?.ok_or_else(|| Failure::new("no MariaDB")),
    }
}

async fn count(app: &App, sql: &str) -> Fallible<i64> {
    let reader = app.db().reader();
    let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), sql)).await?;
    Ok(row.ok_or_else(|| Failure::new("no row"))?.try_get_by_index(0)?)
}

fn sent(sim: &MetaSim, text: &str) -> usize {
    sim.ledger().iter().filter(|entry| entry.text.as_deref() == Some(text)).count()
}

async fn restore(mut database: Database) -> Fallible {
    let mut config = SimConfig::new(70);
    config.access_token = ACCESS_TOKEN.into();
    config.app_secret = APP_SECRET.into();
    let number = config.numbers.first().map(|number| number.phone_number_id.clone()).unwrap_or_default();
    let waba = config.waba_id.clone();
    let sim = MetaSim::start(config).await?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("server");

    let app = open(&data, &database).await?;
    let (workspace, _) = app
        .admin()
        .create_workspace(NewWorkspace {
            name: "Casa Lumen".into(),
            admin_name: RHEA.name.into(),
            admin_email: RHEA.email.into(),
            admin_password: Secret::new(RHEA.password),
        })
        .await?;
    let inbox = app
        .admin()
        .connect_whatsapp(
            workspace,
            NewWhatsapp {
                name: "Sales".into(),
                app: APP_ID.into(),
                app_secret: Secret::new(APP_SECRET),
                verify_token: Secret::new("sim-verify-token"),
                waba: waba.as_str().into(),
                phone_number_id: number.as_str().into(),
                display_phone: "+1 555-010-0001".into(),
                token: Secret::new(ACCESS_TOKEN),
                graph_url: Some(sim.base_url().to_owned()),
            },
        )
        .await?;
    let new = NewMember {
        name: DEV.name.into(),
        email: DEV.email.into(),
        password: Secret::new(DEV.password),
        role: Role::Agent,
    };
    let dev = app.admin().add_member(workspace, new).await?;
    app.admin().grant_inbox(workspace, dev, inbox).await?;
    let running = serve(&app, "127.0.0.1:0").await?;
    let server = running.address();
    sim.set_webhook(&format!("http://{server}/webhooks/meta/{APP_ID}"));
    for (name, phone) in [("Mara", "+4915155500001"), ("Ivo", "+4915155500002"), ("Elena Petrova", "+4915155500003")] {
        sim.customer(name, Some(phone), None).says(&format!("hello from {name}"));
    }
    sim.drain().await;
    let (gate, far) = (Gate::to(server).await?, Gate::to(server).await?);
    let near = desk(&gate, RHEA, &folder.path().join("near")).await?;
    let away = desk(&far, DEV, &folder.path().join("away")).await?;
    until("both desks have the three", async || {
        let all = async |desk: &Engine| desk.conversations(View::AllOpen, None, 10).await;
        Ok(all(&near).await?.rows.len() == 3 && all(&away).await?.rows.len() == 3)
    })
    .await?;
    let named = |rows: &[(ConversationId, ContactId, String)], name: &str| {
        let found = rows.iter().find(|(_, _, known)| known == name).map(|row| (row.0, row.1));
        found.ok_or_else(|| Failure::new("no such conversation"))
    };
    let rows: Vec<_> = near
        .conversations(View::AllOpen, None, 10)
        .await?
        .rows
        .into_iter()
        .map(|row| (row.id, row.contact, row.name.map(|name| name.expose().to_owned()).unwrap_or_default()))
        .collect();
    let ((mara, _), (ivo, _), (_, elena)) =
        (named(&rows, "Mara")?, named(&rows, "Ivo")?, named(&rows, "Elena Petrova")?);

    // One desk is away from here on, and works.
    far.set(SHUT);
    until("the desk knows that it is away", async || {
        away.sync_now().await?;
        Ok(away.connection().state == ConnectionState::Offline)
    })
    .await?;
    away.send_reply(ivo, "written far away", None, None).await?;
    away.add_note(mara, "a note from far away").await?;

    let file = folder.path().join("backup");
    println!("backup: {:?}", app.admin().backup(&file).await?);

    // Forty sends whose outcomes come back, a hundred changes, an erasure.
    for n in 0..40 {
        near.send_reply(mara, &format!("told {n}"), None, None).await?;
    }
    for n in 0..100 {
        near.add_note(ivo, &format!("change {n}")).await?;
    }
    until("all that is told", async || Ok(near.connection().queued == 0 && sim.ledger().len() == 40)).await?;
    app.admin().erase_contact(workspace, elena).await?;
    // Ten sends that Meta gets and whose outcome the desk never hears.
    gate.set(SWALLOWS);
    for n in 0..10 {
        near.send_reply(mara, &format!("untold {n}"), None, None).await?;
        near.sync_now().await?;
    }
    until("Meta has all fifty", async || {
        near.sync_now().await?;
        Ok(sim.ledger().len() == 50)
    })
    .await?;
    gate.set(SHUT);
    assert_eq!(near.connection().queued, 10);
    sim.drain().await;
    running.stop().await;

    // The database is lost; the backup goes into an empty one.
    database = lose(&data, database).await?;
    let app = open(&data, &database).await?;
    println!("restore: {:?}", app.admin().restore(&file).await?);
    assert!(app.admin().restore(&file).await.is_err(), "only into an empty place");
    app.close().await;

    let app = open(&data, &database).await?;
    let left = format!("SELECT COUNT(*) FROM contact WHERE id = '{elena}' AND (name IS NOT NULL OR phone IS NOT NULL)");
    assert_eq!(count(&app, &left).await?, 0, "absent before the port opens");
    assert_eq!(count(&app, "SELECT COUNT(*) FROM message WHERE content LIKE '%hello from Elena%'").await?, 0);
    let addresses = format!("SELECT COUNT(*) FROM contact_identity WHERE contact = '{elena}'");
    assert_eq!(count(&app, &addresses).await?, 0);
    assert!(count(&app, "SELECT COUNT(*) FROM contact WHERE name IS NOT NULL").await? >= 2);
    assert_eq!(app.admin().verify_audit(workspace).await?.bad, None);

    let running = serve(&app, &server.to_string()).await?;
    gate.set(OPEN);
    far.set(OPEN);
    for engine in [&near, &away] {
        let settled = until("nothing waits on the desk", async || {
            engine.sync_now().await?;
            // Asking makes the desk offer again: between two askings it must have time to hear.
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(engine.connection().queued == 0)
        });
        if let Err(error) = settled.await {
            println!("{:?} {:?} {:?}", engine.phase(), engine.connection(), engine.outbox().await?);
            return Err(error);
        }
    }
    until("the reply from far away is sent", async || Ok(sent(&sim, "written far away") == 1)).await?;
    sim.drain().await;

    // Both desks hold what the server has, and only that.
    for (engine, login) in [(&near, RHEA), (&away, DEV)] {
        until("the desk holds what the server has", async || {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(held(engine).await? == scoped(server, login).await?)
        })
        .await?;
        let texts = serde_json::to_string(&held(engine).await?.into_values().collect::<Vec<_>>())?;
        assert!(!texts.contains("Elena") && !texts.contains("change 7") && !texts.contains("told 39"));
        assert!(texts.contains("written far away") && texts.contains("a note from far away"));
        println!("{}: {} rows", login.name, held(engine).await?.len());
    }
    // What may have been sent before is unconfirmed, and was not sent again.
    let entries = near.timeline(mara, None, 500).await?.entries;
    let states: Vec<_> = entries
        .iter()
        .filter(|entry| entry.content.searchable().is_some_and(|text| text.starts_with("untold")))
        .map(|entry| entry.delivery.as_ref().map(|delivery| delivery.state))
        .collect();
    assert_eq!(states, vec![Some(DeliveryState::Unconfirmed); 10]);
    for n in 0..40 {
        assert_eq!(sent(&sim, &format!("told {n}")), 1);
    }
    for n in 0..10 {
        assert_eq!(sent(&sim, &format!("untold {n}")), 1);
    }
    assert_eq!(sim.ledger().len(), 51);
    assert!(sim.violations().is_empty(), "{:?}", sim.violations());
    near.close().await;
    away.close().await;
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_sends_nothing_twice_and_brings_nobody_back() -> Fallible {
    restore(Database::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_sends_nothing_twice_and_brings_nobody_back_on_mysql() -> Fallible {
    match fresh_mysql().await? {
        Some(database) => restore(database).await,
        None => Ok(()),
    }
}
