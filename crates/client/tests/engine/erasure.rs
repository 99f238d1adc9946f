//! T-7.1: an erased person leaves no byte behind on a running desk. The same scan, before, finds her in every store.
//!
//! Encrypted files prove nothing, so the story runs in a process of its own with the cipher off; that a release build encrypts
//! is `no_byte_of_a_message_is_at_rest_in_clear`'s to show, and `a_release_build_has_no_switch_that_turns_the_cipher_off`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use parley_client::keys::MemoryVault;
use parley_client::{DraftMode, Engine};
use parley_domain::contact::Contact;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::{PersonName, Phone, Username};

use crate::world::*;

/// What belongs to her: one word each, so that the index holds it as one.
const CANARIES: [&str; 7] = [
    "4915177712345",
    "zanzibarina",
    "kilimanjarou",
    "ngorongorowishes",
    "serengetianswer",
    "tanganyikadraft",
    "mesélanternée",
];

fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    use base64::Engine as _;
    let utf16: Vec<u16> = text.encode_utf16().collect();
    let percent =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    let escaped = |unit: &u16| if *unit < 128 { char::from(*unit as u8).to_string() } else { format!("\\u{unit:04x}") };
    let mut forms = vec![
        ("utf-8", text.as_bytes().to_vec()),
        ("utf-16 little endian", utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
        ("utf-16 big endian", utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
        ("hexadecimal", text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()),
        ("percent", text.bytes().map(percent).collect::<String>().into_bytes()),
        ("json", utf16.iter().map(escaped).collect::<String>().into_bytes()),
        // The index keeps what a word has in common with its neighbour once: its end stands alone.
        ("end of a word", text.as_bytes()[text.len() - 8..].to_vec()),
    ];
    for start in 0..3 {
        let inner = &text.as_bytes()[start..];
        let whole = &inner[..inner.len() / 3 * 3];
        forms.push(("base64", base64::engine::general_purpose::STANDARD_NO_PAD.encode(whole).into_bytes()));
    }
    forms
}

/// Canaries found, by file.
fn scan(dir: &Path) -> BTreeMap<String, BTreeSet<(usize, &'static str)>> {
    let mut hits = BTreeMap::<String, BTreeSet<_>>::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default().to_ascii_lowercase();
        for (number, canary) in CANARIES.iter().enumerate() {
            for (name, needle) in encodings(canary) {
                let needle = needle.to_ascii_lowercase();
                if bytes.windows(needle.len()).any(|window| window == needle) {
                    let file = path.file_name().unwrap().to_string_lossy().into_owned();
                    hits.entry(file).or_default().insert((number, name));
                }
            }
        }
    }
    hits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_person_is_in_no_byte_of_a_running_desk() {
    let dir = tempfile::tempdir().unwrap();
    let temp = dir.path().join("temp");
    std::fs::create_dir(&temp).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "erasure::erasure_in_a_process_with_the_cipher_off", "--nocapture", "--ignored"])
        .env("PARLEY_CIPHER_OFF", "1")
        .env("ERASURE_DIR", dir.path())
        .env("TMPDIR", &temp)
        .env("SQLITE_TMPDIR", &temp)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test above"]
async fn erasure_in_a_process_with_the_cipher_off() {
    let Some(dir) = std::env::var_os("ERASURE_DIR") else { return };
    let dir = Path::new(&dir);
    let log = Mutex::new(std::fs::File::create(dir.join("desk.log")).unwrap());
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log).with_ansi(false).init();
    let mut server = Server::start().await;
    {
        let mut world = server.world();
        world.talk(7, now());
        world.put(Entity::Contact(Contact {
            id: contact(7),
            name: Some(PersonName::new("Zanzibarina Kilimanjarou")),
            phone: Some(Phone::new("+4915177712345")),
            username: Some(Username::new("zanzibarina")),
            blocked: false,
            reachable: true,
        }));
        for id in 0..300 {
            world.say(7, 7_000 + id, &format!("ngorongorowishes mesélanternée number {id}"));
            world.say(1, 9_000 + id, "somebody else writes too");
        }
        world.place_order(7);
    }
    let desks = dir.join("desks");
    let engine = Engine::start(config(&desks, Arc::new(MemoryVault::default()))).await;
    until(&engine, "opened", async || engine.phase() != parley_client::views::Phase::Opening).await;
    engine.sign_in(&server.address.to_string(), "ana@example.com", "right", "LAPTOP-7", None).await.unwrap();
    synced(&engine).await;
    // An answer that went through, one that still waits, and a draft.
    engine.send_reply(conversation(7), "serengetianswer sent", None, None).await.unwrap();
    until(&engine, "sent", async || engine.outbox().await.unwrap().is_empty()).await;
    server.vanish().await;
    engine.send_reply(conversation(7), "serengetianswer waiting", None, None).await.unwrap();
    engine.save_draft(conversation(7), DraftMode::Reply, "tanganyikadraft").await.unwrap();
    engine.search("zanzibarina", 5).await.unwrap();

    // The positive control: every store holds her, whole words in several places.
    let before = scan(&desks);
    println!("before: {before:#?}");
    let held = |file: &str, canary: usize| {
        let hits = before.iter().filter(|(name, _)| name.starts_with(file)).flat_map(|(_, hits)| hits);
        hits.filter(|(number, _)| *number == canary).count() > 0
    };
    assert!(
        (0..4).all(|canary| held("replica.db", canary)) && held("replica.db", 6),
        "the scan is blind in the replica"
    );
    assert!(held("outbox.db", 4) && held("outbox.db", 5), "the scan is blind in the outbox");

    // She is erased while the desk is away, with something in its outbox for her.
    {
        let mut world = server.world();
        let hers: Vec<Key> = world
            .rows
            .iter()
            .filter(|(_, (_, entity))| match entity {
                Some(Entity::Message(row)) => row.conversation == conversation(7),
                Some(Entity::Order(row)) => row.contact == contact(7),
                _ => false,
            })
            .map(|(key, _)| *key)
            .collect();
        for key in hers {
            world.delete(key);
        }
        world.delete(Key::new(Kind::Conversation, conversation(7)));
        world.delete(Key::new(Kind::Contact, contact(7)));
        world.answers_left = None;
    }
    server.come_back().await;
    engine.sync_now().await.unwrap();
    until(&engine, "erased", async || {
        let gone = engine.conversation(conversation(7)).await.unwrap().is_none();
        gone && engine.outbox().await.unwrap().is_empty() && scan(dir).is_empty()
    })
    .await;
    assert_eq!(engine.draft(conversation(7), DraftMode::Reply).await.unwrap(), None);
    assert!(!engine.search("somebody", 5).await.unwrap().messages.is_empty(), "others stay");
    engine.close().await;
    assert_eq!(scan(dir), BTreeMap::new(), "after closing");
}

/// The switch is compiled into debug builds alone: its name stands behind `debug_assertions` in the one file that opens files.
#[test]
fn a_release_build_has_no_switch_that_turns_the_cipher_off() {
    let source = include_str!("../../src/store/cipher.rs");
    let guarded =
        source.split("#[cfg(debug_assertions)]").nth(1).unwrap().split("#[cfg(not(debug_assertions))]").next().unwrap();
    assert_eq!(source.matches("PARLEY_CIPHER_OFF").count(), 1);
    assert!(guarded.contains("PARLEY_CIPHER_OFF"));
}
