//! Signing in, tokens, revocation, the socket.

use futures_util::StreamExt;
use parley_domain::limits::{ACCESS_TOKEN_LIVES, REFRESH_GRACE};
use parley_domain::permission::Role;
use parley_domain::protocol::PROTOCOL_HEADER;
use parley_domain::protocol::access::Nothing;
use parley_domain::protocol::change::{Poke, PullRequest};
use parley_domain::protocol::endpoint::{Endpoint, POKE_PATH, Pull, Push, Refresh, SignIn, SignOut};
use parley_domain::protocol::session::{RefreshRequest, Secret, SignInRequest};
use parley_domain::{Code, Email};
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::world::{PASSWORD, World, everywhere, post, text};

everywhere!(
    sign_in_needs_the_right_password,
    a_refresh_is_repeatable_for_a_minute_and_then_closes_the_session,
    a_revoked_device_is_told_so,
    a_request_that_is_not_ours_is_refused,
    the_socket_pokes_at_once_and_tells_of_revocation,
    a_disabled_member_is_out,
);

async fn sign_in_needs_the_right_password(world: World) {
    let try_with = async |email: &str, password: &str| {
        let request = SignInRequest {
            email: Email::new(email),
            password: Secret::new(password),
            device: None,
            device_name: "test".to_owned(),
            code: None,
            device_key: None,
        };
        post::<SignIn>(&world, None, &request).await
    };
    for (email, password) in [("ada@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("ada@example.org", "")] {
        let (status, problem) = try_with(email, password).await.unwrap_err();
        assert_eq!((status, problem.code), (401, Code::BadCredentials));
    }
    let session = try_with("  ADA@example.ORG ", PASSWORD).await.unwrap();
    assert_eq!(session.role, Role::Admin);
    assert_eq!(session.inboxes, vec![world.inbox]);
    assert_eq!(session.access_token.expose().len(), 64);
    // The same device keeps its id.
    let again = SignInRequest {
        email: Email::new("ada@example.org"),
        password: Secret::new(PASSWORD),
        device: Some(session.device),
        device_name: "test".to_owned(),
        code: None,
        device_key: None,
    };
    assert_eq!(post::<SignIn>(&world, None, &again).await.unwrap().device, session.device);
}

async fn a_refresh_is_repeatable_for_a_minute_and_then_closes_the_session(world: World) {
    let desk = world.desk("ada").await;
    let first =
        RefreshRequest { device: desk.session.device, refresh_token: desk.session.refresh_token.clone(), proof: None };
    let one = post::<Refresh>(&world, None, &first).await.unwrap();
    assert_ne!(one.refresh_token, desk.session.refresh_token);
    let (status, _) = desk.call::<Pull>(&world, &PullRequest::default()).await.unwrap_err();
    assert_eq!(status, 401, "the access token before is dead");
    world.clock.advance(REFRESH_GRACE);
    let two = post::<Refresh>(&world, None, &first).await.unwrap();
    assert_eq!(
        (two.refresh_token.expose(), two.access_token.expose()),
        (one.refresh_token.expose(), one.access_token.expose())
    );
    world.clock.advance(1);
    let (status, problem) = post::<Refresh>(&world, None, &first).await.unwrap_err();
    assert_eq!((status, problem.code), (401, Code::Unauthorized));
    // Two hold the token now, so neither keeps the session.
    let next = RefreshRequest { device: one.device, refresh_token: one.refresh_token, proof: None };
    assert_eq!(post::<Refresh>(&world, None, &next).await.unwrap_err().0, 401);
    let answer = post::<Pull>(&world, Some(&one.access_token), &PullRequest::default()).await;
    assert_eq!(answer.unwrap_err().0, 401);
}

async fn a_revoked_device_is_told_so(world: World) {
    let desk = world.desk("ada").await;
    world.app().admin().revoke_device(world.workspace, desk.session.device).await.unwrap();
    let (status, problem) = desk.call::<Pull>(&world, &PullRequest::default()).await.unwrap_err();
    assert_eq!((status, problem.code), (401, Code::DeviceRevoked));
    let refresh =
        RefreshRequest { device: desk.session.device, refresh_token: desk.session.refresh_token.clone(), proof: None };
    assert_eq!(post::<Refresh>(&world, None, &refresh).await.unwrap_err().1.code, Code::DeviceRevoked);
    let again = SignInRequest {
        email: Email::new("ada@example.org"),
        password: Secret::new(PASSWORD),
        device: Some(desk.session.device),
        device_name: "test".to_owned(),
        code: None,
        device_key: None,
    };
    assert_eq!(post::<SignIn>(&world, None, &again).await.unwrap_err().1.code, Code::DeviceRevoked);
}

async fn a_request_that_is_not_ours_is_refused(world: World) {
    let desk = world.desk("ada").await;
    let raw = async |path: &str, version: Option<&str>, token: Option<&str>, body: String| {
        let mut call = world.http.post(world.url(path)).body(body);
        if let Some(version) = version {
            call = call.header(PROTOCOL_HEADER, version);
        }
        if let Some(token) = token {
            call = call.bearer_auth(token);
        }
        let answer = call.send().await.unwrap();
        let status = answer.status().as_u16();
        let problem: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (status, problem["code"].as_str().unwrap().to_owned())
    };
    let token = desk.session.access_token.expose();
    let refused = |status: u16, code: &str| (status, code.to_owned());
    let pull = json!({ "cursor": "" }).to_string();
    assert_eq!(raw(Pull::PATH, None, Some(token), pull.clone()).await, refused(426, "protocol_mismatch"));
    assert_eq!(raw(Pull::PATH, Some("99"), Some(token), pull.clone()).await, refused(426, "protocol_mismatch"));
    assert_eq!(raw(Pull::PATH, Some("1"), None, pull.clone()).await, refused(401, "unauthorized"));
    assert_eq!(raw(Pull::PATH, Some("1"), Some("00"), pull).await, refused(401, "unauthorized"));
    assert_eq!(raw("/v1/nothing", Some("1"), Some(token), String::new()).await, refused(404, "not_found"));
    let unknown_field = json!({ "intents": [], "as_member": "somebody else" }).to_string();
    assert_eq!(raw(Push::PATH, Some("1"), Some(token), unknown_field).await, refused(400, "bad_request"));
    let huge = "a".repeat(parley_domain::limits::REQUEST_BODY_MAX + 1);
    assert_eq!(raw(Push::PATH, Some("1"), Some(token), huge).await, refused(413, "too_large"));
    world.clock.advance(ACCESS_TOKEN_LIVES);
    assert_eq!(raw(Push::PATH, Some("1"), Some(token), "{}".to_owned()).await, refused(401, "unauthorized"));
    let other = world.desk("ada").await;
    other.call::<SignOut>(&world, &Nothing {}).await.unwrap();
    assert_eq!(other.call::<SignOut>(&world, &Nothing {}).await.unwrap_err().0, 401);
}

async fn the_socket_pokes_at_once_and_tells_of_revocation(world: World) {
    world.add_member("bob", Role::Agent).await;
    let desk = world.desk("bob").await;
    let mut request = world.url(POKE_PATH).replace("http://", "ws://").into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert(PROTOCOL_HEADER, "1".parse().unwrap());
    headers.insert("authorization", format!("Bearer {}", desk.session.access_token.expose()).parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let mut next = async || loop {
        let frame = tokio::time::timeout(std::time::Duration::from_secs(10), socket.next()).await.unwrap();
        match frame.unwrap().unwrap() {
            tokio_tungstenite::tungstenite::Message::Text(text) => {
                return serde_json::from_str::<Poke>(&text).unwrap();
            }
            _ => continue,
        }
    };
    world.webhook(&text(&world, "wamid.poke", 1, "knock")).await;
    let Poke::Changed { seq } = next().await else { panic!("a change was made") };
    // An admin sees the fact that was written with it too.
    let mut late = world.desk("ada").await;
    late.snapshot(&world).await;
    assert_eq!(late.rows.values().map(|row| row.seq).max(), Some(seq), "the newest change");
    world.app().admin().revoke_device(world.workspace, desk.session.device).await.unwrap();
    assert_eq!(next().await, Poke::Revoked);
}

async fn a_disabled_member_is_out(world: World) {
    let bob = world.add_member("bob", Role::Agent).await;
    let desk = world.desk("bob").await;
    world.app().admin().update_member(world.workspace, bob, Role::Agent, false).await.unwrap();
    assert_eq!(desk.call::<Pull>(&world, &PullRequest::default()).await.unwrap_err().0, 401);
    // Whatever became of the devices: who is switched off is refused by that alone.
    let eve = world.add_member("eve", Role::Agent).await;
    let mut desk = world.desk("eve").await;
    desk.snapshot(&world).await;
    let sql = format!("UPDATE member SET active = FALSE WHERE id = '{eve}'");
    world.app().db().writer().execute_unprepared(&sql).await.unwrap();
    let (status, problem) = desk.call::<Pull>(&world, &PullRequest::default()).await.unwrap_err();
    assert_eq!((status, problem.code), (401, Code::Unauthorized));
    assert!(world.sign_in(&world.credentials("eve")).await.is_err());
    let (device, refresh_token) = (desk.session.device, desk.session.refresh_token.clone());
    let request = RefreshRequest { device, refresh_token, proof: None };
    assert_eq!(post::<Refresh>(&world, None, &request).await.unwrap_err().0, 401);
}
