//! A disk that fills up, and one that damages a page, under a running desk.

use parley_client::DraftMode;
use parley_client::views::Phase;
use parley_domain::Code;
use parley_faultfs::{Fault, Plan, watch};

use crate::world::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_reading_goes_on_and_space_brings_everything_back() {
    let (server, desk) = (Server::start().await, Desk::new());
    let watch = watch(desk.dir.path());
    let engine = desk.signed_in(&server).await;
    for fault in [Fault::Full, Fault::Device, Fault::ReadOnly] {
        watch.fail(Some(Plan { from: 1, fault }));
        let text = format!("written while the disk was {fault:?}");
        server.change(|world| {
            world.say(1, 700 + fault as u128, &text);
        });
        until(&engine, "the member is told", async || engine.connection().problem == Some(Code::DiskFull)).await;
        let refused = engine.send_reply(conversation(1), "an answer", None, None).await.unwrap_err();
        assert_eq!(refused.code(), Code::DiskFull);
        let refused = engine.save_draft(conversation(1), DraftMode::Reply, "typed").await.unwrap_err();
        assert_eq!(refused.code(), Code::DiskFull);
        assert!(texts(&engine, 1).await.contains(&"Hello from the first sync".to_owned()), "reading goes on");
        assert!(!engine.search("hello", 5).await.unwrap().messages.is_empty());
        assert!(matches!(engine.phase(), Phase::Ready { .. }));

        watch.fail(None);
        engine.sync_now().await.unwrap();
        until(&engine, "the message came", async || texts(&engine, 1).await.contains(&text)).await;
        until(&engine, "all is well", async || engine.connection().problem.is_none()).await;
        engine.send_reply(conversation(1), &format!("after {fault:?}"), None, None).await.unwrap();
        until(&engine, "it was sent", async || engine.outbox().await.unwrap().is_empty()).await;
    }
    engine.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_damaged_when_it_is_read_is_mended_without_a_restart() {
    let (server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        for id in 0..1_500 {
            world.say(1, 2_000 + id, &format!("one of many messages, the {id}th of them"));
        }
    }
    desk.signed_in(&server).await.close().await;
    let dir =
        std::fs::read_dir(desk.dir.path()).unwrap().map(|e| e.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let replica = dir.join("replica.db");
    let mut bytes = std::fs::read(&replica).unwrap();
    let middle = bytes.len() / 8_192 * 4_096;
    for page in (middle..bytes.len() - 4_096).step_by(4_096) {
        bytes[page + 77] ^= 1;
    }
    std::fs::write(&replica, bytes).unwrap();
    let engine = desk.open().await;
    // Opening itself may meet a damaged page; if not, reading does. Either way no row of it is given out.
    if engine.connection().mended.is_none() {
        assert!(engine.held().await.is_err());
    }
    until(&engine, "mended", async || engine.connection().mended == Some(Code::StoreRebuilt)).await;
    synced(&engine).await;
    until(&engine, "all rows are here", async || engine.held().await.is_ok_and(|rows| rows.len() > 1_500)).await;
    engine.close().await;
}
