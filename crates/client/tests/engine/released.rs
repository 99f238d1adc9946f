//! Files of every released schema open with this build and hold the same rows.
//!
//! `tests/fixtures/<number>/` is a desk that a release wrote, with what it held: `held.json`, `outbox.json`, `secrets.json`.
//! `make_fixture` writes one; a release with a new schema adds its own and leaves the others alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parley_client::keys::{KeyVault, MemoryVault};
use parley_client::views::Phase;
use parley_client::{DraftMode, Engine};
use parley_domain::entity::Entity;
use serde_json::{Value, json};

use crate::world::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            drop(std::fs::read(entry.path()).map(|bytes| std::fs::write(target, bytes).unwrap()))
        }
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Every row without its place on this desk, and what waits in the outbox.
async fn content(engine: &Engine) -> (Value, Value) {
    let held: Vec<(u64, Entity)> = engine.held().await.unwrap();
    let outbox = engine.outbox().await.unwrap();
    let draft = engine.draft(conversation(0), DraftMode::Reply).await.unwrap();
    let mut waiting = serde_json::to_value(outbox).unwrap();
    for item in waiting.as_array_mut().unwrap() {
        // Later releases may tell more; these may not change.
        let kept = ["id", "made_at", "state", "action", "conversation", "text"];
        item.as_object_mut().unwrap().retain(|name, _| kept.contains(&name.as_str()));
    }
    (serde_json::to_value(held).unwrap(), json!({"outbox": waiting, "draft": draft}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_of_every_release_opens_with_the_same_rows() {
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap().map(Result::unwrap) {
        let (release, dir) = (entry.path(), tempfile::tempdir().unwrap());
        copy(&release.join("desks"), dir.path());
        let vault = Arc::new(MemoryVault::default());
        let secrets: BTreeMap<String, Vec<u8>> = serde_json::from_value(read(&release.join("secrets.json"))).unwrap();
        for (name, secret) in secrets {
            vault.set(&name, &secret).unwrap();
        }
        // Twice: the second time there is nothing left to bring forward.
        for _ in 0..2 {
            let engine = Engine::start(config(dir.path(), vault.clone())).await;
            until(&engine, "opened", async || engine.phase() != Phase::Opening).await;
            assert!(matches!(engine.phase(), Phase::Ready { .. }), "{release:?}: {:?}", engine.phase());
            assert_eq!(engine.connection().mended, None, "{release:?}");
            let (held, waiting) = content(&engine).await;
            assert_eq!(held, read(&release.join("held.json")), "{release:?}");
            assert_eq!(waiting, read(&release.join("outbox.json")), "{release:?}");
            let found = engine.search("hello", 20).await.unwrap();
            assert_eq!(found.messages.len(), 3, "{release:?}: search knows the old rows");
            engine.close().await;
        }
        seen += 1;
    }
    assert!(seen > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes the fixture of a release: PARLEY_FIXTURE names its number"]
async fn make_fixture() {
    let Ok(number) = std::env::var("PARLEY_FIXTURE") else { return };
    let target = fixtures().join(number);
    assert!(!target.exists(), "a fixture is never written again");
    let (mut server, desk) = (Server::start().await, Desk::new());
    server.world().place_order(1);
    server.world().say(2, 900, "你好，我的订单在哪里？");
    let engine = desk.signed_in(&server).await;
    server.vanish().await;
    engine.send_reply(conversation(1), "Your order leaves today", None, None).await.unwrap();
    engine.add_note(conversation(1), "Asked twice already").await.unwrap();
    engine.label(conversation(2), [label()].into(), Default::default()).await.unwrap();
    engine.save_draft(conversation(0), DraftMode::Reply, "Half a sent").await.unwrap();
    until(&engine, "offline", async || engine.connection().problem.is_some()).await;
    engine.close().await;
    // As the next start shows it, whatever a push was doing when the server went away.
    let engine = desk.open().await;
    let (held, waiting) = content(&engine).await;
    engine.close().await;
    copy(desk.dir.path(), &target.join("desks"));
    let secrets: BTreeMap<String, Vec<u8>> = desk
        .vault
        .names()
        .into_iter()
        .map(|name| (name.clone(), desk.vault.get(&name).unwrap().unwrap().to_vec()))
        .collect();
    for (name, value) in [("held", held), ("outbox", waiting), ("secrets", serde_json::to_value(secrets).unwrap())] {
        std::fs::write(target.join(format!("{name}.json")), serde_json::to_string_pretty(&value).unwrap() + "\n")
            .unwrap();
    }
}
