//! How much may be asked: what is over is refused with 429 and a time to wait, everywhere, and costs nobody else anything.

use parley_domain::limits::Rate;
use parley_domain::protocol::access::Nothing;
use parley_domain::protocol::change::PullRequest;
use parley_domain::protocol::endpoint::{Admits, Endpoint, HEALTH_PATH, Own, POKE_PATH, Pull, Push, ROUTES};
use parley_domain::protocol::intent::PushRequest;
use parley_domain::protocol::session::Secret;
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER, Problem};
use parley_domain::{Code, limits};
use parley_server::config::{File, Limits};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::world::{Desk, World, eventually, everywhere, text};

everywhere!(
    a_noisy_workspace_is_refused_and_another_is_not,
    every_route_is_counted_against_address_and_device,
    a_device_keeps_its_newest_sockets,
);

impl World {
    /// The same server with other limits.
    async fn limited(mut self, limits: Limits) -> Self {
        self.kill().await;
        self.limits = limits;
        self.open().await;
        self
    }
}

async fn pull(world: &World, desk: &Desk) -> Result<(), Problem> {
    let request = PullRequest { cursor: desk.cursor.clone() };
    desk.call::<Pull>(world, &request).await.map(|_| ()).map_err(|(status, problem)| {
        assert_eq!(status, 429, "{problem:?}");
        problem
    })
}

async fn a_noisy_workspace_is_refused_and_another_is_not(world: World) {
    world.other_workspace("olga").await;
    let (mut noisy, mut second, mut quiet) =
        (world.desk("ada").await, world.desk("ada").await, world.desk("olga").await);
    for desk in [&mut noisy, &mut second, &mut quiet] {
        desk.snapshot(&world).await;
    }
    let limits = Limits { sync: Rate::new(20, 30), workspace: Rate::new(25, 40), ..Limits::none() };
    let world = world.limited(limits).await;
    for _ in 0..30 {
        pull(&world, &noisy).await.unwrap();
    }
    let refused = pull(&world, &noisy).await.unwrap_err();
    assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(50)), "its own rate");
    for _ in 0..100 {
        pull(&world, &noisy).await.unwrap_err();
    }
    for _ in 0..10 {
        pull(&world, &second).await.unwrap();
    }
    let refused = pull(&world, &second).await.unwrap_err();
    assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(40)), "the workspace's");
    for _ in 0..30 {
        pull(&world, &quiet).await.unwrap();
    }
    world.clock.advance(50);
    pull(&world, &noisy).await.unwrap();
}

async fn every_route_is_counted_against_address_and_device(world: World) {
    let desk = world.desk("ada").await;
    let once = Rate::new(1, 1);
    let world = world.limited(Limits { sync: once, push: once, other: once, ..Limits::none() }).await;
    ask(&world, Pull::PATH, Some(&desk.session.access_token)).await;
    desk.call::<Push>(&world, &PushRequest::default()).await.unwrap();
    desk.call::<Own>(&world, &Nothing {}).await.unwrap();
    for route in ROUTES.iter().filter(|route| route.admits != Admits::Anyone) {
        let answer = ask(&world, route.path, Some(&desk.session.access_token)).await;
        assert_eq!(answer, (429, Some(1)), "{}", route.path);
    }
    let socket = world.http.get(world.url(POKE_PATH)).header(PROTOCOL_HEADER, PROTOCOL.to_string());
    let socket = socket.bearer_auth(desk.session.access_token.expose()).send().await.unwrap();
    assert_eq!(socket.status(), 429);

    let world = world.limited(Limits { stranger: Rate::new(1, 1), ..Limits::none() }).await;
    assert_ne!(ask(&world, "/v1/session/sign-in", None).await.0, 429);
    for route in ROUTES {
        let (status, _) = ask(&world, route.path, None).await;
        assert_eq!(status == 429, route.admits == Admits::Anyone, "{}", route.path);
    }

    let world = world.limited(Limits { address: Rate::new(1, 1), ..Limits::none() }).await;
    assert_ne!(ask(&world, Own::PATH, None).await.0, 429);
    let others = [POKE_PATH, HEALTH_PATH, "/ready", "/metrics", "/openapi.json", "/", "/no/such/route"];
    for path in ROUTES.iter().map(|route| route.path).chain(others) {
        assert_eq!(ask(&world, path, None).await, (429, Some(1)), "{path}");
    }
    for number in 0..20 {
        let status = world.webhook(&text(&world, &format!("wamid.{number}"), 1, "hello")).await;
        assert_eq!(status, 200, "Meta would only send it again");
    }
}

