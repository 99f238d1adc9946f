//! A conversation given to a colleague arrives on her desk with its messages and leaves his, while customers go on writing; at
//! the end each desk holds exactly the rows that the server would give that member now.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parley_client::keys::MemoryVault;
use parley_client::views::{ConnectionState, View};
use parley_client::{Engine, EngineConfig, os};
use parley_domain::entity::{Entity, Key};
use parley_domain::protocol::change::{SnapshotPage, SnapshotRequest};
use parley_domain::protocol::endpoint::{Endpoint, SignIn, Snapshot};
use parley_domain::protocol::session::{Secret, Session, SignInRequest};
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER};
use parley_domain::{ConversationId, MemberId};
use parley_server::Database;
use parley_sim::{MetaSim, SimConfig};
use parley_tests::Fallible;
use parley_tests::inside::{Inside, fresh_mysql};
use parley_tests::meta::http;
use parley_tests::stack::{ACCESS_TOKEN, DEV, Login};
use xtask::failure::Failure;

const MIRA: Login = Login { name: "Mira Sandoval", email: "mira@casalumen.example", password: "linen-and-cedar-58" };
const SETTLES_WITHIN: Duration = Duration::from_secs(60);

async fn desk(server: &Inside, login: Login, folder: &std::path::Path) -> Fallible<Engine> {
    let engine = Engine::start(EngineConfig {
        base_dir: folder.to_owned(),
        vault: Arc::new(MemoryVault::default()),
        clock: Arc::new(os::SystemClock),
        randomness: Arc::new(os::OsRandomness),
    })
    .await;
    engine.sign_in(&server.address(), login.email, login.password, "test", None).await?;
    until("the first sync is over", async || {
        let connection = engine.connection();
        Ok(connection.state == ConnectionState::Online && connection.syncing.is_none() && connection.heard_at.is_some())
    })
    .await?;
    Ok(engine)
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

async fn post<E: Endpoint>(server: &Inside, request: &E::Request, token: Option<&Secret>) -> Fallible<E::Response> {
    let mut call =
        http().post(format!("{}{}", server.address(), E::PATH)).header(PROTOCOL_HEADER, PROTOCOL).json(request);
    if let Some(token) = token {
        call = call.bearer_auth(token.expose());
    }
    Ok(call.send().await?.error_for_status()?.json().await?)
}

/// What the server gives this member now, as a fresh device would get it.
async fn scoped_rows(server: &Inside, login: Login) -> Fallible<BTreeMap<Key, (u64, String)>> {
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
        let page: SnapshotPage =
            post::<Snapshot>(server, &SnapshotRequest { after }, Some(&session.access_token)).await?;
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

async fn held_rows(desk: &Engine) -> Fallible<BTreeMap<Key, (u64, String)>> {
    let held = desk.held().await?;
    held.into_iter()
        .map(|(seq, entity): (u64, Entity)| Ok((entity.key(), (seq, serde_json::to_string(&entity)?))))
        .collect()
}

async fn agree(server: &Inside, desk: &Engine, login: Login) -> Fallible {
    let expected = scoped_rows(server, login).await?;
    until(&format!("{}'s desk holds what the server has for it", login.name), async || {
        Ok(held_rows(desk).await? == expected)
    })
    .await?;
    println!(
        "{}: {} rows on the desk, {} in scope on the server",
        login.name,
        held_rows(desk).await?.len(),
        expected.len()
    );
    Ok(())
}

async fn holds(desk: &Engine, conversation: ConversationId) -> Fallible<usize> {
    Ok(desk.timeline(conversation, None, 500).await?.entries.iter().filter(|entry| entry.position > 0).count())
}

async fn reassign(database: Database) -> Fallible {
    let mut config = SimConfig::new(6);
    config.access_token = ACCESS_TOKEN.into();
    config.app_secret = parley_tests::stack::APP_SECRET.into();
    let number = config.numbers.first().map(|number| number.phone_number_id.clone()).unwrap_or_default();
    let waba = config.waba_id.clone();
    let sim = MetaSim::start(config).await?;
    let server = Inside::start(database).await?;
    let inbox = server.connect(&waba, &number, Some(sim.base_url().to_owned())).await?;
    let dev = server.add_agent(DEV, inbox).await?;
    let mira = server.add_agent(MIRA, inbox).await?;
    sim.set_webhook(&server.webhook());

    let people: Vec<_> =
        (0..20).map(|n| sim.customer(&format!("Customer {n}"), Some(&format!("+4915155500{n:03}")), None)).collect();
    for person in &people {
        for n in 0..5 {
            person.says(&format!("question {n}"));
        }
    }
    sim.drain().await;
    server.applied().await?;

    let folder = tempfile::tempdir()?;
    let his = desk(&server, DEV, &folder.path().join("his")).await?;
    let hers = desk(&server, MIRA, &folder.path().join("hers")).await?;
    let page = his.conversations(View::AllOpen, None, 100).await?;
    assert_eq!(page.rows.len(), 20);
    let ids: Vec<ConversationId> = page.rows.iter().map(|row| row.id).collect();

    // All become his: they leave her desk.
    for id in &ids {
        his.assign(*id, Some(dev)).await?;
    }
    until("her desk is empty", async || Ok(hers.conversations(View::AllOpen, None, 100).await?.rows.is_empty()))
        .await?;

    // Under load: customers write, he answers, and every other conversation goes to her and some come back.
    let writing = async {
        for round in 0..10 {
            for person in &people {
                person.says(&format!("more {round}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let giving = async {
        for (n, id) in ids.iter().enumerate() {
            his.send_reply(*id, "One moment, please", None, None).await?;
            if n % 2 == 0 {
                his.assign(*id, Some(mira)).await?;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Fallible::Ok(())
    };
    let (_, given) = tokio::join!(writing, giving);
    given?;
    sim.drain().await;
    server.applied().await?;

    let first = *ids.first().ok_or_else(|| Failure::new("no conversation"))?;
    until("the first conversation is on her desk with its messages", async || Ok(holds(&hers, first).await? >= 15))
        .await?;
    until("the first conversation has left his desk", async || Ok(his.conversation(first).await?.is_none())).await?;
    until("his outbox is empty", async || Ok(his.connection().queued == 0)).await?;

    // Back to him, by her.
    hers.assign(first, Some(dev)).await?;
    until("it is back on his desk", async || Ok(holds(&his, first).await? >= 15)).await?;
    until("nothing waits on her desk", async || Ok(hers.connection().queued == 0)).await?;
    until("every message was handed to Meta and told", async || Ok(sim.ledger().len() >= 20)).await?;
    sim.drain().await;
    server.applied().await?;
    agree(&server, &his, DEV).await?;
    agree(&server, &hers, MIRA).await?;
    assert!(sim.violations().is_empty(), "{:?}", sim.violations());
    let _: [MemberId; 2] = [dev, mira];
    his.close().await;
    hers.close().await;
    server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reassigned_conversation_changes_desks_under_load() -> Fallible {
    reassign(Database::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reassigned_conversation_changes_desks_under_load_on_mysql() -> Fallible {
    match fresh_mysql().await? {
        Some(database) => reassign(database).await,
        None => Ok(()),
    }
}
