//! Devices: their keys, how long a session lasts, revocation, and the sockets that must hear of it.

use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use futures_util::StreamExt;
use parley_domain::limits::{REFRESH_GRACE, REFRESH_TOKEN_IDLE, SESSION_LIVES};
use parley_domain::permission::Role;
use parley_domain::protocol::PROTOCOL_HEADER;
use parley_domain::protocol::access::{DevicesRequest, Nothing, RevokeDeviceRequest, UpdateMemberRequest};
use parley_domain::protocol::change::{Poke, PullRequest};
use parley_domain::protocol::endpoint::{Devices, Own, POKE_PATH, Pull, Refresh, RevokeDevice, SignOut, UpdateMember};
use parley_domain::protocol::session::{RefreshRequest, Secret, Session, SignInRequest, refresh_proof};
use parley_domain::time::DAY;
use parley_domain::{Clock, Code};
use sea_orm::ConnectionTrait;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::world::{Desk, Refused, World, everywhere, post};

everywhere!(
    a_stolen_refresh_token_alone_is_of_no_use,
    a_session_ends_after_fourteen_idle_days_and_ninety_in_all,
    devices_are_listed_and_revoked_by_their_owner_and_by_admins,
    open_sockets_close_when_rights_or_sessions_end,
    open_sockets_hear_of_what_another_node_did,
    forged_and_confused_tokens_are_refused,
);

fn code_of<T: std::fmt::Debug>(answer: Result<T, Refused>) -> (u16, Code) {
    let (status, problem) = answer.unwrap_err();
    (status, problem.code)
}

fn ask(session: &Session, key: Option<&SigningKey>) -> RefreshRequest {
    let (device, refresh_token) = (session.device, session.refresh_token.clone());
    let proof = key.map(|key| hex::encode(key.sign(&refresh_proof(device, &refresh_token)).to_bytes()));
    RefreshRequest { device, refresh_token, proof }
}

async fn a_stolen_refresh_token_alone_is_of_no_use(world: World) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = hex::encode(key.verifying_key().as_bytes());
    let with = |key: String| SignInRequest { device_key: Some(key), ..world.credentials("ada") };
    // The neutral point signs everything.
    let weak = format!("01{}", "00".repeat(31));
    for bad in [String::new(), "zz".repeat(32), "00".repeat(31), weak] {
        assert_eq!(code_of(world.sign_in(&with(bad)).await), (400, Code::BadRequest));
    }
    let session = world.sign_in(&with(public)).await.unwrap();
    let thief = SigningKey::from_bytes(&[8; 32]);
    let mut other_token = ask(&session, Some(&key));
    other_token.proof = ask(&Session { refresh_token: Secret::new("another"), ..session.clone() }, Some(&key)).proof;
    let mut cut = ask(&session, Some(&key));
    cut.proof = cut.proof.map(|proof| proof[..126].to_owned());
    for stolen in [ask(&session, None), ask(&session, Some(&thief)), other_token, cut] {
        assert_eq!(code_of(post::<Refresh>(&world, None, &stolen).await), (401, Code::Unauthorized));
    }
    // The thief's tries cost the member nothing, and do not help afterwards either.
    let next = post::<Refresh>(&world, None, &ask(&session, Some(&key))).await.unwrap();
    assert_eq!(code_of(post::<Refresh>(&world, None, &ask(&session, None)).await), (401, Code::Unauthorized));
    world.clock.advance(REFRESH_GRACE + 1);
    assert_eq!(code_of(post::<Refresh>(&world, None, &ask(&session, None)).await), (401, Code::Unauthorized));
    // The device itself did not hear the answer, however long ago that was: it gets it again.
    let again = post::<Refresh>(&world, None, &ask(&session, Some(&key))).await.expect("the same answer");
    assert_eq!(again.refresh_token.expose(), next.refresh_token.expose());
    let next = post::<Refresh>(&world, None, &ask(&next, Some(&key))).await.expect("the session goes on");
    Desk::of(next).snapshot(&world).await;
}

