//! Every webhook body that we know, each on a fresh database, signed and posted: 200, one raw event, no panic; posted again:
//! nothing more, and no desk notifies a second time. And the refusals: what is not signed is not stored.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parley_client::keys::MemoryVault;
use parley_client::views::Event;
use parley_client::{Engine, EngineConfig, os};
use parley_meta::webhook::signature::sign;
use parley_server::Database;
use parley_tests::Fallible;
use parley_tests::inside::{Inside, fresh_mysql};
use parley_tests::stack::{APP_SECRET, RHEA};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use xtask::cargo;
use xtask::failure::Failure;

const MESSAGES: &str = "SELECT COUNT(*) FROM message";
const RAW_STORED: &str = "SELECT COUNT(*) FROM raw_stored";

/// Counts raw events as they are stored, since each is deleted once it is applied.
async fn count_raw_events(server: &Inside) -> Fallible {
    let writer = server.app.db().writer();
    writer.execute_unprepared("CREATE TABLE raw_stored (id CHAR(36))").await?;
    let trigger = "CREATE TRIGGER raw_is_stored AFTER INSERT ON raw_event FOR EACH ROW ";
    let insert = match writer.get_database_backend() {
        sea_orm::DatabaseBackend::Sqlite => "BEGIN INSERT INTO raw_stored VALUES (NEW.id); END",
        _ => "INSERT INTO raw_stored VALUES (NEW.id)",
    };
    writer.execute_unprepared(&format!("{trigger}{insert}")).await?;
    Ok(())
}

/// Numbers that a body names, with their accounts.
fn numbers(body: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for entry in body["entry"].as_array().into_iter().flatten() {
        let waba = entry["id"].as_str().unwrap_or("1").to_owned();
        for change in entry["changes"].as_array().into_iter().flatten() {
            if let Some(number) = change["value"]["metadata"]["phone_number_id"].as_str() {
                found.insert((waba.clone(), number.to_owned()));
            }
        }
    }
    found
}

/// The account and number of a body that cannot be read as a whole.
fn named_in(text: &[u8]) -> Value {
    let text = String::from_utf8_lossy(text);
    let quoted = |key: &str| {
        let behind = text.split_once(&format!("\"{key}\""))?.1.split_once('"')?.1;
        Some(behind.split_once('"')?.0.to_owned())
    };
    let metadata = json!({"phone_number_id": quoted("phone_number_id")});
    json!({"entry": [{"id": quoted("id"), "changes": [{"value": {"metadata": metadata}}]}]})
}

async fn serve_for(bodies: &[Value], database: Database) -> Fallible<Inside> {
    let server = Inside::start(database).await?;
    count_raw_events(&server).await?;
    let mut connected = BTreeSet::new();
    // Bodies that name no number come through an app that is known all the same.
    server.connect("1", "1", None).await?;
    for (waba, number) in bodies.iter().flat_map(numbers) {
        if connected.insert(number.clone()) {
            server.connect(&waba, &number, None).await?;
        }
    }
    Ok(server)
}

/// A desk that counts the notifications it raises.
struct Watcher {
    engine: Engine,
    events: tokio::sync::broadcast::Receiver<Event>,
    notifications: usize,
    _folder: tempfile::TempDir,
}

impl Watcher {
    async fn start(server: &Inside) -> Fallible<Self> {
        let folder = tempfile::tempdir()?;
        let engine = Engine::start(EngineConfig {
            base_dir: folder.path().to_owned(),
            vault: Arc::new(MemoryVault::default()),
            clock: Arc::new(os::SystemClock),
            randomness: Arc::new(os::OsRandomness),
        })
        .await;
        engine.sign_in(&server.address(), RHEA.email, RHEA.password, "watcher", None).await?;
        let events = engine.subscribe();
        let mut watcher = Self { engine, events, notifications: 0, _folder: folder };
        watcher.heard(0).await?;
        Ok(watcher)
    }

    fn patience(started: Instant) -> Fallible {
        if started.elapsed() > Duration::from_secs(60) {
            return Err(Failure::new("the desk does not hear the server"));
        }
        Ok(())
    }

