//! Readiness, metrics, the description of routes, the configuration's file; backups that are not whole.

use parley_domain::protocol::endpoint::PATHS;
use parley_domain::protocol::session::Secret;
use parley_server::config::File;
use parley_server::{App, Config, Database, Deps};
use serde_json::Value;

use crate::world::{World, everywhere, text};

everywhere!(a_backup_that_is_not_whole_changes_nothing, who_is_erased_stays_erased_over_a_restart);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_metrics_and_description_are_served() {
    let world = World::sqlite().await;
    let dir = tempfile::tempdir().unwrap();
    let config = Config { metrics_token: Some(Secret::new("monitor")), ..Config::new(dir.path()) };
    let app = App::open(config, Deps::system()).await.unwrap();
    let running = app.serve(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
    let url = |path: &str| format!("http://{}{path}", running.address());
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();

    assert_eq!(status(world.http.get(url("/ready"))).await, 200);
    assert_eq!(status(world.http.get(world.url("/metrics"))).await, 404, "no token in the configuration, no route");
    assert_eq!(status(world.http.get(url("/metrics"))).await, 401);
    assert_eq!(status(world.http.get(url("/metrics")).bearer_auth("wrong")).await, 401);
    let answer = world.http.get(url("/metrics")).bearer_auth("monitor").send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let numbers = answer.text().await.unwrap();
    assert!(numbers.contains("parley_requests_total{route=\"/ready\",status=\"200\"} 1"), "{numbers}");
    assert!(numbers.contains("parley_queue_depth{queue=\"outbox\"} 0"), "{numbers}");
    let document: Value = world.http.get(url("/openapi.json")).send().await.unwrap().json().await.unwrap();
    for path in PATHS {
        assert!(document["paths"][path]["post"].is_object(), "{path}");
    }
    running.stop().await;
}

#[test]
fn the_file_of_the_configuration_is_strict_and_shows_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("parley.toml");
    assert!(File::read(&path).unwrap().listen.is_none(), "a missing file is empty");
    std::fs::write(&path, "database_url = \"mysql://u:hunter2@h/d\"\nmetrics_token = \"hunter3\"\noff = [\"meta\"]\n")
        .unwrap();
    let file = File::read(&path).unwrap();
    let config = Config {
        database: Database::parse(file.database_url.as_ref().map(Secret::expose)).unwrap(),
        metrics_token: file.metrics_token.clone(),
        ..Config::new(dir.path())
    };
    let shown = format!("{file:?} {config:#?}");
    assert!(!shown.contains("hunter"), "{shown}");
    std::fs::write(&path, "database_url = \"mysql://u:hunter2@h/d\"\nlisten_to = 1\n").unwrap();
    let error = File::read(&path).unwrap_err().to_string();
    assert!(!error.contains("hunter"), "{error}");
}

async fn a_backup_that_is_not_whole_changes_nothing(world: World) {
    for n in 0..5 {
        assert_eq!(world.webhook(&text(&world, &format!("wamid.{n}"), n, "kept in the backup")).await, 200);
    }
    world.applied().await;
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    let count = world.app().admin().backup(&whole).await.unwrap();
    assert!(world.app().admin().backup(&whole).await.is_err(), "no file is written over");
    let lines = std::fs::read_to_string(&whole).unwrap();
    let app = App::open(Config::new(dir.path().join("empty")), Deps::system()).await.unwrap();
    let short: String = lines.lines().take(lines.lines().count() - 3).flat_map(|line| [line, "\n"]).collect();
    for damaged in [short, lines.replacen("kept in", "left in", 1), String::new(), "{}\n".to_owned()] {
        let path = dir.path().join("damaged");
        std::fs::write(&path, damaged).unwrap();
        assert!(app.admin().restore(&path).await.is_err());
        assert!(app.admin().workspaces().await.unwrap().is_empty());
    }
    // Of whatever database: it opens on SQLite.
    assert_eq!(app.admin().restore(&whole).await.unwrap(), count);
    assert_eq!(app.admin().workspaces().await.unwrap(), [world.workspace]);
    assert_eq!(app.admin().verify_audit(world.workspace).await.unwrap().bad, None);
    app.close().await;
}

async fn who_is_erased_stays_erased_over_a_restart(mut world: World) {
    let body = text(&world, "wamid.once", 3, "please forget me");
    assert_eq!(world.webhook(&body).await, 200);
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let contact = desk.entities(|entity| match entity {
        parley_domain::entity::Entity::Contact(contact) => Some(contact),
        _ => None,
    });
    let id = contact.first().unwrap().id;
    world.app().admin().erase_contact(world.workspace, id).await.unwrap();
    // Meta repeats it: nobody comes back.
    assert_eq!(world.webhook(&body).await, 200);
    world.applied().await;
    world.kill().await;
    world.open().await;
    desk.pull(&world).await;
    let held = format!("{:?}", serde_json::to_string(&desk.rows.values().collect::<Vec<_>>()).unwrap());
    for gone in ["please forget me", "Customer 3", &crate::world::phone(3)] {
        assert!(!held.contains(gone), "{gone}");
    }
    assert_eq!(desk.messages().len(), 1);
}
