//! Phone numbers that agents do not get, and texts that are no commands.

use parley_domain::content::Content;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::permission::Role;
use parley_domain::protocol::PROTOCOL_HEADER;
use parley_domain::protocol::access::{AccessRules, PutTeamRequest};
use parley_domain::protocol::change::{PullRequest, ResyncReason};
use parley_domain::protocol::endpoint::{
    Backfill, Conversations, Endpoint, Pull, Push, PutTeam, SetAccessRules, Snapshot,
};
use parley_domain::protocol::intent::{Command, PushRequest, Verdict};
use parley_domain::{MessageId, MessageText, TeamId};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::world::{Desk, World, body, bsuid, card, change, eventually, everywhere, phone, text};

everywhere!(
    no_byte_of_a_phone_number_reaches_an_agent_where_contacts_are_masked,
    nothing_that_people_write_becomes_part_of_a_statement,
    the_database_refuses_references_across_workspaces,
);

/// An answer as it stands on the wire.
async fn wire<E: Endpoint>(world: &World, desk: &Desk, request: Value) -> String {
    let call = world.http.post(world.url(E::PATH)).header(PROTOCOL_HEADER, "1").json(&request);
    call.bearer_auth(desk.session.access_token.expose()).send().await.unwrap().text().await.unwrap()
}

async fn no_byte_of_a_phone_number_reaches_an_agent_where_contacts_are_masked(world: World) {
    world.add_member("ann", Role::Agent).await;
    world.add_member("max", Role::Manager).await;
    let (admin, mut ann, mut max) = (world.desk("ada").await, world.desk("ann").await, world.desk("max").await);
    world.webhook(&text(&world, "wamid.one", 1, "hello")).await;
    world.applied().await;
    ann.snapshot(&world).await;
    max.snapshot(&world).await;
    assert!(serde_json::to_string(&ann.rows.values().collect::<Vec<_>>()).unwrap().contains(&phone(1)));
    let rules = AccessRules { two_factor_required: false, mask_contacts: true };
    admin.call::<SetAccessRules>(&world, &rules).await.unwrap();
    // What she has must go: her desk starts over. The manager's does not.
    let (status, problem) = ann.call::<Pull>(&world, &PullRequest { cursor: ann.cursor.clone() }).await.unwrap_err();
    let reason: Value = serde_json::from_str(&problem.message).unwrap();
    assert_eq!((status, &reason["reason"]), (409, &json!(ResyncReason::Permission)));
    max.pull(&world).await;
    // Everything that could carry the number: the contact, a card, Meta's words about a new number, a name made of it.
    let at = (parley_domain::Clock::now(&*world.clock).0 / 1_000).to_string();
    let shared = json!({ "from": phone(1), "from_user_id": bsuid(1), "id": "wamid.card", "timestamp": at, "type": "contacts",
        "contacts": [{ "name": { "formatted_name": "Me" }, "phones": [{ "phone": phone(1), "wa_id": phone(1) }] }] });
    let moved = json!({ "from": phone(1), "from_user_id": bsuid(1), "id": "wamid.moved", "timestamp": at, "type": "system",
        "system": { "type": "user_changed_number", "wa_id": phone(3),
            "body": format!("User A changed from {} to {}", phone(1), phone(3)) } });
    let named = json!({ "profile": { "name": format!("+{}", phone(2)) }, "wa_id": phone(2), "user_id": bsuid(2) });
    let second = json!({ "from": phone(2), "from_user_id": bsuid(2), "id": "wamid.two", "timestamp": at, "type": "text",
        "text": { "body": "hi" } });
    for (people, messages) in [(card(1), json!([shared])), (named, json!([second])), (card(1), json!([moved]))] {
        let one = change("106540000000001", json!([people]), messages, json!([]));
        assert_eq!(world.webhook(&body(json!([one]))).await, 200);
        world.applied().await;
    }
    // Meta takes an answer to somebody who wrote to it.
    let lima = world.sim.customer("Lima Costa", Some("+55 11 98765-4321"), None);
    lima.says("bom dia");
    world.sim.drain().await;
    world.applied().await;
    let mut seen = wire::<Snapshot>(&world, &ann, json!({ "after": null })).await;
    ann.rows.clear();
    ann.snapshot(&world).await;
    let talks: Vec<_> = ann
        .entities(|entity| match entity {
            Entity::Conversation(row) => Some(row),
            _ => None,
        })
        .into_iter()
        .map(|row| (row.id, row.contact))
        .collect();
    assert_eq!(talks.len(), 3);
    let of_lima = |entity: &'_ Entity| matches!(entity, Entity::Contact(row) if row.name == Some("Lima Costa".into()));
    let lima = ann.rows.values().find(|row| row.entity.as_ref().is_some_and(of_lima)).unwrap().key;
    let (conversation, contact) = *talks.iter().find(|(_, contact)| contact.0 == lima.id).unwrap();
    // She answers, and the server knows the number.
    let send = Command::SendMessage {
        message: MessageId(ann.id(&world)),
        conversation,
        content: Content::Text { body: MessageText::new("On its way.") },
        reply_to: None,
        resend_of: None,
        newest_shown: None,
    };
    let push = PushRequest { intents: vec![ann.intent(&world, send)], ..PushRequest::default() };
    seen += &wire::<Push>(&world, &ann, serde_json::to_value(&push).unwrap()).await;
    eventually("it was sent", async || world.sim.ledger().len() == 1).await;
    world.webhook(&text(&world, "wamid.three", 1, "thanks")).await;
    world.applied().await;
    seen += &wire::<Pull>(&world, &ann, json!({ "cursor": ann.cursor })).await;
    for root in [Key::new(Kind::Conversation, conversation), Key::new(Kind::Contact, contact)] {
        seen += &wire::<Backfill>(&world, &ann, json!({ "root": root, "after": null })).await;
    }
    let list = json!({ "status": "open", "whose": "anybody", "limit": 50 });
    seen += &wire::<Conversations>(&world, &ann, list.clone()).await;
    assert!(seen.contains("thanks") && seen.contains("Customer 1"));
    for digits in [phone(1), phone(2), phone(3), "5511987654321".to_owned()] {
        assert!(!seen.contains(&digits) && !seen.contains(&digits[4..]), "{digits} reached the agent");
    }
    assert!(wire::<Conversations>(&world, &max, list).await.contains(&phone(2)), "managers see it");
    let outcome = ann.pull(&world).await.outcomes;
    assert!(outcome.iter().any(|outcome| outcome.verdict == Verdict::Applied));
    let rules = AccessRules { two_factor_required: false, mask_contacts: false };
    admin.call::<SetAccessRules>(&world, &rules).await.unwrap();
    assert!(
        wire::<Snapshot>(&world, &ann, json!({ "after": null })).await.contains(&phone(2)),
        "and so does she again"
    );
}