    /// Waits until the desk has been in contact, from begin to end, since now and holds what the server has placed up to `seq`;
    /// returns all notifications so far.
    async fn heard(&mut self, seq: u64) -> Fallible<usize> {
        let started = Instant::now();
        // Answers may belong to a contact that had begun before, and a contact has several.
        for _ in 0..6 {
            let before = self.engine.connection().heard_at;
            self.engine.sync_now().await?;
            while self.engine.connection().heard_at == before || self.engine.connection().syncing.is_some() {
                Self::patience(started)?;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        while self.engine.held().await?.into_iter().map(|(held, _)| held).max().unwrap_or(0) < seq {
            Self::patience(started)?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while let Ok(event) = self.events.try_recv() {
            self.notifications += usize::from(matches!(event, Event::Notify { .. }));
        }
        Ok(self.notifications)
    }
}

async fn post_twice(path: PathBuf, notified: Arc<AtomicUsize>) -> Fallible {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read(&path)?;
    // Meta cuts texts in the middle of a pair of surrogates: such a body is no JSON to a strict reader.
    let parsed: Value = serde_json::from_slice(&text).unwrap_or_else(|_| named_in(&text));
    // A sequence is a list of bodies; everything else is posted byte by byte as it stands in the file.
    let bodies: Vec<(Value, Vec<u8>)> = match parsed {
        Value::Array(list) => list.into_iter().map(|body| (body.clone(), body.to_string().into_bytes())).collect(),
        body => vec![(body, text)],
    };
    let values: Vec<Value> = bodies.iter().map(|(value, _)| value.clone()).collect();
    let server = serve_for(&values, Database::Sqlite).await?;
    let mut desk = Watcher::start(&server).await?;
    let mut after = Vec::new();
    for round in 1..=2 {
        for (_, bytes) in &bodies {
            let status = server.post(bytes, Some(&sign(APP_SECRET.as_bytes(), bytes))).await?;
            assert_eq!(status, 200, "{name}");
        }
        server.applied().await?;
        assert_eq!(server.count(RAW_STORED).await?, (bodies.len() * round) as i64, "{name}: raw events");
        let newest = server.count("SELECT COALESCE(MAX(row_seq), 0) FROM message").await?;
        let told = desk.heard(u64::try_from(newest)?).await?;
        after.push((server.count(MESSAGES).await?, told, server.count("SELECT seq FROM workspace").await?));
    }
    let (first, second) = (after.first().copied(), after.get(1).copied());
    assert_eq!(
        first.map(|(messages, ..)| messages),
        second.map(|(messages, ..)| messages),
        "{name}: messages after a repetition"
    );
    assert_eq!(
        first.map(|(_, told, _)| told),
        second.map(|(_, told, _)| told),
        "{name}: notifications after a repetition"
    );
    assert_eq!(first, second, "{name}: a repetition changed something");
    notified.fetch_add(desk.notifications, Ordering::Relaxed);
    desk.engine.close().await;
    server.stop().await;
    Ok(())
}

async fn post_all(folder: &Path, wanted: impl Fn(&str) -> bool) -> Fallible<usize> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".json") && wanted(&name)
    });
    let count = paths.len();
    let notified = Arc::new(AtomicUsize::new(0));
    let mut running = tokio::task::JoinSet::new();
    for path in paths {
        while running.len() >= 4 {
            running.join_next().await.ok_or_else(|| Failure::new("nothing runs"))???;
        }
        running.spawn(post_twice(path, notified.clone()));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    let notified = notified.load(Ordering::Relaxed);
    println!("{count} files, {notified} notifications");
    assert!(notified * 4 > count, "the desks were told of {notified} messages in {count} files");
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_of_ours_is_taken_once() -> Fallible {
    let count = post_all(&cargo::root().join("tests/payloads"), |_| true).await?;
    assert!(count >= 55, "only {count} bodies");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_further_body_at_hand_is_taken_once() -> Fallible {
    let Some(folder) = std::env::var_os("PARLEY_EXTRA_PAYLOADS") else { return Ok(()) };
    let webhook = |name: &str| {
        let inbound = ["wa_in_", "wa_status_", "wa_batch_", "wa_wh_", "wa_seq_", "fb_in_", "ig_in_"];
        inbound.iter().any(|start| name.starts_with(start))
            && !name.ends_with(".res.json")
            && !name.ends_with(".req.json")
    };
    let count = post_all(Path::new(&folder), webhook).await?;
    assert!(count > 100, "only {count} files");
    Ok(())
}

fn text_message(wamid: &str, from: &str, at: usize) -> Value {
    json!({"from": from, "id": wamid, "timestamp": (1_795_000_000 + at).to_string(), "type": "text", "text": {"body": format!("message {at}")}})
}

fn change(number: &str, messages: Vec<Value>) -> Value {
    let contacts: BTreeSet<String> =
        messages.iter().filter_map(|message| message["from"].as_str().map(str::to_owned)).collect();
    let contacts: Vec<Value> =
        contacts.into_iter().map(|phone| json!({"wa_id": phone, "profile": {"name": "Ines"}})).collect();
    json!({"field": "messages", "value": {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550100001", "phone_number_id": number},
        "contacts": contacts,
        "messages": messages,
    }})
}

async fn databases() -> Fallible<Vec<Database>> {
    Ok([Some(Database::Sqlite), fresh_mysql().await?].into_iter().flatten().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_by_three_by_three_is_twenty_seven_on_sqlite_and_mysql() -> Fallible {
    for database in databases().await? {
        let mut at = 0;
        let mut entries = Vec::new();
        for entry in 0..3 {
            let mut changes = Vec::new();
            for number in 0..3 {
                let messages = (0..3)
                    .map(|_| {
                        at += 1;
                        text_message(&format!("wamid.B{at:03}="), &format!("49151000{at:04}"), at)
                    })
                    .collect();
                changes.push(change(&format!("50{entry}{number}"), messages));
            }
            entries.push(json!({"id": format!("10{entry}"), "changes": changes}));
        }
        let body = json!({"object": "whatsapp_business_account", "entry": entries});
        let server = serve_for(std::slice::from_ref(&body), database).await?;
        let bytes = body.to_string().into_bytes();
        for _ in 0..2 {
            assert_eq!(server.post(&bytes, Some(&sign(APP_SECRET.as_bytes(), &bytes))).await?, 200);
            server.applied().await?;
            assert_eq!(server.count(MESSAGES).await?, 27);
        }
        server.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wamids_that_differ_in_case_are_two_messages_on_sqlite_and_mysql() -> Fallible {
    for database in databases().await? {
        let messages = vec![
            text_message("wamid.HBgLQUJD", "4915112345678", 1),
            text_message("wamid.HBgLquJD", "4915112345678", 2),
        ];
        let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change("500", messages)]}]});
        let server = serve_for(std::slice::from_ref(&body), database).await?;
        let bytes = body.to_string().into_bytes();
        assert_eq!(server.post(&bytes, Some(&sign(APP_SECRET.as_bytes(), &bytes))).await?, 200);
        server.applied().await?;
        assert_eq!(server.count(MESSAGES).await?, 2);
        server.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_body_is_refused_and_not_stored_on_sqlite_and_mysql() -> Fallible {
    for database in databases().await? {
        // Meta escapes what a re-serialised body would not.
        let raw = br#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"500"},"messages":[{"from":"4915112345678","id":"wamid.X","timestamp":"1795000000","type":"text","text":{"body":"caf\u00e9 https:\/\/x.y"}}]}}]}]}"#;
        let parsed: Value = serde_json::from_slice(raw)?;
        let server = serve_for(std::slice::from_ref(&parsed), database).await?;
        let good = sign(APP_SECRET.as_bytes(), raw);
        let again = parsed.to_string().into_bytes();
        let hex = good.trim_start_matches("sha256=").to_owned();
        let refused: [(&str, &[u8], Option<String>); 6] = [
            ("missing", raw, None),
            ("empty", raw, Some(String::new())),
            ("wrong key", raw, Some(sign(b"another secret", raw))),
            ("sha1", raw, Some(format!("sha1={hex}"))),
            ("bare", raw, Some(hex)),
            ("re-serialised", &again, Some(good.clone())),
        ];
        for (what, body, signature) in refused {
            assert_eq!(server.post(body, signature.as_deref()).await?, 401, "{what}");
        }
        assert_eq!(server.count(RAW_STORED).await?, 0, "something unsigned was stored");
        assert_eq!(server.post(raw, Some(&good)).await?, 200);
        server.applied().await?;
        assert_eq!(server.count(MESSAGES).await?, 1);
        server.stop().await;
    }
    Ok(())
}