async fn a_session_ends_after_fourteen_idle_days_and_ninety_in_all(world: World) {
    let mut desk = world.desk("ada").await;
    let idle = world.desk("ada").await;
    let mut days = 0;
    while (days + 13) * DAY < SESSION_LIVES {
        world.clock.advance(13 * DAY);
        days += 13;
        desk.refresh(&world).await;
    }
    assert_eq!(code_of(post::<Refresh>(&world, None, &ask(&idle.session, None)).await), (401, Code::Unauthorized));
    world.clock.advance(SESSION_LIVES - days * DAY - 60_000);
    desk.refresh(&world).await;
    assert_eq!(desk.session.access_expires_at, world.clock.now() + 60_000, "no token outlives the session");
    world.clock.advance(60_000);
    assert_eq!(code_of(desk.call::<Own>(&world, &Nothing {}).await), (401, Code::Unauthorized));
    assert_eq!(code_of(post::<Refresh>(&world, None, &ask(&desk.session, None)).await), (401, Code::Unauthorized));
    // Just under and just over fourteen days.
    for (idle, status) in [(REFRESH_TOKEN_IDLE, 200), (REFRESH_TOKEN_IDLE + 1, 401)] {
        let desk = world.desk("ada").await;
        world.clock.advance(idle);
        let answer = post::<Refresh>(&world, None, &ask(&desk.session, None)).await;
        assert_eq!(answer.map_or_else(|(status, _)| status, |_| 200), status);
    }
}

