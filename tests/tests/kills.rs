//! SIGKILL at random moments of server and of desk while messages are on their way.
//!
//! What the desk acknowledged is never lost, what Meta accepted is never accepted twice, every file opens again. At least a
//! quarter of the kills fall while a row is `sending`; the histogram is printed. 20 runs, 200 with `PARLEY_SOAK`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parley_client::keys::MemoryVault;
use parley_client::views::{ConnectionState, View};
use parley_client::{Engine, EngineConfig, os};
use parley_tests::Fallible;
use parley_tests::desk::Desk;
use parley_tests::stack::{Database, RHEA, Stack};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use xtask::cargo;
use xtask::desktop::Desktop;
use xtask::failure::Failure;

/// States of the server's outbox, as another reader of its file sees them.
fn outbox_states(stack: &Stack) -> Fallible<BTreeMap<String, u32>> {
    let path = stack.folder().join("server/parley.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut counted = BTreeMap::new();
    let mut rows = connection.prepare("SELECT state, COUNT(*) FROM outbox GROUP BY state")?;
    for row in rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)))? {
        let (state, count) = row?;
        counted.insert(state, count);
    }
    Ok(counted)
}

async fn engine(stack: &Stack, folder: &std::path::Path) -> Fallible<Engine> {
    let engine = Engine::start(EngineConfig {
        base_dir: folder.to_owned(),
        vault: Arc::new(MemoryVault::default()),
        clock: Arc::new(os::SystemClock),
        randomness: Arc::new(os::OsRandomness),
    })
    .await;
    engine.sign_in(&stack.address(), RHEA.email, RHEA.password, "restarts", None).await?;
    Ok(engine)
}

