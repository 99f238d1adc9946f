//! The PIN, the passphrase, and what comes back after the keyring lost its secret.

use std::sync::Arc;

use parley_client::keys::{KeyVault, MemoryVault};
use parley_client::views::{LockReason, OpensWith, Phase};
use parley_client::{DraftMode, Engine, EngineConfig};
use parley_domain::Code;
use parley_domain::protocol::session::Secret;
use parley_domain::time::{MINUTE, SECOND};

use crate::lease::{Timed, copy, folders, locked};
use crate::world::*;

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text))
}

async fn code_of<T: std::fmt::Debug>(work: impl Future<Output = parley_client::Result<T>>) -> Code {
    work.await.unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_is_part_of_the_key_and_wrong_ones_cost_time_also_after_a_restart() {
    let timed = Timed::start().await;
    let engine = timed.signed_in().await;
    for weak in ["", "12345", "111111"] {
        assert_eq!(code_of(engine.set_pin(None, Secret::new(weak))).await, Code::WeakPin);
    }
    assert!(engine.set_pin(None, Secret::new("314159")).await.unwrap().pin);
    engine.lock().await.unwrap();
    assert_eq!(locked(&engine), Some((LockReason::Asked, OpensWith::Pin)));
    assert_eq!(code_of(engine.sidebar()).await, Code::Locked);
    assert_eq!(code_of(engine.unlock(None)).await, Code::Locked);
    engine.close().await;

    // The program starts locked: keyring and lease alone open nothing.
    let engine = timed.open().await;
    assert_eq!(locked(&engine), Some((LockReason::Started, OpensWith::Pin)));
    for _ in 0..3 {
        assert_eq!(code_of(engine.unlock(secret("000000"))).await, Code::WrongPin);
    }
    assert_eq!(code_of(engine.unlock(secret("314159"))).await, Code::RateLimited, "even the right one has to wait");
    engine.close().await;
    let engine = timed.open().await;
    assert_eq!(code_of(engine.unlock(secret("314159"))).await, Code::RateLimited, "a restart does not help");
    timed.clock.pass(29 * SECOND);
    assert_eq!(code_of(engine.unlock(secret("314159"))).await, Code::RateLimited);
    timed.clock.pass(2 * SECOND);
    assert_eq!(code_of(engine.unlock(secret("000000"))).await, Code::WrongPin);
    timed.clock.pass(59 * SECOND);
    assert_eq!(code_of(engine.unlock(secret("314159"))).await, Code::RateLimited, "the pause has doubled");
    timed.clock.pass(2 * SECOND);
    assert!(matches!(engine.unlock(secret("314159")).await.unwrap(), Phase::Ready { .. }));
    assert_eq!(texts(&engine, 1).await, ["Hello from the first sync"]);

    // Changing and removing it need it; a new lease keeps it.
    assert_eq!(code_of(engine.set_pin(None, Secret::new("271828"))).await, Code::WrongPin);
    assert_eq!(code_of(engine.set_pin(secret("000000"), Secret::new("271828"))).await, Code::WrongPin);
    engine.set_pin(secret("314159"), Secret::new("271828")).await.unwrap();
    timed.clock.pass(25 * 60 * MINUTE);
    engine.sync_now().await.unwrap();
    until(&engine, "a second lease", async || timed.lease() == Some(2)).await;
    engine.lock().await.unwrap();
    assert_eq!(code_of(engine.unlock(secret("314159"))).await, Code::WrongPin);
    assert!(matches!(engine.unlock(secret("271828")).await.unwrap(), Phase::Ready { .. }));
    assert_eq!(code_of(engine.remove_pin(Secret::new("314159"))).await, Code::WrongPin);
    assert!(!engine.remove_pin(Secret::new("271828")).await.unwrap().pin);
    engine.close().await;
    assert!(matches!(timed.open().await.phase(), Phase::Ready { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_nobody_touches_locks_where_a_pin_is_asked_for() {
    let timed = Timed::start().await;
    let engine = timed.signed_in().await;
    timed.clock.pass(20 * MINUTE);
    engine.look().await;
    assert_eq!(locked(&engine), None, "nothing would be asked for");
    engine.set_pin(None, Secret::new("314159")).await.unwrap();
    engine.active();
    for _ in 0..3 {
        timed.clock.pass(14 * MINUTE);
        engine.look().await;
        assert_eq!(locked(&engine), None);
        engine.active();
    }
    timed.clock.pass(15 * MINUTE);
    engine.look().await;
    assert_eq!(locked(&engine), Some((LockReason::Idle, OpensWith::Pin)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_keyring_a_passphrase_does_it() {
    let (server, desk) = (Server::start().await, Desk::new());
    desk.vault.fail_with(Some(Code::KeyringMissing));
    let engine = desk.open().await;
    let address = server.address.to_string();
    let sign_in = async |engine: &Engine| engine.sign_in(&address, "ana@example.com", "right", "x", None).await;
    assert_eq!(code_of(sign_in(&engine)).await, Code::KeyringMissing);
    assert_eq!(code_of(engine.set_up_passphrase(Secret::new("too short"))).await, Code::WeakPin);
    engine.set_up_passphrase(Secret::new("a long enough one")).await.unwrap();
    assert!(matches!(sign_in(&engine).await.unwrap(), Phase::Ready { .. }));
    synced(&engine).await;
    assert!(engine.app_lock().await.unwrap().passphrase);
    engine.close().await;

    let engine = desk.open().await;
    assert_eq!(locked(&engine), Some((LockReason::Started, OpensWith::Passphrase)));
    assert_eq!(code_of(engine.unlock(secret("a wrong enough one"))).await, Code::WrongPin);
    assert!(matches!(engine.unlock(secret("a long enough one")).await.unwrap(), Phase::Ready { .. }));
    assert_eq!(texts(&engine, 1).await, ["Hello from the first sync"]);
    engine.lock().await.unwrap();
    assert_eq!(locked(&engine), Some((LockReason::Asked, OpensWith::Passphrase)));
    assert!(matches!(engine.unlock(secret("a long enough one")).await.unwrap(), Phase::Ready { .. }));
    engine.sign_out().await.unwrap();
    assert_eq!(folders(desk.dir.path()), 0);
    assert!(!desk.dir.path().join("vault.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_survives_a_loss_of_the_keyring() {
    let (mut server, desk) = (Server::start().await, Desk::new());
    let engine = desk.signed_in(&server).await;
    until(&engine, "in custody", async || engine.lease().await.unwrap().in_custody).await;
    server.vanish().await;
    for text in ["one", "two", "three"] {
        engine.send_reply(conversation(1), text, None, None).await.unwrap();
    }
    engine.save_draft(conversation(2), DraftMode::Reply, "half").await.unwrap();
    engine.close().await;
    for name in desk.vault.names() {
        desk.vault.delete(&name).unwrap();
    }
    let engine = desk.open().await;
    assert_eq!(engine.phase(), Phase::Blocked { code: Code::WrongKey, recoverable: true });
    assert_eq!(code_of(engine.sign_in_again("ana@example.com", "right", None)).await, Code::Offline);
    server.come_back().await;
    server.world().block_pushes = true;
    assert_eq!(code_of(engine.sign_in_again("ana@example.com", "wrong", None)).await, Code::BadCredentials);
    let again = engine.sign_in_again("ana@example.com", "right", None).await.unwrap();
    assert_eq!(again.recovered, Some(3));
    assert!(matches!(again.phase, Phase::Ready { .. }));
    synced(&engine).await;
    assert_eq!(texts(&engine, 1).await, ["Hello from the first sync", "one", "two", "three"]);
    assert_eq!(engine.draft(conversation(2), DraftMode::Reply).await.unwrap().unwrap().expose(), "half");
    server.world().block_pushes = false;
    server.world().pushed.clear();
    engine.sync_now().await.unwrap();
    until(&engine, "sent", async || engine.outbox().await.unwrap().is_empty()).await;
    // The files belong to the new secret.
    engine.close().await;
    assert!(matches!(desk.open().await.phase(), Phase::Ready { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_before_the_server_keeps_the_key_of_what_is_not_sent() {
    let (server, desk) = (Server::start().await, Desk::new());
    server.world().desk.withhold = true;
    let engine = desk.signed_in(&server).await;
    let shown = engine.conversation(conversation(1)).await.unwrap().unwrap();
    assert_eq!(shown.may_write.code, Some(Code::NotInCustody));
    assert_eq!(code_of(engine.send_reply(conversation(1), "x", None, None)).await, Code::NotInCustody);
    engine.add_note(conversation(1), "notes are no sends").await.unwrap();
    server.world().desk.withhold = false;
    engine.close().await;
    let engine = desk.open().await;
    until(&engine, "in custody", async || engine.lease().await.unwrap().in_custody).await;
    engine.send_reply(conversation(1), "x", None, None).await.unwrap();
    let given = server.world().desk.contacts.iter().filter(|contact| contact.outbox_key.is_some()).count();
    assert!(given >= 2);
    engine.close().await;
    let before = server.world().desk.contacts.len();
    let engine = desk.open().await;
    until(&engine, "a contact", async || server.world().desk.contacts.len() > before).await;
    assert!(server.world().desk.contacts.last().unwrap().outbox_key.is_none(), "once it is kept it stays here");
}

/// A29, A31: files that were copied open nowhere else, and not for the next member of this computer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copied_files_open_on_no_other_computer_and_for_no_other_member() {
    let timed = Timed::start().await;
    let engine = timed.signed_in().await;
    engine.close().await;
    let stolen = tempfile::tempdir().unwrap();
    copy(timed.desk.dir.path(), stolen.path());
    let elsewhere = |vault: MemoryVault| EngineConfig {
        base_dir: stolen.path().to_owned(),
        vault: Arc::new(vault),
        ..timed.config()
    };
    let opened = async |config: EngineConfig| {
        let engine = Engine::start(config).await;
        until(&engine, "opened", async || engine.phase() != Phase::Opening).await;
        let phase = engine.phase();
        engine.close().await;
        phase
    };
    let another = MemoryVault::default();
    assert!(matches!(opened(elsewhere(another)).await, Phase::Blocked { code: Code::WrongKey, .. }));
    // Another member's keyring entries, under the names of this desk.
    let other = MemoryVault::default();
    for name in timed.desk.vault.names() {
        other.set(&name, &[9; 40]).unwrap();
    }
    assert!(matches!(opened(elsewhere(other)).await, Phase::Blocked { code: Code::WrongKey, .. }));
    // Everything but the lease: only a contact opens it.
    let without = MemoryVault::default();
    for name in timed.desk.vault.names().into_iter().filter(|name| !name.ends_with("/lease")) {
        without.set(&name, &timed.desk.vault.get(&name).unwrap().unwrap()).unwrap();
    }
    let phase = opened(elsewhere(without)).await;
    assert!(matches!(&phase, Phase::Locked { lock } if lock.opens_with == OpensWith::Contact), "{phase:?}");

    // The next member signs in on this computer; the files of the one before, put back, do not open.
    let engine = timed.open().await;
    engine.sign_out().await.unwrap();
    timed.sign_in(&engine).await;
    engine.close().await;
    for entry in std::fs::read_dir(stolen.path()).unwrap().map(Result::unwrap) {
        let target = timed.desk.dir.path().join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { drop(std::fs::copy(entry.path(), target)) }
    }
    assert!(matches!(opened(timed.config()).await, Phase::Blocked { code: Code::WrongKey, .. }));
}
