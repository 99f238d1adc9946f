//! SQL in every text that anybody can send: it is stored as it came, found as it came, and does nothing (SECURITY.md A13).

use std::collections::BTreeMap;

use parley_domain::entity::Entity;
use parley_domain::limits::SIGN_IN_HELD_BACK;
use parley_domain::permission::Role;
use parley_domain::protocol::PROTOCOL_HEADER;
use parley_domain::protocol::access::{InviteRequest, Nothing, PutTeamRequest};
use parley_domain::protocol::endpoint::{Invite, Overview, PutTeam, ROUTES};
use parley_domain::protocol::intent::{Command, Verdict};
use parley_domain::{Email, MessageId, MessageText, TeamId};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::world::{Desk, World, body, bsuid, change, everywhere, phone, text};

everywhere!(sql_in_stored_texts_comes_back_as_it_was, sql_in_any_field_of_any_route_does_nothing);

const CORPUS: &[&str] = &[
    "'",
    "\"",
    "`",
    "\\",
    "\\'",
    "';--",
    "' OR '1'='1",
    "' OR 1=1 -- ",
    "\" OR \"\"=\"",
    "') OR ('1'='1",
    "1; DROP TABLE message",
    "'; DROP TABLE message; --",
    "'; DELETE FROM member WHERE 'a'='a",
    "' UNION SELECT password FROM member --",
    "' AND SLEEP(9) AND '1'='1",
    "%' AND 1=0 UNION ALL SELECT sql FROM sqlite_master --",
    "%",
    "_",
    "?1 :name @x $1 {0} %s",
    "0x27204f5220313d31",
    "\u{02bc} OR 1=1",
    "/*!50000 ' */",
];

/// How many rows each table holds.
async fn rows(world: &World) -> BTreeMap<String, i64> {
    let reader = world.app().db().reader();
    let backend = reader.get_database_backend();
    let all = |sql: String| reader.query_all_raw(Statement::from_string(backend, sql));
    let list = match backend {
        sea_orm::DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
        _ => "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name",
    };
    let mut found = BTreeMap::new();
    for row in all(list.to_owned()).await.unwrap() {
        let name: String = row.try_get_by_index(0).unwrap();
        let counted = all(format!("SELECT COUNT(*) FROM `{name}`")).await.unwrap();
        found.insert(name, counted[0].try_get_by_index(0).unwrap());
    }
    found
}

async fn sql_in_stored_texts_comes_back_as_it_was(world: World) {
    let mut desk = world.desk("ada").await;
    for (n, sql) in CORPUS.iter().enumerate() {
        let person = u32::try_from(n).unwrap() + 1;
        let card = json!({ "profile": { "name": sql }, "wa_id": phone(person), "user_id": bsuid(person) });
        let message = json!({
            "from": phone(person), "from_user_id": bsuid(person), "id": format!("wamid.{n}.{sql}"),
            "timestamp": "1790000000", "type": "text", "text": { "body": sql },
        });
        let change = change("106540000000001", json!([card]), json!([message]), json!([]));
        assert_eq!(world.webhook(&body(json!([change]))).await, 200);
        let email = format!("{n}{}@example.org", sql.replace(char::is_whitespace, ""));
        let team =
            PutTeamRequest { team: TeamId(desk.id(&world)), name: (*sql).to_owned(), members: vec![], inboxes: vec![] };
        desk.call::<PutTeam>(&world, &team).await.unwrap();
        let invite = InviteRequest { email: Email::new(email), role: Role::Agent, inboxes: vec![], teams: vec![] };
        // Not every one of them is an address.
        let _ = desk.call::<Invite>(&world, &invite).await;
        let mut request = world.credentials("ada");
        request.device_name = (*sql).to_owned();
        world.sign_in(&request).await.unwrap();
    }
    world.applied().await;
    desk.snapshot(&world).await;
    let conversation = desk.messages()[0].conversation;
    let mut intents = Vec::new();
    for sql in CORPUS {
        let (message, body) = (MessageId(desk.id(&world)), MessageText::new(*sql));
        intents.push(desk.intent(&world, Command::AddNote { message, conversation, body }));
    }
    assert_eq!(desk.push(&world, intents).await, vec![Verdict::Applied; CORPUS.len()]);
    desk.pull(&world).await;
    let overview = desk.call::<Overview>(&world, &Nothing {}).await.unwrap();
    let names = desk.entities(|entity| match entity {
        Entity::Contact(row) => row.name.as_ref(),
        _ => None,
    });
    for sql in CORPUS {
        let said = desk.messages().into_iter().filter(|row| row.content.searchable() == Some(sql)).count();
        assert_eq!(said, 2, "{sql}: what the customer wrote, and the note");
        assert_eq!(names.iter().filter(|name| name.expose() == *sql).count(), 1, "{sql}");
        assert_eq!(overview.teams.iter().filter(|team| team.name == sql.trim()).count(), 1, "{sql}");
    }
}