async fn reconnected(engine: &Engine) -> Fallible<Duration> {
    let started = Instant::now();
    while engine.connection().state != ConnectionState::Online {
        if started.elapsed() > Duration::from_secs(60) {
            return Err(Failure::new("a desk did not come back by itself"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(started.elapsed())
}

/// Six kills ten seconds apart with `PARLEY_SOAK`, two otherwise; meanwhile customers write and desks answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_again_and_again_under_load_loses_nothing() -> Fallible {
    let (kills, every) = if std::env::var_os("PARLEY_SOAK").is_some() { (6, 10) } else { (2, 3) };
    let logs = cargo::target().join("test/restarts");
    let _ = std::fs::remove_dir_all(&logs);
    let mut stack = Stack::start_quiet(Database::Sqlite, &logs, &["--pace", "5", "10", "15"]).await?;
    let mut desks = Vec::new();
    for number in 0..4 {
        desks.push(engine(&stack, &stack.folder().join(format!("desk{number}"))).await?);
    }
    stack.meta.customer("Ines", "+4915199900001").await?;
    stack.meta.says("Ines", "Hello").await?;
    let conversation = loop {
        let rows = desks.first().ok_or_else(|| Failure::new("no desk"))?.conversations(View::AllOpen, None, 1).await?;
        if let Some(row) = rows.rows.first() {
            break row.id;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };

    let seconds = (kills + 1) * every;
    let meta = stack.meta.clone();
    let load = tokio::spawn(async move {
        let plan = json!({"events_per_second": 60, "seconds": seconds, "customers": 40, "concurrency": 64});
        meta.control("load", plan).await
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, until) = (desks.first().cloned().ok_or_else(|| Failure::new("no desk"))?, stop.clone());
    let answers = tokio::spawn(async move {
        let mut texts = Vec::new();
        while !until.load(Ordering::Relaxed) {
            let text = format!("answer {}", texts.len());
            writer.send_reply(conversation, &text, None, None).await?;
            texts.push(text);
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        Ok::<_, Failure>(texts)
    });
    let mut back = Vec::new();
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_secs(every)).await;
        stack.kill_server()?;
        stack.start_server()?;
        for desk in &desks {
            back.push(reconnected(desk).await?.as_millis());
        }
    }
    let report = load.await.map_err(|_| Failure::new("the load failed"))??;
    stop.store(true, Ordering::Relaxed);
    let texts = answers.await.map_err(|_| Failure::new("the answers failed"))??;
    stack.meta.drain().await?;

    let (posted, answered) = (report["posted"].as_u64().unwrap_or(0), report["answered"].as_u64().unwrap_or(0));
    let path = stack.folder().join("server/parley.db");
    let stored = |sql: &str| -> Fallible<u64> {
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    };
    let started = Instant::now();
    while stored("SELECT COUNT(*) FROM raw_event")? > 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "stored webhooks are not taken up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Ines's own message is one more.
    let messages = stored("SELECT COUNT(*) FROM message WHERE direction = 'incoming'")? - 1;
    assert!(messages >= answered && messages <= posted, "{answered} of {posted} were answered, {messages} are stored");
    assert!(answered > 0 && !texts.is_empty());
    let writer = desks.first().ok_or_else(|| Failure::new("no desk"))?;
    while writer.connection().queued > 0 {
        assert!(started.elapsed() < Duration::from_secs(120), "answers stay in the desk's outbox");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let known = stored("SELECT COUNT(*) FROM message WHERE direction = 'outgoing'")?;
    assert_eq!(known, texts.len() as u64, "every answer that the desk acknowledged is on the server");
    let mut accepted = 0;
    for text in &texts {
        let times = stack.meta.accepted(text).await?;
        assert!(times <= 1, "“{text}” was accepted {times} times");
        accepted += times;
    }
    let doubtful = outbox_states(&stack)?.values().sum::<u32>() as usize;
    assert!(accepted + doubtful >= texts.len(), "{accepted} of {} are accepted, {doubtful} in the outbox", texts.len());
    println!(
        "kills: {kills}; webhooks {posted}, answered {answered}, stored {messages}; answers {}, accepted once {accepted}; desks back after {back:?} ms",
        texts.len()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_is_accepted_twice() -> Fallible {
    let runs = if std::env::var_os("PARLEY_SOAK").is_some() { 200 } else { 20 };
    let logs = cargo::target().join("test/kills");
    let _ = std::fs::remove_dir_all(&logs);
    let desktop = Desktop::without_display(&logs.join("desktop"))?;
    let mut stack = Stack::start(Database::Sqlite, &logs, &["--pace", "5", "10", "15"]).await?;
    let mut desk = Desk::new(&stack.folder().join("desk"), &logs.join("desks/desk"));
    desk.start(&desktop)?;
    desk.sign_in(&stack.address(), RHEA).await?;

    let mut random = ChaCha8Rng::seed_from_u64(20);
    let mut acknowledged = Vec::new();
    let (mut while_sending, mut histogram) = (0, BTreeMap::<String, u32>::new());
    for run in 0..runs {
        let mut conversations = Vec::new();
        for customer in 0..3 {
            let name = format!("Customer {run}-{customer}");
            stack.meta.customer(&name, &format!("+49151{run:04}{customer:03}")).await?;
            stack.meta.says(&name, "Hello").await?;
            conversations.push(desk.conversation_with(&name).await?);
        }
        // Meta takes its time, so that kills find messages on their way.
        stack.meta.control("next_send", json!({"fault": {"kind": "slow", "ms": 120}, "times": 6})).await?;
        for turn in 0..6usize {
            let text = format!("answer {run}-{turn}");
            let conversation = conversations.get(turn % 3).ok_or_else(|| Failure::new("no conversation"))?;
            let id = desk.reply(conversation, &text).await?;
            acknowledged.push((id, conversation.clone(), text));
        }
        // Half of the kills come at any moment, half at one while a message is known to be on its way.
        let mut limit = random.random_range(0..350);
        if run % 4 < 2 {
            let started = Instant::now();
            while !outbox_states(&stack)?.contains_key("sending") && started.elapsed() < Duration::from_secs(5) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            limit /= 10;
        }
        tokio::time::sleep(Duration::from_millis(limit)).await;
        let states = if run % 2 == 0 {
            stack.kill_server()?;
            outbox_states(&stack)?
        } else {
            desk.kill()?;
            outbox_states(&stack)?
        };
        while_sending += u32::from(states.get("sending").is_some_and(|count| *count > 0));
        for (state, count) in states {
            *histogram.entry(state).or_default() += count;
        }
        if run % 2 == 0 {
            stack.start_server()?;
        } else {
            desk.start(&desktop)?;
            let phase =
                desk.until("the files are open", "phase", json!({}), |phase| phase["phase"] != "opening").await?;
            assert_eq!(phase["phase"], "ready", "a file did not open after run {run}");
        }
        desk.online().await?;
    }
    println!("kills: {runs}, while a row was sending: {while_sending}; outbox rows at the kills: {histogram:?}");
    assert!(while_sending * 4 >= runs, "only {while_sending} of {runs} kills fell while a row was sending");

    desk.until("the outbox is empty", "connection", json!({}), |state| state["queued"] == 0).await?;
    stack.meta.drain().await?;
    let mut doubtful = BTreeMap::<String, u32>::new();
    for (id, conversation, text) in &acknowledged {
        let state = |page: &Value| {
            let entry = page["entries"].as_array()?.iter().find(|entry| entry["id"] == id.as_str())?.clone();
            entry["delivery"]["state"].as_str().map(str::to_owned)
        };
        let args = json!({"conversation": conversation, "before": null, "limit": 200});
        let accepted = stack.meta.accepted(text).await?;
        assert!(accepted <= 1, "“{text}” was accepted {accepted} times");
        if accepted == 1 {
            let read = |page: &Value| state(page).is_some_and(|state| state == "read");
            desk.until(&format!("“{text}” is read"), "timeline", args, read).await?;
        } else {
            // Killed before the bytes went out: its lane is held for a while, then the member is told that it is unconfirmed.
            let told = state(&desk.call("timeline", args).await?).unwrap_or_else(|| "lost".to_owned());
            if ["queued", "sending", "unconfirmed"].contains(&told.as_str()) {
                *doubtful.entry(told).or_default() += 1;
            } else {
                // It may have gone out just now.
                assert_eq!(stack.meta.accepted(text).await?, 1, "“{text}” was not accepted, and the desk says {told}");
            }
        }
    }
    println!(
        "messages: {}, accepted once: {}, in doubt or behind one in doubt, as the desk tells: {doubtful:?}",
        acknowledged.len(),
        acknowledged.len() - doubtful.values().sum::<u32>() as usize
    );
    let state = stack.meta.read("state").await?;
    assert_eq!(state["violations"], json!([]));
    Ok(())
}
