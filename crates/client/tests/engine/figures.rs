//! Figures, not tests: run by hand with `--ignored --nocapture`.

use std::time::Instant;

use parley_client::views::View;

use crate::world::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn first_sync_open_and_send() {
    let (server, desk) = (Server::start().await, Desk::new());
    {
        let mut world = server.world();
        for n in 10..1_010 {
            world.talk(n, now() - n as i64 * 1_000);
            for id in 0..18 {
                world.say(
                    n,
                    n * 100 + id,
                    &format!("Message {id} of {n}: the quick brown fox orders twelve rolls and a cake"),
                );
            }
        }
    }
    let rows = server.world().rows.len();
    let begun = Instant::now();
    let engine = desk.open().await;
    engine.sign_in(&server.address.to_string(), "ana@example.com", "right", "x", None).await.unwrap();
    let mut sends = Vec::new();
    while engine.connection().syncing.is_some() {
        let begun = Instant::now();
        let sent = engine.save_draft(conversation(1), parley_client::DraftMode::Reply, "typing").await;
        sent.unwrap();
        sends.push(begun.elapsed());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    synced(&engine).await;
    let took = begun.elapsed();
    println!("first sync: {rows} rows in {took:?}: {:.0} rows/s", rows as f64 / took.as_secs_f64());
    sends.sort();
    assert!(!sends.is_empty(), "the first sync was over at once");
    println!("draft durable during it: p50 {:?} p95 {:?}", sends[sends.len() / 2], sends[sends.len() * 95 / 100]);
    let mut sends = Vec::new();
    for n in 0..50 {
        let begun = Instant::now();
        engine.send_reply(conversation(2), &format!("answer {n}"), None, None).await.unwrap();
        sends.push(begun.elapsed());
    }
    sends.sort();
    println!("send shown and durable: p50 {:?} p95 {:?}", sends[25], sends[47]);
    engine.close().await;
    let mut opens = Vec::new();
    for _ in 0..10 {
        let begun = Instant::now();
        let engine = parley_client::Engine::start(desk.config()).await;
        let mut events = engine.subscribe();
        while !matches!(engine.phase(), parley_client::views::Phase::Ready { .. }) {
            let _ = events.recv().await;
        }
        let page = engine.conversations(View::AllOpen, None, 50).await.unwrap();
        opens.push(begun.elapsed());
        assert_eq!(page.rows.len(), 50);
        let begun = Instant::now();
        let hits = engine.search("quick rolls", 50).await.unwrap().messages.len();
        println!("search: {hits} in {:?}", begun.elapsed());
        engine.close().await;
    }
    opens.sort();
    println!("open and first 50: p50 {:?} worst {:?}", opens[5], opens[9]);
}
