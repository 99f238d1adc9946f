//! Readiness, metrics, the description of routes, the configuration's file; backups that are not whole.

use parley_domain::content::Content;
use parley_domain::delivery::DeliveryState;
use parley_domain::entity::Entity;
use parley_domain::message::Message;
use parley_domain::protocol::endpoint::{PATHS, Push};
use parley_domain::protocol::intent::{Command, PushRequest, Verdict};
use parley_domain::protocol::session::Secret;
use parley_domain::{Code, MessageId, MessageText};
use parley_server::config::File;
use parley_server::{App, Config, Database, Deps};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::world::{World, body, bsuid, card, change, everywhere, message, phone, text};

everywhere!(
    a_backup_that_is_not_whole_changes_nothing,
    who_is_erased_stays_erased_over_a_restart,
    of_an_erased_person_only_amounts_are_left,
    a_message_lost_in_a_restore_is_shown_and_gets_its_text_back,
);

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
    let once = text(&world, "wamid.once", 3, "please forget me");
    assert_eq!(world.webhook(&once).await, 200);
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
    assert_eq!(world.webhook(&once).await, 200);
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

fn of_group(world: &World, person: u32, words: &str) -> Value {
    let mut message = message(world, &format!("wamid.group{person}"), person, words);
    message["group_id"] = json!("group-1");
    change("106540000000001", json!([card(person)]), json!([message]), json!([]))
}

async fn of_an_erased_person_only_amounts_are_left(world: World) {
    let mut order = message(&world, "wamid.needle-order", 1, "");
    order["type"] = json!("order");
    order["order"] = json!({ "catalog_id": "c", "text": "needle for my aunt", "product_items": [
        { "product_retailer_id": "lamp-7", "quantity": "2", "item_price": "10.5", "currency": "EUR" }] });
    let ordered = change("106540000000001", json!([card(1)]), json!([order]), json!([]));
    for body in [
        text(&world, "wamid.needle-text", 1, "needle of the customer"),
        body(json!([ordered])),
        text(&world, "wamid.other", 2, "hello from another"),
        // What cannot be applied is kept with its body: one of theirs, one of somebody else's.
        body(json!([of_group(&world, 1, "needle in the group"), of_group(&world, 2, "stays in the group")])),
    ] {
        assert_eq!(world.webhook(&body).await, 200);
    }
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let theirs = desk.messages()[0].conversation;
    let conversations = desk.entities(|entity| match entity {
        Entity::Conversation(row) => Some(row),
        _ => None,
    });
    let person = conversations.iter().find(|row| row.id == theirs).unwrap().contact;
    let labels = desk.entities(|entity| match entity {
        Entity::Label(row) => Some(row),
        _ => None,
    });
    let label = labels[0].id;
    let note = Command::AddNote {
        message: MessageId(desk.id(&world)),
        conversation: theirs,
        body: MessageText::new("needle among colleagues"),
    };
    let labelled = Command::Label { conversation: theirs, add: [label].into(), remove: [].into() };
    let intents = vec![desk.intent(&world, note), desk.intent(&world, labelled)];
    assert_eq!(desk.push(&world, intents).await, vec![Verdict::Applied; 2]);
    assert_eq!(world.raw_counts().await, (1, 0, 2));

    let dump = async |name: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        world.app().admin().backup(&path).await.unwrap();
        std::fs::read_to_string(path).unwrap()
    };
    let needles = ["needle", "Customer 1\"", &phone(1), &bsuid(1)];
    let before = dump("before").await;
    for needle in needles {
        assert!(before.contains(needle), "{needle} is looked for in vain");
    }
    world.app().admin().erase_contact(world.workspace, person).await.unwrap();
    let after = dump("after").await;
    for needle in needles {
        assert!(!after.contains(needle), "{needle}: {:?}", after.lines().find(|line| line.contains(needle)));
    }
    assert!(after.contains("hello from another") && after.contains(&phone(2)));
    assert_eq!(world.raw_counts().await, (1, 0, 1), "the other's item is kept");

    desk.pull(&world).await;
    let held = serde_json::to_string(&desk.rows.values().collect::<Vec<_>>()).unwrap();
    assert!(!held.contains("needle") && !held.contains(&phone(1)), "desks hear of it");
    let orders = desk.entities(|entity| match entity {
        Entity::Order(row) => Some(row),
        _ => None,
    });
    assert_eq!((orders.len(), orders[0].total_minor, orders[0].currency.as_str()), (1, 2100, "EUR"), "amounts stay");
    let labels = desk.entities(|entity| match entity {
        Entity::Conversation(row) if row.id == theirs => Some(&row.labels),
        _ => None,
    });
    assert!(labels[0].is_empty());
    // A late report of Meta's brings nothing back.
    let status =
        json!([{ "id": "wamid.needle-text", "status": "read", "timestamp": "1790000000", "recipient_id": phone(1) }]);
    let late = body(json!([change("106540000000001", json!([]), json!([]), status)]));
    assert_eq!(world.webhook(&late).await, 200);
    world.applied().await;
    assert!(desk.pull(&world).await.rows.is_empty());
}

