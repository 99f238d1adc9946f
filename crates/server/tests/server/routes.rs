//! Every route that there is against everybody who may not use it. The cases are made from the list of endpoints: a route
//! without a case here fails the test.

use parley_domain::limits::{REQUEST_BODY_MAX, STEP_UP_LASTS};
use parley_domain::permission::{Role, allows};
use parley_domain::protocol::PROTOCOL_HEADER;
use parley_domain::protocol::access::{
    AccessOverview, AccessRules, InviteRequest, Nothing, PutTeamRequest, RevokeDeviceRequest,
};
use parley_domain::protocol::endpoint::{
    Admits, Invite, Overview, POKE_PATH, PutTeam, ROUTES, RevokeDevice, Route, SetAccessRules,
};
use parley_domain::protocol::session::Secret;
use parley_domain::{Email, TeamId};
use serde_json::{Value, json};

use crate::world::{Desk, World, described, everywhere, text};

everywhere!(
    every_route_refuses_whoever_may_not_use_it,
    ids_of_another_workspace_are_not_found_on_any_route,
    every_route_refuses_what_it_does_not_take,
    unknown_fields_are_refused_at_every_depth,
    a_required_second_factor_closes_every_route_but_those_that_set_it_up,
);

/// Ids of one workspace, as text.
pub struct Ids {
    member: String,
    device: String,
    inbox: String,
    team: String,
    invitation: String,
    conversation: String,
}

impl Ids {
    /// Ids that name nothing but who asks.
    pub fn plain(desk: &Desk) -> Self {
        let (member, device) = (desk.session.member.to_string(), desk.session.device.to_string());
        let any = "0199a7f0-0000-7000-8000-00000000000";
        let [inbox, team, invitation, conversation] = [1, 2, 3, 4].map(|n| format!("{any}{n}"));
        Self { member, device, inbox, team, invitation, conversation }
    }

    async fn of(world: &World, admin: &Desk) -> Self {
        let team = TeamId(admin.id(world));
        let put = PutTeamRequest { team, name: "Day shift".to_owned(), members: vec![], inboxes: vec![] };
        admin.call::<PutTeam>(world, &put).await.unwrap();
        let email = Email::new(format!("guest-{team}@example.org"));
        let invite = InviteRequest { email, role: Role::Agent, inboxes: vec![], teams: vec![] };
        let invited = admin.call::<Invite>(world, &invite).await.unwrap();
        Self {
            member: admin.session.member.to_string(),
            device: admin.session.device.to_string(),
            inbox: admin.session.inboxes.first().map_or_else(|| admin.id(world).to_string(), ToString::to_string),
            team: team.to_string(),
            invitation: invited.invitation.id.to_string(),
            conversation: admin.id(world).to_string(),
        }
    }
}

/// What becomes of a request whose ids are another workspace's.
#[derive(PartialEq)]
pub enum Foreign {
    /// It names none.
    None,
    /// 404.
    NotFound,
    /// The answer is 200 and has nothing of it.
    Empty,
}