async fn devices_are_listed_and_revoked_by_their_owner_and_by_admins(world: World) {
    let bob = world.add_member("bob", Role::Agent).await;
    let admin = world.desk("ada").await;
    let (one, two) = (world.desk("bob").await, world.desk("bob").await);
    let own = one.call::<Devices>(&world, &DevicesRequest { member: None }).await.unwrap();
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|device| device.name == "bob's laptop" && device.revoked_at.is_none()));
    assert_eq!(
        own.iter().filter(|device| device.current).map(|device| device.id).collect::<Vec<_>>(),
        [one.session.device]
    );
    let of_admin = DevicesRequest { member: Some(admin.session.member) };
    assert_eq!(code_of(one.call::<Devices>(&world, &of_admin).await), (403, Code::Forbidden));
    let revoke = |desk: &Desk| RevokeDeviceRequest { device: desk.session.device };
    assert_eq!(code_of(one.call::<RevokeDevice>(&world, &revoke(&admin)).await), (404, Code::NotFound));
    one.call::<RevokeDevice>(&world, &revoke(&two)).await.unwrap();
    assert_eq!(code_of(two.call::<Pull>(&world, &PullRequest::default()).await), (401, Code::DeviceRevoked));
    let listed = admin.call::<Devices>(&world, &DevicesRequest { member: Some(bob) }).await.unwrap();
    assert_eq!(listed.iter().filter(|device| device.revoked_at.is_some()).count(), 1);
    admin.call::<RevokeDevice>(&world, &revoke(&one)).await.unwrap();
    admin.call::<RevokeDevice>(&world, &revoke(&one)).await.expect("again changes nothing");
    assert_eq!(code_of(one.call::<Own>(&world, &Nothing {}).await), (401, Code::DeviceRevoked));
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn socket(world: &World, desk: &Desk) -> Socket {
    let mut request = world.url(POKE_PATH).replace("http://", "ws://").into_client_request().unwrap();
    request.headers_mut().insert(PROTOCOL_HEADER, "1".parse().unwrap());
    let bearer = format!("Bearer {}", desk.session.access_token.expose());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

/// How a socket ends within 5 s: `true` when it was told to wipe first.
async fn ends(mut socket: Socket, why: &str) -> bool {
    let end = async {
        let mut revoked = false;
        while let Some(Ok(frame)) = socket.next().await {
            match frame {
                Message::Text(text) => revoked |= serde_json::from_str::<Poke>(&text).unwrap() == Poke::Revoked,
                Message::Close(_) => break,
                _ => {}
            }
        }
        revoked
    };
    tokio::time::timeout(Duration::from_secs(5), end).await.unwrap_or_else(|_| panic!("{why}: the socket stays open"))
}

async fn open_sockets_close_when_rights_or_sessions_end(world: World) {
    let bob = world.add_member("bob", Role::Agent).await;
    let admin = world.desk("ada").await;
    let update = |role, active| UpdateMemberRequest { member: bob, role, active, inboxes: vec![], teams: vec![] };
    let desk = world.desk("bob").await;
    let open = socket(&world, &desk).await;
    admin.call::<UpdateMember>(&world, &update(Role::Manager, true)).await.unwrap();
    assert!(!ends(open, "another role").await);
    let open = socket(&world, &desk).await;
    desk.call::<SignOut>(&world, &Nothing {}).await.unwrap();
    assert!(!ends(open, "signed out").await);
    let desk = world.desk("bob").await;
    let open = socket(&world, &desk).await;
    admin.call::<RevokeDevice>(&world, &RevokeDeviceRequest { device: desk.session.device }).await.unwrap();
    assert!(ends(open, "revoked").await);
    let desk = world.desk("bob").await;
    let open = socket(&world, &desk).await;
    admin.call::<UpdateMember>(&world, &update(Role::Manager, false)).await.unwrap();
    assert!(ends(open, "switched off").await);
    assert_eq!(code_of(world.sign_in(&world.credentials("bob")).await), (401, Code::BadCredentials));
}

async fn open_sockets_hear_of_what_another_node_did(world: World) {
    world.add_member("bob", Role::Agent).await;
    let (one, two, three) = (world.desk("bob").await, world.desk("bob").await, world.desk("ada").await);
    let (first, second, third) = (socket(&world, &one).await, socket(&world, &two).await, socket(&world, &three).await);
    let device = one.session.device;
    for sql in [
        format!("UPDATE device SET revoked_at = 1 WHERE id = '{device}'"),
        format!("UPDATE device SET refresh_hash = NULL WHERE id = '{}'", two.session.device),
        format!("UPDATE member SET active = FALSE WHERE id = '{}'", three.session.member),
    ] {
        world.app().db().writer().execute_unprepared(&sql).await.unwrap();
    }
    let (revoked, closed, off) =
        tokio::join!(ends(first, "revoked"), ends(second, "signed out"), ends(third, "switched off"));
    assert_eq!((revoked, closed, off), (true, false, false));
}

async fn forged_and_confused_tokens_are_refused(world: World) {
    use base64::Engine;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let part = |json: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
    let claims = format!(r#"{{"sub":"{}","aud":"parley","exp":99999999999}}"#, desk.session.member);
    let none = format!("{}.{}.", part(r#"{"alg":"none","typ":"JWT"}"#), part(&claims));
    let signed = format!("{}.{}.{}", part(r#"{"alg":"HS256","kid":"../../dev/null"}"#), part(&claims), part("x"));
    let upper = desk.session.access_token.expose().to_uppercase();
    let hash = parley_server::secrets::token_hash(desk.session.access_token.expose());
    let refresh = desk.session.refresh_token.expose().to_owned();
    let device = desk.session.device.to_string();
    for forged in [none, signed, upper, hash, refresh, device, desk.cursor.clone(), "' OR 1=1 --".to_owned()] {
        let answer = post::<Own>(&world, Some(&Secret::new(forged.clone())), &Nothing {}).await;
        assert_eq!(code_of(answer), (401, Code::Unauthorized), "{forged}");
    }
    let as_refresh =
        RefreshRequest { device: desk.session.device, refresh_token: desk.session.access_token.clone(), proof: None };
    assert_eq!(code_of(post::<Refresh>(&world, None, &as_refresh).await), (401, Code::Unauthorized));
    let other = world.desk("ada").await;
    let crossed = RefreshRequest { device: other.session.device, ..ask(&desk.session, None) };
    assert_eq!(
        code_of(post::<Refresh>(&world, None, &crossed).await),
        (401, Code::Unauthorized),
        "bound to its device"
    );
    for desk in [desk, other] {
        desk.call::<Own>(&world, &Nothing {}).await.expect("nobody was signed out by that");
    }
}