async fn a_message_lost_in_a_restore_is_shown_and_gets_its_text_back(world: World) {
    world.webhook(&text(&world, "wamid.start", 1, "hello")).await;
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let conversation = desk.messages()[0].conversation;
    // Meta reports on a message that this database never had.
    let lost = MessageId(desk.id(&world));
    let status = |state: &str, wamid: &str, person: u32| {
        json!([{ "id": wamid, "status": state, "timestamp": "1790000000", "recipient_id": phone(person),
                 "recipient_user_id": bsuid(person), "biz_opaque_callback_data": format!("{{\"o\":\"{lost}\"}}") }])
    };
    let report = |statuses: Value| body(json!([change("106540000000001", json!([]), json!([]), statuses)]));
    assert_eq!(world.webhook(&report(status("delivered", "wamid.lost", 9))).await, 200);
    world.applied().await;
    assert!(desk.pull(&world).await.rows.is_empty(), "of somebody who is not known: it waits");
    for state in ["sent", "delivered"] {
        assert_eq!(world.webhook(&report(status(state, "wamid.lost", 1))).await, 200);
    }
    world.applied().await;
    desk.pull(&world).await;
    let shown = desk.messages().into_iter().find(|row| row.id == lost).unwrap().clone();
    assert!(shown.content.is_lost() && shown.conversation == conversation && shown.author.is_none());
    let state = |row: &Message| row.delivery.as_ref().unwrap().state;
    assert_eq!(state(&shown), DeliveryState::Delivered);

    // The desk that wrote it offers it again: the text is back, and it is not sent a second time.
    for marked in [true, false] {
        let command = Command::SendMessage {
            message: lost,
            conversation,
            content: Content::Text { body: MessageText::new("it was this") },
            reply_to: None,
            resend_of: None,
            newest_shown: None,
        };
        let intent = desk.intent(&world, command);
        let offered_before = if marked { vec![intent.id] } else { vec![] };
        let push = PushRequest { intents: vec![intent], cursor: None, offered_before };
        let answer = desk.call::<Push>(&world, &push).await.unwrap().answers[0].result;
        let expected = if marked { Verdict::Applied } else { Verdict::Refused { code: Code::Conflict } };
        assert_eq!(answer, expected);
        // A send would stand in the outbox until it is in the ledger.
        let reader = world.app().db().reader();
        let sql = "SELECT COUNT(*) FROM outbox";
        let row = reader.query_one_raw(Statement::from_string(reader.get_database_backend(), sql)).await.unwrap();
        assert_eq!(row.unwrap().try_get_by_index::<i64>(0).unwrap(), 0, "it waits to be sent");
    }
    assert_eq!(world.webhook(&report(status("read", "wamid.lost", 1))).await, 200);
    world.applied().await;
    desk.pull(&world).await;
    let found = desk.messages().into_iter().find(|row| row.id == lost).unwrap().clone();
    assert_eq!(found.content.searchable(), Some("it was this"));
    assert_eq!((state(&found), found.author), (DeliveryState::Read, Some(desk.session.member)));
    assert!(world.sim.ledger().is_empty(), "nothing was sent");
}