/// A request that the route takes, naming these ids.
pub fn case(route: &Route, ids: &Ids) -> (Value, Foreign) {
    let key = json!({ "kind": "conversation", "id": ids.conversation });
    match route.path {
        "/v1/session/sign-in" => {
            (json!({ "email": "a@b.example", "password": "x", "device": null, "device_name": "d" }), Foreign::None)
        }
        "/v1/session/refresh" => (json!({ "device": ids.device, "refresh_token": "x" }), Foreign::None),
        "/v1/session/sign-out" | "/v1/access/own" | "/v1/access/overview" => (json!({}), Foreign::None),
        "/v1/session/invitation" => (json!({ "token": "x" }), Foreign::None),
        "/v1/session/accept-invitation" => {
            (json!({ "token": "x", "name": "n", "password": "x", "device_name": "d" }), Foreign::None)
        }
        "/v1/session/step-up" => (json!({ "password": "x" }), Foreign::None),
        "/v1/device/contact" => {
            (json!({ "lease": null, "renew": true, "unsent": 0, "drafts": 0, "erased_upto": 0 }), Foreign::None)
        }
        "/v1/device/receipts" => {
            let deed = json!({ "what": "wiped", "reason": "revoked", "unsent": 0, "drafts": 0 });
            let receipt = json!({ "device": ids.device, "at": 0, "deed": deed, "signature": "00" });
            (json!({ "receipts": [receipt] }), Foreign::Empty)
        }
        "/v1/device/recover" | "/v1/access/device-policy" => (json!({}), Foreign::None),
        "/v1/access/device-policy/set" => (json!({ "policy": null }), Foreign::None),
        "/v1/sync/pull" => (json!({ "cursor": "" }), Foreign::None),
        "/v1/sync/snapshot" => (json!({ "after": null }), Foreign::None),
        "/v1/sync/backfill" => (json!({ "root": key, "after": null }), Foreign::NotFound),
        "/v1/sync/push" => (json!({ "intents": [] }), Foreign::Empty),
        "/v1/sync/outcomes" => (json!({ "ids": [ids.conversation] }), Foreign::Empty),
        "/v1/remote/conversations" => {
            (json!({ "status": "open", "whose": "anybody", "inbox": ids.inbox, "limit": 10 }), Foreign::Empty)
        }
        "/v1/access/own/password" => (json!({ "password": "x" }), Foreign::None),
        "/v1/access/own/two-factor/begin" | "/v1/access/own/two-factor/remove" => (json!({}), Foreign::None),
        "/v1/access/own/two-factor/confirm" => (json!({ "code": "000000" }), Foreign::None),
        "/v1/access/devices" => (json!({ "member": ids.member }), Foreign::NotFound),
        "/v1/access/devices/revoke" => (json!({ "device": ids.device }), Foreign::NotFound),
        "/v1/access/invitations/create" => (
            json!({ "email": "x@y.example", "role": "agent", "inboxes": [ids.inbox], "teams": [ids.team] }),
            Foreign::NotFound,
        ),
        "/v1/access/invitations/cancel" => (json!({ "invitation": ids.invitation }), Foreign::NotFound),
        "/v1/access/members/update" => (
            json!({ "member": ids.member, "role": "agent", "active": false, "inboxes": [], "teams": [] }),
            Foreign::NotFound,
        ),
        "/v1/access/members/reset-two-factor" => (json!({ "member": ids.member }), Foreign::NotFound),
        "/v1/access/teams/put" => (
            json!({ "team": ids.conversation, "name": "t", "members": [ids.member], "inboxes": [ids.inbox] }),
            Foreign::NotFound,
        ),
        "/v1/access/teams/delete" => (json!({ "team": ids.team }), Foreign::NotFound),
        "/v1/access/rules" => (json!({ "two_factor_required": false, "mask_contacts": false }), Foreign::None),
        "/v1/access/audit" => (json!({ "before": null, "limit": 10 }), Foreign::None),
        other => panic!("{other} has no case: say who may use it, and what it takes"),
    }
}

/// Posts; status and code. Every answer must carry the headers of every answer.
async fn ask(world: &World, path: &str, token: Option<&Secret>, body: String) -> (u16, String) {
    let mut call = world.http.post(world.url(path)).header(PROTOCOL_HEADER, "1").body(body);
    if let Some(token) = token {
        call = call.bearer_auth(token.expose());
    }
    read(call).await
}

async fn read(call: reqwest::RequestBuilder) -> (u16, String) {
    let answer = call.send().await.unwrap();
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    if status >= 400 && body.get("reason").is_none() {
        assert!(body["message"].is_string(), "a refusal is a code and a message: {body}");
    }
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn guarded() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.admits != Admits::Anyone)
}

