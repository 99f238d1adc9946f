//! Every webhook body that is at hand, posted twice.

use std::path::{Path, PathBuf};

use parley_meta::webhook::signature;

use crate::world::{SECRET, World, eventually};

fn bodies(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(".json") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        match serde_json::from_str::<serde_json::Value>(&text) {
            // A sequence is a list of bodies.
            Ok(serde_json::Value::Array(list)) => {
                found.extend(list.into_iter().map(|body| (name.clone(), body.to_string())));
            }
            _ => found.push((name, text)),
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_known_body_is_taken_and_repeats_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/payloads");
    let mut all = bodies(&root);
    assert!(!all.is_empty(), "the repository has bodies of its own");
    if let Ok(extra) = std::env::var("PARLEY_EXTRA_PAYLOADS") {
        all.extend(bodies(Path::new(&extra)));
    }
    let world = World::sqlite().await;
    let post = async |raw: &str| {
        let signed = signature::sign(SECRET.as_bytes(), raw.as_bytes());
        world.post_raw(raw.to_owned(), Some(&signed)).await
    };
    let settled = async || {
        eventually("every body was looked at", async || {
            parley_server::db::raw::take_new(world.app().db(), 1).await.unwrap().is_empty()
        })
        .await;
    };
    for (name, raw) in &all {
        assert_eq!(post(raw).await, 200, "{name}");
    }
    settled().await;
    for number in parley_server::db::raw::waiting_numbers(world.app().db()).await.unwrap() {
        world.connect(&number).await;
    }
    eventually("nothing waits", async || world.raw_counts().await.1 == 0).await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let before = desk.messages().len();
    assert!(before > 0);
    for (name, raw) in &all {
        assert_eq!(post(raw).await, 200, "{name}");
    }
    settled().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    assert_eq!(desk.messages().len(), before, "a repeated body adds no message");
}