/// Posts nothing; the status, and the seconds to wait.
async fn ask(world: &World, path: &str, token: Option<&Secret>) -> (u16, Option<u64>) {
    let mut call = world.http.post(world.url(path)).header(PROTOCOL_HEADER, PROTOCOL.to_string()).body("{}");
    if let Some(token) = token {
        call = call.bearer_auth(token.expose());
    }
    let answer = call.send().await.unwrap();
    let wait = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
    let status = answer.status().as_u16();
    if status == 429 {
        let problem: Problem = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(problem.code, Code::RateLimited);
        assert!(problem.retry_after.is_some_and(|wait| wait > 0));
    }
    (status, wait)
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn socket(world: &World, desk: &Desk) -> Result<Socket, u16> {
    let url = world.url(POKE_PATH).replace("http://", "ws://");
    let mut request = url.into_client_request().unwrap();
    let bearer = format!("Bearer {}", desk.session.access_token.expose());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    request.headers_mut().insert(PROTOCOL_HEADER, PROTOCOL.to_string().parse().unwrap());
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

async fn closed(socket: &mut Socket) -> bool {
    use futures_util::StreamExt;
    loop {
        let heard = tokio::time::timeout(std::time::Duration::from_secs(20), socket.next()).await;
        match heard.expect("neither closed nor poked") {
            Some(Ok(tungstenite::Message::Close(_))) | None | Some(Err(_)) => return true,
            Some(Ok(tungstenite::Message::Text(_))) => return false,
            Some(Ok(_)) => {}
        }
    }
}

async fn a_device_keeps_its_newest_sockets(world: World) {
    let (one, two) = (world.desk("ada").await, world.desk("ada").await);
    let limits = Limits { sockets_of_device: 2, sockets_of_member: 3, ..Limits::none() };
    let world = world.limited(limits).await;
    let mut oldest = socket(&world, &one).await.unwrap();
    let mut second = socket(&world, &one).await.unwrap();
    let mut third = socket(&world, &one).await.unwrap();
    assert!(closed(&mut oldest).await, "a newer one took its place");
    // The place is free when the server has seen the end of the first.
    let mut other = None;
    eventually("the member's third place is free", async || {
        other = socket(&world, &two).await.ok();
        other.is_some()
    })
    .await;
    assert_eq!(socket(&world, &two).await.map(|_| ()), Err(429), "the member has three");
    world.webhook(&text(&world, "wamid.poke", 1, "hello")).await;
    for socket in [&mut second, &mut third, other.as_mut().unwrap()] {
        assert!(!closed(socket).await, "it still pokes");
    }
}

#[test]
fn desks_at_work_are_far_below_the_limits_and_the_file_can_move_them() {
    let built_in = Limits::default();
    assert!(built_in.sync.per_second.get() >= 20 && built_in.push.per_second.get() >= 100);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("parley.toml");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        File::read(&path)
    };
    let file = read("[limits]\npush = { per_second = 7, burst = 9 }\nsockets_of_device = 2\n").unwrap();
    assert_eq!(file.limits, Limits { push: Rate::new(7, 9), sockets_of_device: 2, ..built_in });
    assert_eq!(file.limits.sync, limits::RATE_SYNC);
    for bad in ["push = { per_second = 0, burst = 9 }", "push = { per_second = 1 }", "pull = 3"] {
        assert!(read(&format!("[limits]\n{bad}\n")).is_err(), "{bad}");
    }
}
