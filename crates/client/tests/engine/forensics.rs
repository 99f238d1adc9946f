//! What is at rest: no byte of a canary in any file, and the same scan finds it when encryption is off.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use parley_client::keys::MemoryVault;
use parley_client::{DraftMode, Engine};
use parley_domain::permission::Role;

use crate::world::*;

const INCOMING: &str = "canary-incoming-4711";
const ANSWER: &str = "canary-answer-4711";
const DRAFT: &str = "canary-draft-4711";
const NOTE: &str = "canary-note-4711";
const CANARIES: [&str; 5] = [INCOMING, ANSWER, DRAFT, "Contact 1", "refresh-canary-token"];

fn found(dir: &Path, needle: &str) -> bool {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            found(&path, needle)
        } else {
            let bytes = std::fs::read(&path).unwrap_or_default();
            bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
        }
    })
}

async fn story(dir: &Path) -> Engine {
    // Lives on in the background: the story goes on being synced.
    let server = Box::leak(Box::new(Server::start().await));
    server.world().say(1, 800, INCOMING);
    let engine = Engine::start(config(dir, Arc::new(MemoryVault::default()))).await;
    until(&engine, "opened", async || engine.phase() != parley_client::views::Phase::Opening).await;
    engine.sign_in(&server.address.to_string(), "ana@example.com", "right", "LAPTOP-7", None).await.unwrap();
    synced(&engine).await;
    engine.send_reply(conversation(1), ANSWER, None, None).await.unwrap();
    engine.save_draft(conversation(1), DraftMode::Reply, DRAFT).await.unwrap();
    assert_eq!(texts(&engine, 1).await.last().unwrap(), ANSWER);
    engine
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_a_message_is_at_rest_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    // The files are looked at while they are open, so that the write-ahead logs are there too, and again when closed.
    let engine = story(dir.path()).await;
    for canary in CANARIES {
        assert!(!found(dir.path(), canary), "{canary}");
    }
    engine.close().await;
    for canary in CANARIES {
        assert!(!found(dir.path(), canary), "{canary}");
    }
    // Positive control: the same story and the same scan without encryption, in a process of its own.
    let plain = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "forensics::story_for_the_control", "--nocapture", "--ignored"])
        .env("PARLEY_CIPHER_OFF", "1")
        .env("CONTROL_DIR", plain.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for canary in [INCOMING, ANSWER, DRAFT] {
        assert!(found(plain.path(), canary), "the scan is blind: {canary}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above"]
async fn story_for_the_control() {
    let Some(dir) = std::env::var_os("CONTROL_DIR") else { return };
    let engine = story(Path::new(&dir)).await;
    engine.close().await;
}

/// A role's desk of a workspace where every message and note holds a canary: what is in its files, with the cipher off.
async fn role_story(dir: &Path, role: Role) {
    let server = Server::start().await;
    {
        let mut world = server.world();
        world.role = Some(role);
        for n in 0..3 {
            world.say(n, 800 + n, &format!("{INCOMING} {n}"));
        }
        world.note(1, 820, NOTE);
    }
    let engine = Engine::start(config(dir, Arc::new(MemoryVault::default()))).await;
    until(&engine, "opened", async || engine.phase() != parley_client::views::Phase::Opening).await;
    engine.sign_in(&server.address.to_string(), "ana@example.com", "right", "LAPTOP-7", None).await.unwrap();
    synced(&engine).await;
    // News come by a pull, and are read from the server: neither leaves a word.
    server.change(|world| {
        world.say(2, 900, &format!("{INCOMING} later"));
    });
    let seq = server.world().seq;
    engine.sync_now().await.unwrap();
    until(&engine, "read", async || {
        let page = engine.remote_timeline(conversation(2), None, 50).await.unwrap();
        page.entries.len() == 3 && server.world().log.iter().filter(|what| **what == "pull").count() > 1
    })
    .await;
    assert!(seq > 0 && engine.search("canary", 9).await.unwrap().messages.is_empty() == (role == Role::Manager));
    engine.close().await;
}

/// The canary of every message and note of the workspace: none in a manager's files, all found in an agent's (PRIVACY.md DSK-7.1).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_word_that_was_said_is_in_the_files_of_a_manager() {
    for (role, holds) in [("manager", false), ("agent", true)] {
        let plain = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "forensics::role_story_for_the_control", "--nocapture", "--ignored"])
            .env("PARLEY_CIPHER_OFF", "1")
            .env("CONTROL_DIR", plain.path())
            .env("CONTROL_ROLE", role)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for canary in [INCOMING, NOTE] {
            assert_eq!(found(plain.path(), canary), holds, "{canary} for {role}");
        }
        assert!(found(plain.path(), "Contact 1"), "conversations and their contacts are there: the scan sees");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above"]
async fn role_story_for_the_control() {
    let Some(dir) = std::env::var_os("CONTROL_DIR") else { return };
    let role = std::env::var("CONTROL_ROLE").ok().and_then(|role| Role::parse(&role)).unwrap();
    role_story(Path::new(&dir), role).await;
}

/// What the log took.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_trace_level_no_line_holds_a_text_a_number_or_a_token() {
    let lines = Lines::default();
    let written = lines.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || written.clone()).init();
    let dir = tempfile::tempdir().unwrap();
    let engine = story(dir.path()).await;
    until(&engine, "sent", async || engine.outbox().await.unwrap().is_empty()).await;
    engine.search(ANSWER, 5).await.unwrap();
    engine.close().await;
    let log = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    assert!(log.lines().count() > 100 && log.contains("tungstenite"), "the log was not taken");
    for canary in CANARIES.iter().chain(&["access-canary-token", "ana@example.com", "491510000000", "right"]) {
        assert!(!log.contains(canary), "{canary}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_owner_can_enter_a_desks_directory() {
    use std::os::unix::fs::PermissionsExt;
    let (server, desk) = (Server::start().await, Desk::new());
    let _engine = desk.signed_in(&server).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for entry in std::fs::read_dir(desk.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700);
            assert_eq!(mode(&path.join("keys.json")), 0o600);
        }
    }
}