/// A body that the route takes.
fn taken(path: &str, desk: &Desk) -> Value {
    let ids = crate::routes::Ids::plain(desk);
    ROUTES.iter().find(|route| route.path == path).map(|route| crate::routes::case(route, &ids).0).unwrap()
}

/// Every text in a body, one after the other, with SQL behind it and instead of it.
fn injected(value: &Value, sql: &str) -> Vec<Value> {
    let whole = value.to_string();
    let mut found = Vec::new();
    let mut texts = Vec::new();
    collect(value, String::new(), &mut texts);
    for (pointer, text) in texts {
        for new in [sql.to_owned(), format!("{text}{sql}")] {
            let mut copy: Value = serde_json::from_str(&whole).unwrap();
            *copy.pointer_mut(&pointer).unwrap() = json!(new);
            found.push(copy);
        }
    }
    found
}

fn collect(value: &Value, at: String, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.push((at, text.clone())),
        // What may be left out is a text in some requests.
        Value::Null => found.push((at, String::new())),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(n, value)| collect(value, format!("{at}/{n}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, value)| collect(value, format!("{at}/{name}"), found)),
        _ => {}
    }
}

async fn sql_in_any_field_of_any_route_does_nothing(world: World) {
    world.webhook(&text(&world, "wamid.start", 1, "hello")).await;
    world.applied().await;
    let desk = world.desk("ada").await;
    world.add_member("agent", Role::Agent).await;
    let before = rows(&world).await;
    let mut asked = 0;
    // What a route is for is left to its own tests; a password is hashed, which takes its time.
    let slow = ["/v1/session/sign-in", "/v1/session/step-up", "/v1/session/sign-out"];
    for route in ROUTES {
        let corpus = if slow.contains(&route.path) { ["'", "' OR '1'='1"].to_vec() } else { CORPUS.to_vec() };
        for sql in corpus {
            for request in injected(&taken(route.path, &desk), sql) {
                // These make what they are told, whatever it is.
                let makes = ["/v1/access/teams/put", "/v1/access/invitations/create", "/v1/access/own/password"];
                if makes.contains(&route.path) {
                    continue;
                }
                let call = world.http.post(world.url(route.path)).header(PROTOCOL_HEADER, "1").json(&request);
                let call = call.bearer_auth(desk.session.access_token.expose());
                let answer = call.send().await.unwrap();
                let status = answer.status().as_u16();
                let text = answer.text().await.unwrap();
                // A receipt that its device did not sign is passed over, whatever stands in it.
                let passed = status == 200 && route.path == "/v1/device/receipts";
                assert!(
                    passed || [400, 401, 404, 409, 422, 429].contains(&status),
                    "{} {request}: {status} {text}",
                    route.path
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 500, "{asked}");
    for sql in CORPUS {
        let call = world.http.post(world.url("/v1/sync/pull")).header(PROTOCOL_HEADER, "1");
        let bearer = call.bearer_auth(sql.replace(|c: char| !c.is_ascii_graphic(), "+")).body("{\"cursor\":\"\"}");
        assert_eq!(bearer.send().await.unwrap().status(), 401, "{sql}");
        let path = format!("/webhooks/meta/{}", sql.replace(|c: char| !c.is_ascii_alphanumeric(), "%27"));
        let status = world.http.post(world.url(&path)).body("{}").send().await.unwrap().status();
        assert!(status.is_client_error(), "{sql}: {status}");
    }
    let mut after = rows(&world).await;
    // Tries to sign in are counted, under a hash.
    for counted in ["sign_in_try", "job"] {
        after.insert(counted.to_owned(), before[counted]);
    }
    assert_eq!(before, after);
    // With the password of somebody who is there.
    for sql in ["nobody' OR '1'='1", "nobody' OR 1=1 -- ", "' UNION SELECT id, workspace FROM member -- "] {
        world.clock.advance(SIGN_IN_HELD_BACK);
        let mut request = world.credentials("agent");
        request.email = Email::new(sql);
        assert_eq!(world.sign_in(&request).await.unwrap_err().0, 401, "{sql}");
    }
    world.clock.advance(SIGN_IN_HELD_BACK);
    assert!(world.sign_in(&world.credentials("agent")).await.is_ok(), "everybody is still there");
}