async fn nothing_that_people_write_becomes_part_of_a_statement(world: World) {
    let admin = world.desk("ada").await;
    let team = TeamId(admin.id(&world));
    let texts = [
        "'",
        "''",
        "\"",
        "`",
        "\\",
        "\\'",
        "%",
        "_",
        ";",
        "--",
        "/*",
        "*/",
        "#",
        "' OR '1'='1",
        "\" OR \"\"=\"",
        "'; DROP TABLE member; --",
        "1; UPDATE member SET role='admin'",
        "' UNION SELECT password FROM member --",
        "${7*7}",
        "{{7*7}}",
        "$1",
        "?",
        ":name",
        "@@version",
        "0x27",
        "NEAR(a b)",
        "a* OR b",
        "col:x",
        "^x",
        "\u{202e}x",
        "’ OR 1=1",
        "＇ OR 1=1",
        "𝒯𝑒𝓍𝓉",
        "e\u{301}",
    ];
    for text in texts {
        let put = PutTeamRequest { team, name: text.to_owned(), members: vec![], inboxes: vec![] };
        admin.call::<PutTeam>(&world, &put).await.unwrap();
        let overview = admin.call::<parley_domain::protocol::endpoint::Overview>(&world, &Default::default()).await;
        assert_eq!(overview.unwrap().teams[0].name, text, "kept as it was written");
        let mut request = world.credentials("ada");
        request.email = format!("ada@example.org{text}").as_str().into();
        let (status, problem) = world.sign_in(&request).await.unwrap_err();
        assert!(matches!(status, 401 | 429), "{text}: {status}");
        assert!(!problem.message.to_lowercase().contains("sql"), "{text}");
        for (path, field) in [(Pull::PATH, "cursor"), (Snapshot::PATH, "after")] {
            let call = world.http.post(world.url(path)).header(PROTOCOL_HEADER, "1").json(&json!({ field: text }));
            let answer = call.bearer_auth(admin.session.access_token.expose()).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 409, "{text}: no cursor of ours");
        }
        // Order and choice are closed sets; nothing else is taken.
        for (field, body) in [
            ("status", json!({ "status": text, "whose": "anybody", "limit": 5 })),
            ("whose", json!({ "status": "open", "whose": text, "limit": 5 })),
            ("inbox", json!({ "status": "open", "whose": "anybody", "inbox": text, "limit": 5 })),
            ("below", json!({ "status": "open", "whose": "anybody", "below": text, "limit": 5 })),
            ("order_by", json!({ "status": "open", "whose": "anybody", "order_by": text, "limit": 5 })),
        ] {
            let call = world.http.post(world.url(Conversations::PATH)).header(PROTOCOL_HEADER, "1").json(&body);
            let answer = call.bearer_auth(admin.session.access_token.expose()).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 400, "{field}: {text}");
        }
    }
    assert!(world.add_member("still", Role::Agent).await.0.get_version_num() == 7, "the table is still there");
}

async fn the_database_refuses_references_across_workspaces(world: World) {
    let theirs = world.other_workspace("olga").await;
    let admin = world.desk("ada").await;
    let olga = world.desk("olga").await;
    let team = TeamId(admin.id(&world));
    let put = PutTeamRequest { team, name: "Ours".to_owned(), members: vec![], inboxes: vec![world.inbox] };
    admin.call::<PutTeam>(&world, &put).await.unwrap();
    let (own, foreign, member) = (world.workspace, theirs, olga.session.member);
    for sql in [
        format!("INSERT INTO team_member (workspace, team, member) VALUES ('{own}', '{team}', '{member}')"),
        format!("INSERT INTO team_inbox (workspace, team, inbox) VALUES ('{foreign}', '{team}', '{}')", world.inbox),
        format!(
            "INSERT INTO member_inbox (workspace, member, inbox) VALUES ('{foreign}', '{member}', '{}')",
            world.inbox
        ),
        format!("INSERT INTO recovery_code (workspace, member, hash) VALUES ('{own}', '{member}', 'x')"),
    ] {
        assert!(world.app().db().writer().execute_unprepared(&sql).await.is_err(), "{sql}");
    }
}
