//! SIGKILL at random moments of server and of desk while messages are on their way.
//!
//! What the desk acknowledged is never lost, what Meta accepted is never accepted twice, every file opens again. At least a
//! quarter of the kills fall while a row is `sending`; the histogram is printed. 20 runs, 200 with `PARLEY_SOAK`.

use std::collections::BTreeMap;
use std::time::Duration;

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
        tokio::time::sleep(Duration::from_millis(random.random_range(0..350))).await;
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
    let mut unconfirmed = 0;
    for (id, conversation, text) in &acknowledged {
        let settled = |entries: &Value| {
            let entry = entries["entries"].as_array()?.iter().find(|entry| entry["id"] == id.as_str())?.clone();
            let state = entry["delivery"]["state"].as_str()?.to_owned();
            (!matches!(state.as_str(), "queued")).then_some(state)
        };
        let accepted = stack.meta.accepted(text).await?;
        assert!(accepted <= 1, "“{text}” was accepted {accepted} times");
        if accepted == 1 {
            let args = json!({"conversation": conversation, "before": null, "limit": 200});
            desk.until(&format!("“{text}” is read"), "timeline", args, |page| {
                settled(page).is_some_and(|state| state == "read")
            })
            .await?;
        } else {
            // Killed before the bytes went out: the lane is held, and the member will be told that it is unconfirmed.
            unconfirmed += 1;
        }
    }
    let states = outbox_states(&stack)?;
    let doubtful: u32 = ["unknown", "queued", "unconfirmed"].iter().filter_map(|state| states.get(*state)).sum();
    println!(
        "messages: {}, accepted once: {}, in doubt or behind one in doubt: {unconfirmed}",
        acknowledged.len(),
        acknowledged.len() - unconfirmed
    );
    assert!(unconfirmed as u32 <= doubtful, "{unconfirmed} messages are nowhere; the outbox says {states:?}");
    let state = stack.meta.read("state").await?;
    assert_eq!(state["violations"], json!([]));
    Ok(())
}