async fn every_route_refuses_whoever_may_not_use_it(world: World) {
    let mut admin = world.desk("ada").await;
    let ids = Ids::of(&world, &admin).await;
    world.add_member("agent", Role::Agent).await;
    world.add_member("manager", Role::Manager).await;
    let left = world.add_member("left", Role::Admin).await;
    let (agent, manager, left_desk) =
        (world.desk("agent").await, world.desk("manager").await, world.desk("left").await);
    let lost = world.desk("ada").await;
    let revoke = RevokeDeviceRequest { device: lost.session.device };
    admin.call::<RevokeDevice>(&world, &revoke).await.unwrap();
    let ids = Ids { device: lost.session.device.to_string(), ..ids };
    world.app().admin().update_member(world.workspace, left, Role::Admin, false).await.unwrap();
    for route in guarded() {
        let body = case(route, &ids).0.to_string();
        let path = route.path;
        let with = async |token: Option<&Secret>| ask(&world, path, token, body.clone()).await;
        assert_eq!(with(None).await, refused(401, "unauthorized"), "{path} without a token");
        for junk in ["", "0", "null", admin.session.refresh_token.expose(), admin.cursor.as_str()] {
            assert_eq!(with(Some(&Secret::new(junk))).await, refused(401, "unauthorized"), "{path} with {junk:?}");
        }
        assert_eq!(with(Some(&left_desk.session.access_token)).await, refused(401, "device_revoked"), "{path}");
        assert_eq!(with(Some(&lost.session.access_token)).await, refused(401, "device_revoked"), "{path}");
        if let Admits::Holders(permission) = route.admits {
            for (role, desk) in [(Role::Agent, &agent), (Role::Manager, &manager)] {
                if !allows(role, permission) {
                    let answer = with(Some(&desk.session.access_token)).await;
                    assert_eq!(answer, refused(403, "forbidden"), "{path} as {role:?}");
                }
            }
        }
    }
    let socket = world.http.get(world.url(POKE_PATH)).header(PROTOCOL_HEADER, "1");
    assert_eq!(read(socket.try_clone().unwrap()).await, refused(401, "unauthorized"));
    let socket = socket.bearer_auth(left_desk.session.access_token.expose());
    assert_eq!(read(socket).await, refused(401, "device_revoked"));
    world.clock.advance(STEP_UP_LASTS);
    admin.refresh(&world).await;
    for route in guarded().filter(|route| route.path != "/v1/session/sign-out") {
        let body = case(route, &ids).0.to_string();
        let answer = ask(&world, route.path, Some(&admin.session.access_token), body).await;
        assert_eq!(answer == refused(403, "step_up_needed"), route.step_up, "{}: {answer:?}", route.path);
    }
}

async fn ids_of_another_workspace_are_not_found_on_any_route(world: World) {
    world.webhook(&text(&world, "wamid.own", 1, "ours")).await;
    world.applied().await;
    let theirs = world.desk("ada").await;
    let mut ids = Ids::of(&world, &theirs).await;
    let mut synced = Desk::of(theirs.session.clone());
    synced.snapshot(&world).await;
    ids.conversation = synced.messages()[0].conversation.to_string();
    world.other_workspace("olga").await;
    let mine = world.desk("olga").await;
    let before = theirs.call::<Overview>(&world, &Nothing {}).await.unwrap();
    for route in ROUTES.iter().filter(|route| route.admits != Admits::Anyone) {
        let (body, foreign) = case(route, &ids);
        if foreign == Foreign::None {
            continue;
        }
        let call = world.http.post(world.url(route.path)).header(PROTOCOL_HEADER, "1").json(&body);
        let answer = call.bearer_auth(mine.session.access_token.expose()).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        match foreign {
            Foreign::NotFound => assert_eq!(status, 404, "{}: {text}", route.path),
            _ => assert_eq!(status, 200, "{}: {text}", route.path),
        }
        assert!(!text.contains("Day shift") && !text.contains("ours"), "{}: {text}", route.path);
    }
    let after = theirs.call::<Overview>(&world, &Nothing {}).await.unwrap();
    assert_eq!(sorted(before), sorted(after), "nothing of theirs has changed");
}

fn sorted(mut overview: AccessOverview) -> AccessOverview {
    overview.members.sort_by_key(|member| member.id);
    overview.invitations.sort_by_key(|invitation| invitation.id);
    overview.teams.sort_by_key(|team| team.id);
    overview
}

async fn every_route_refuses_what_it_does_not_take(world: World) {
    let admin = world.desk("ada").await;
    let ids = Ids::of(&world, &admin).await;
    let token = Some(&admin.session.access_token);
    for route in ROUTES.iter().filter(|route| route.path != "/v1/session/sign-out") {
        let path = route.path;
        let mut more = case(route, &ids).0;
        described(path).request(&more);
        more["is_admin"] = json!(true);
        more["workspace"] = json!(world.workspace);
        assert!(!described(path).takes(&more), "{path}: the description refuses more fields too");
        assert_eq!(
            ask(&world, path, token, more.to_string()).await,
            refused(400, "bad_request"),
            "{path}: more fields"
        );
        let deep = "[".repeat(20_000);
        for body in ["", "null", "[]", "7", "\"text\"", "{\"a\":", "\u{0}", deep.as_str()] {
            assert_eq!(ask(&world, path, token, body.to_owned()).await, refused(400, "bad_request"), "{path}");
        }
        let huge = format!("\"{}\"", "a".repeat(REQUEST_BODY_MAX));
        assert_eq!(ask(&world, path, token, huge).await, refused(413, "too_large"), "{path}");
        for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::PATCH] {
            let call = world.http.request(method, world.url(path)).header(PROTOCOL_HEADER, "1");
            assert_eq!(read(call).await, refused(405, "bad_request"), "{path}");
        }
    }
}

