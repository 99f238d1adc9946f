//! Stores open with their own key only; a missing, locked or changed keyring is a screen and creates nothing.

use std::path::{Path, PathBuf};

use parley_client::keys::KeyVault;
use parley_client::views::Phase;
use parley_client::{DraftMode, Engine};
use parley_domain::Code;

use crate::world::*;

fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path, entry.metadata().unwrap().len()));
        }
    }
    found.sort();
    found
}

fn store_secret(desk: &Desk) -> String {
    desk.vault.names().into_iter().find(|name| name.ends_with("/store")).unwrap()
}

fn only_dir(desk: &Desk) -> PathBuf {
    std::fs::read_dir(desk.dir.path()).unwrap().map(|e| e.unwrap().path()).find(|path| path.is_dir()).unwrap()
}

async fn blocked(desk: &Desk) -> (Engine, Code) {
    let before = files(desk.dir.path());
    let engine = desk.open().await;
    let Phase::Blocked { code, .. } = engine.phase() else { panic!("{:?}", engine.phase()) };
    assert_eq!(files(desk.dir.path()), before, "nothing is created or changed");
    (engine, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_locked_or_changed_keyring_gets_its_own_screen_and_retry_works() {
    let (server, desk) = (Server::start().await, Desk::new());
    desk.signed_in(&server).await.close().await;

    desk.vault.fail_with(Some(Code::KeyringLocked));
    let (engine, code) = blocked(&desk).await;
    assert_eq!(code, Code::KeyringLocked);
    assert_eq!(engine.sidebar().await.unwrap_err().code(), Code::KeyringLocked);
    desk.vault.fail_with(None);
    assert!(matches!(engine.retry_open().await.unwrap(), Phase::Ready { .. }));
    assert_eq!(texts(&engine, 1).await, ["Hello from the first sync"]);
    engine.close().await;

    desk.vault.fail_with(Some(Code::KeyringMissing));
    assert_eq!(blocked(&desk).await.1, Code::KeyringMissing);
    desk.vault.fail_with(None);

    let name = store_secret(&desk);
    let secret = desk.vault.get(&name).unwrap().unwrap();
    desk.vault.set(&name, &[7; 32]).unwrap();
    assert_eq!(blocked(&desk).await.1, Code::WrongKey);
    desk.vault.delete(&name).unwrap();
    assert_eq!(blocked(&desk).await.1, Code::WrongKey);

    desk.vault.set(&name, &secret).unwrap();
    assert!(matches!(desk.open().await.phase(), Phase::Ready { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_missing_or_foreign_replica_is_made_anew_and_fetched_again() {
    let (server, desk) = (Server::start().await, Desk::new());
    desk.signed_in(&server).await.close().await;
    let dir = only_dir(&desk);
    let replica = dir.join("replica.db");
    type Damage = fn(&Path);
    let damage: [(&str, Damage); 3] = [
        ("damaged", |file| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes[100..200].fill(0);
            std::fs::write(file, bytes).unwrap();
        }),
        ("missing", |file| std::fs::remove_file(file).unwrap()),
        // A file of the same desk in another's place does not open: each has a key of its own.
        ("foreign", |file| {
            std::fs::copy(file.with_file_name("outbox.db"), file).unwrap();
        }),
    ];
    for (what, damage) in damage {
        damage(&replica);
        let engine = desk.open().await;
        assert!(matches!(engine.phase(), Phase::Ready { .. }), "{what}: {:?}", engine.phase());
        assert_eq!(engine.connection().mended, Some(Code::StoreRebuilt), "{what}");
        synced(&engine).await;
        assert_eq!(texts(&engine, 1).await, ["Hello from the first sync"], "{what}");
        let Phase::Ready { me } = engine.phase() else { panic!() };
        assert_eq!((me.name.expose(), me.workspace.as_str()), ("Ana", "Bluebird Bakery"), "{what}: not known again");
        // What was set aside goes when everything is here again.
        until(&engine, "forgotten", async || !dir.join("damaged").exists()).await;
        engine.close().await;
        let engine = desk.open().await;
        assert_eq!(engine.connection().mended, None, "{what}: told once");
        engine.close().await;
    }
    std::fs::write(dir.join("keys.json"), b"{").unwrap();
    assert_eq!(blocked(&desk).await.1, Code::StoreDamaged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_outbox_keeps_its_answers_as_drafts_or_in_the_queue() {
    let (mut server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    server.vanish().await;
    engine.send_reply(conversation(1), "kept answer", None, None).await.unwrap();
    engine.close().await;
    let outbox = only_dir(&desk).join("outbox.db");
    let whole = std::fs::read(&outbox).unwrap();
    // Nothing of it can be read: the replica still shows the answer, and its text is not lost.
    std::fs::write(&outbox, vec![7; whole.len()]).unwrap();
    let engine = desk.open().await;
    assert_eq!(engine.connection().mended, Some(Code::OutboxRecovered));
    assert_eq!(engine.outbox().await.unwrap().len(), 0);
    let draft = engine.draft(conversation(1), DraftMode::Reply).await.unwrap().unwrap();
    assert_eq!(draft.expose(), "kept answer");
    assert_eq!(texts(&engine, 1).await, ["Hello from the first sync"], "it is not shown as if it were on its way");
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_with_a_locked_keyring_creates_nothing_and_does_not_ask_the_server() {
    let (server, desk) = (Server::start().await, Desk::new());
    desk.vault.fail_with(Some(Code::KeyringLocked));
    let engine = desk.open().await;
    let error = engine.sign_in(&server.address.to_string(), "ana@example.com", "right", "x", None).await.unwrap_err();
    assert_eq!(error.code(), Code::KeyringLocked);
    assert!(files(desk.dir.path()).is_empty());
    assert!(server.world().log.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_leaves_nothing_behind() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.open().await;
    let error = engine.sign_in(&server.address.to_string(), "ana@example.com", "wrong", "x", None).await.unwrap_err();
    assert_eq!(error.code(), Code::BadCredentials);
    assert!(files(desk.dir.path()).is_empty() && desk.vault.names().is_empty());
    assert_eq!(engine.phase(), Phase::SignedOut { server: None });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_parley_is_kept_out() {
    let (server, desk) = (Server::start().await, Desk::new());
    let first = desk.signed_in(&server).await;
    let second = desk.open().await;
    assert_eq!(second.phase(), Phase::Blocked { code: Code::AlreadyOpen, recoverable: false });
    first.close().await;
    assert!(matches!(second.retry_open().await.unwrap(), Phase::Ready { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_and_being_revoked_leave_no_file_and_no_secret() {
    let (server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    assert!(matches!(engine.sign_out().await.unwrap(), Phase::SignedOut { server: Some(_) }));
    // The word of the wipe may stay: ids and counts, for the next sign-in.
    let stays = |path: &Path| path.ends_with("desk.json") || path.ends_with("wiped.json");
    let left = |desk: &Desk| files(desk.dir.path()).into_iter().filter(|(path, _)| !stays(path)).count();
    assert_eq!((left(&desk), desk.vault.names().len()), (0, 0));

    let engine = desk.signed_in(&server).await;
    // The socket must be open to hear of it.
    server.change(|world| {
        world.say(1, 900, "one more");
    });
    until(&engine, "poked", async || texts(&engine, 1).await.len() == 2).await;
    server.revoke();
    until(&engine, "wiped", async || matches!(engine.phase(), Phase::SignedOut { .. })).await;
    assert_eq!((left(&desk), desk.vault.names().len()), (0, 0));
}
