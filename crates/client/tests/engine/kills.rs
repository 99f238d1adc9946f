//! A desk that dies between the commits of its two files, in both orders: after the restart the answer is there once.
//!
//! The process dies at a chosen place of the code (debug builds only), without unwinding. What was acknowledged before is written
//! down outside. 30 deaths in every run, 300 with `PARLEY_SOAK`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use parley_client::keys::{KeyVault, MemoryVault};
use parley_client::views::Phase;
use parley_client::{Engine, Result};
use zeroize::Zeroizing;

use crate::world::*;

/// A vault that outlives its process.
struct FileVault {
    path: PathBuf,
    secrets: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl FileVault {
    fn open(path: &Path) -> Self {
        let secrets = std::fs::read(path).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap_or_default();
        Self { path: path.to_owned(), secrets: Mutex::new(secrets) }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) {
        let mut secrets = self.secrets.lock().unwrap();
        change(&mut secrets);
        let fresh = self.path.with_extension("new");
        std::fs::write(&fresh, serde_json::to_vec(&*secrets).unwrap()).unwrap();
        std::fs::rename(fresh, &self.path).unwrap();
    }
}

impl KeyVault for FileVault {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.secrets.lock().unwrap().get(name).cloned().map(Zeroizing::new))
    }
    fn set(&self, name: &str, secret: &[u8]) -> Result<()> {
        self.change(|secrets| drop(secrets.insert(name.to_owned(), secret.to_vec())));
        Ok(())
    }
    fn delete(&self, name: &str) -> Result<()> {
        self.change(|secrets| drop(secrets.remove(name)));
        Ok(())
    }
}

async fn open(dir: &Path) -> Engine {
    let mut config = config(&dir.join("desks"), Arc::new(MemoryVault::default()));
    config.vault = Arc::new(FileVault::open(&dir.join("vault.json")));
    let engine = Engine::start(config).await;
    until(&engine, "opened", async || engine.phase() != Phase::Opening).await;
    engine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_there_once_wherever_the_desk_dies_between_its_files() {
    let deaths = if std::env::var_os("PARLEY_SOAK").is_some() { 300 } else { 30 };
    let (server, dir) = (Server::start().await, tempfile::tempdir().unwrap());
    let engine = open(dir.path()).await;
    engine.sign_in(&server.address.to_string(), "ana@example.com", "right", "LAPTOP-7", None).await.unwrap();
    synced(&engine).await;
    engine.close().await;
    drop(engine);
    let mut died = BTreeMap::<&str, usize>::new();
    for death in 0..deaths {
        let place = ["edit_stored", "outcome_applied", "outcome_carried_out"][death % 3];
        let text = format!("answer {death}");
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kills::a_desk_that_dies", "--ignored"])
            .env("PARLEY_DIE_AT", place)
            .env("KILL_DIR", dir.path())
            .env("KILL_TEXT", &text)
            .output()
            .unwrap()
            .status;
        assert!(!status.success(), "death {death}: it lived on past {place}");
        *died.entry(place).or_default() += 1;
        let acknowledged = std::fs::read_to_string(dir.path().join("acknowledged")).unwrap_or_default();
        assert_eq!(acknowledged == text, place != "edit_stored", "death {death}: it died elsewhere than at {place}");

        let engine = open(dir.path()).await;
        assert!(matches!(engine.phase(), Phase::Ready { .. }), "death {death} at {place}: {:?}", engine.phase());
        assert_eq!(engine.connection().mended, None, "death {death} at {place}");
        let times = |shown: Vec<String>| shown.iter().filter(|shown| **shown == text).count();
        assert_eq!(times(texts(&engine, 1).await), 1, "death {death} at {place}: at once after opening");
        until(&engine, "sent", async || engine.outbox().await.unwrap().is_empty()).await;
        assert_eq!(times(texts(&engine, 1).await), 1, "death {death} at {place}: when the server has it");
        engine.close().await;
        let world = server.world();
        let stored = world.rows.values().filter(|(_, entity)| match entity {
            Some(parley_domain::entity::Entity::Message(row)) => row.content.searchable() == Some(&text),
            _ => false,
        });
        assert_eq!(stored.count(), 1, "death {death} at {place}: on the server");
    }
    println!("deaths: {died:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above"]
async fn a_desk_that_dies() {
    let Some(dir) = std::env::var_os("KILL_DIR") else { return };
    let (dir, text) = (PathBuf::from(dir), std::env::var("KILL_TEXT").unwrap());
    let engine = open(&dir).await;
    engine.send_reply(conversation(1), &text, None, None).await.unwrap();
    std::fs::write(dir.join("acknowledged"), &text).unwrap();
    // An outcome that came so quickly may have ended us already; if not, it will.
    until(&engine, "the outcome", async || engine.outbox().await.unwrap().is_empty()).await;
    engine.close().await;
}