/// Every command that a push may hold.
fn commands(id: &str) -> Vec<Value> {
    let text = json!({ "type": "text", "body": "b" });
    vec![
        json!({ "do": "send_message", "message": id, "conversation": id, "content": text, "reply_to": null,
                "resend_of": null, "newest_shown": null }),
        json!({ "do": "cancel_send", "message": id, "conversation": id }),
        json!({ "do": "add_note", "message": id, "conversation": id, "body": "b" }),
        json!({ "do": "assign", "conversation": id, "assignee": null, "shown": null }),
        json!({ "do": "set_status", "conversation": id, "status": "open", "snoozed_until": null, "shown": "open" }),
        json!({ "do": "label", "conversation": id, "add": [], "remove": [] }),
        json!({ "do": "mark_read", "conversation": id, "upto": 1 }),
        json!({ "do": "move_order", "order": id, "stage": id, "shown": id }),
    ]
}

/// The body with one more field in each of its objects, one after the other.
fn with_more(value: &Value) -> Vec<(String, Value)> {
    fn places(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    places(value, format!("{at}/{name}"), found);
                }
                found.push(at);
            }
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(n, value)| places(value, format!("{at}/{n}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(value, String::new(), &mut found);
    let more = |at: String| {
        let mut copy = value.clone();
        copy.pointer_mut(&at).unwrap()["is_admin"] = json!(true);
        (at, copy)
    };
    found.into_iter().map(more).collect()
}

async fn unknown_fields_are_refused_at_every_depth(world: World) {
    let admin = world.desk("ada").await;
    let ids = Ids::of(&world, &admin).await;
    let token = Some(&admin.session.access_token);
    let id = ids.conversation.clone();
    let intent = |command: Value| {
        json!({ "intents": [{ "id": id, "made_at": 1, "command": command, "after": [],
                              "touches": [{ "kind": "conversation", "id": id }] }] })
    };
    let mut bodies: Vec<(&str, Value)> = ROUTES.iter().map(|route| (route.path, case(route, &ids).0)).collect();
    bodies.extend(commands(&id).into_iter().map(|command| ("/v1/sync/push", intent(command))));
    let below = json!({ "active_at": 1, "id": id });
    let page = json!({ "status": "open", "whose": "anybody", "inbox": null, "below": below, "limit": 10 });
    bodies.push(("/v1/remote/conversations", page));
    let mut looked_at = 0;
    for (path, body) in bodies {
        described(path).request(&body);
        for (at, more) in with_more(&body) {
            // What a message says is the same type on its way down, where an older desk must pass over what is new.
            if at.ends_with("/content") {
                continue;
            }
            looked_at += 1;
            assert_eq!(ask(&world, path, token, more.to_string()).await, refused(400, "bad_request"), "{path} {at}");
        }
    }
    assert!(looked_at > 50, "{looked_at}");
}

async fn a_required_second_factor_closes_every_route_but_those_that_set_it_up(world: World) {
    let admin = world.desk("ada").await;
    let ids = Ids::of(&world, &admin).await;
    let rules = AccessRules { two_factor_required: true, mask_contacts: false };
    admin.call::<SetAccessRules>(&world, &rules).await.unwrap();
    let late = world.desk("ada").await;
    for desk in [&admin, &late] {
        for route in guarded().filter(|route| route.path != "/v1/session/sign-out") {
            let body = case(route, &ids).0.to_string();
            let answer = ask(&world, route.path, Some(&desk.session.access_token), body).await;
            let closed = answer == refused(403, "second_factor_required");
            assert_eq!(closed, route.admits != Admits::Unfinished, "{}: {answer:?}", route.path);
        }
        let socket = world.http.get(world.url(POKE_PATH)).header(PROTOCOL_HEADER, "1");
        let socket = socket.bearer_auth(desk.session.access_token.expose());
        assert_eq!(read(socket).await, refused(403, "second_factor_required"));
    }
    assert_eq!(late.call::<parley_domain::protocol::endpoint::SignOut>(&world, &Nothing {}).await.unwrap(), Nothing {});
}
