//! The server with a large workspace: a list of conversations, a pull, edits, idle sockets. The rows are written before the
//! server starts; then it is measured from outside, over HTTP on loopback, with the generator on the same machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parley_domain::contact::Contact;
use parley_domain::conversation::{Conversation, Status};
use parley_domain::entity::Entity;
use parley_domain::protocol::change::{PullPage, PullRequest, SnapshotRequest};
use parley_domain::protocol::endpoint::{Conversations, Endpoint, POKE_PATH, Pull, Push, SignIn, Snapshot};
use parley_domain::protocol::intent::{Command, Intent, PushRequest, Verdict};
use parley_domain::protocol::remote::{ConversationsRequest, Whose};
use parley_domain::protocol::session::{Secret, Session, SignInRequest};
use parley_domain::protocol::{PROTOCOL, PROTOCOL_HEADER};
use parley_domain::{
    ContactId, ConversationId, InboxId, IntentId, MemberId, MessageId, MessageText, PersonName, Phone, Timestamp,
    WorkspaceId,
};
use parley_server::db::rows::Written;
use parley_server::db::{Db, sequence};
use parley_server::{App, Config, Deps};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sea_orm::{ConnectionTrait, Statement};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;
use xtask::failure::Failure;

use super::{Figure, figure, percentile};
use crate::Fallible;
use crate::meta::http;
use crate::stack::{DEV, Database, Login, RHEA, Stack};

/// A million, or what `PARLEY_BENCH_CONVERSATIONS` says, in whole thousands.
fn conversations() -> u64 {
    let asked = std::env::var("PARLEY_BENCH_CONVERSATIONS").ok();
    asked.and_then(|text| text.parse::<u64>().ok()).unwrap_or(1_000_000) / 1_000 * 1_000
}

const LISTS: usize = 2_000;
const PULLED_ROWS: usize = 200_000;
const WRITERS: usize = 16;
const WRITE_FOR: Duration = Duration::from_secs(8);
const SOCKETS: usize = 2_000;
/// One device plays many desks here: it may ask for more than one device may.
const LIMITS: &str = r#"[limits]
sync = { per_second = 100000, burst = 100000 }
push = { per_second = 100000, burst = 100000 }
other = { per_second = 100000, burst = 100000 }
workspace = { per_second = 100000, burst = 100000 }
address = { per_second = 100000, burst = 100000 }
sockets_of_device = 10000
sockets_of_member = 10000
"#;

/// Fills a server and measures it.
pub async fn measure(database: Database, logs: &Path) -> Fallible<Vec<Figure>> {
    let name = format!("{database:?}").to_lowercase();
    let mut stack = Stack::start_quiet(database, &logs.join(format!("server-{name}")), &[]).await?;
    let desk = sign_in(&stack, RHEA).await?;
    let cursor = call::<Snapshot>(&stack, &desk, &SnapshotRequest { after: None }).await?.cursor;
    stack.stop_server()?;
    std::fs::write(stack.folder().join("server/parley.toml"), LIMITS)?;
    let started = Instant::now();
    let ids = fill(&stack).await?;
    let mut figures = vec![figure(
        format!("{name}: conversations in the workspace, written in {:.0} s", started.elapsed().as_secs_f64()),
        conversations() as f64,
        "conversations",
    )];
    stack.start_server()?;

    let (admin, agent) = (sign_in(&stack, RHEA).await?, sign_in(&stack, DEV).await?);
    // First, while the server has no memory left over from other work.
    figures.push(figure(format!("{name}: an idle socket, of {SOCKETS}"), sockets(&stack, &admin).await?, "kB"));
    for (who, session) in [("an admin's list", &admin), ("an agent's list", &agent)] {
        let mut times = lists(&stack, session).await?;
        figures.push(figure(format!("{name}: {who}, 50 rows, p50"), percentile(&mut times, 0.5), "ms"));
        figures.push(figure(format!("{name}: {who}, 50 rows, p99"), percentile(&mut times, 0.99), "ms"));
    }
    figures.push(figure(format!("{name}: pull"), pull(&stack, &admin, cursor).await?, "rows/s"));
    for (batch, what) in [(1, "one by one"), (10, "ten in a push")] {
        let rate = edits(&stack, &admin, &ids, batch).await?;
        figures.push(figure(format!("{name}: edits of {WRITERS} desks, {what}"), rate, "intents/s"));
    }
    Ok(figures)
}

async fn sign_in(stack: &Stack, login: Login) -> Fallible<Session> {
    let request = SignInRequest {
        email: login.email.into(),
        password: Secret::new(login.password),
        device: None,
        device_name: "bench".into(),
        code: None,
        device_key: None,
    };
    post::<SignIn>(&http(), stack, None, &request).await
}

async fn call<E: Endpoint>(stack: &Stack, session: &Session, request: &E::Request) -> Fallible<E::Response> {
    post::<E>(&http(), stack, Some(session), request).await
}

async fn post<E: Endpoint>(
    http: &reqwest::Client,
    stack: &Stack,
    session: Option<&Session>,
    request: &E::Request,
) -> Fallible<E::Response> {
    let mut call = http.post(format!("{}{}", stack.address(), E::PATH)).header(PROTOCOL_HEADER, PROTOCOL).json(request);
    if let Some(session) = session {
        call = call.bearer_auth(session.access_token.expose());
    }
    Ok(call.send().await?.error_for_status()?.json().await?)
}

/// Writes the conversations with the server's own functions; returns some of their ids.
async fn fill(stack: &Stack) -> Fallible<Vec<ConversationId>> {
    let mut config = Config::new(stack.folder().join("server"));
    config.database = stack.database();
    let app = App::open(config, Deps::system()).await?;
    let db = app.db();
    let workspace = WorkspaceId(one(db, "SELECT id FROM workspace").await?);
    let inbox = InboxId(one(db, "SELECT id FROM inbox").await?);
    let dev = MemberId(one(db, "SELECT id FROM member WHERE role = 'agent'").await?);
    let mut random = ChaCha8Rng::seed_from_u64(30);
    let now = 1_790_000_000_000;
    let mut some = Vec::new();
    for first in (0..conversations()).step_by(1_000) {
        let mut written = Vec::with_capacity(2_000);
        for number in first..first + 1_000 {
            let id = |kind: u128| Uuid::from_u128((kind << 76) | u128::from(number));
            let contact = Contact {
                id: ContactId(id(0x0190_0000_0000_7001)),
                name: Some(PersonName::new(format!("Customer {number}"))),
                phone: Some(Phone::new(format!("+49151{number:08}"))),
                username: None,
                blocked: false,
                reachable: true,
            };
            let wrote = Timestamp(now - random.random_range(0..400 * 86_400_000i64));
            let conversation = Conversation {
                id: ConversationId(id(0x0190_0000_0000_7002)),
                inbox,
                contact: contact.id,
                status: if number % 3 == 0 { Status::Open } else { Status::Resolved },
                assignee: (number % 10 == 0).then_some(dev),
                labels: [].into(),
                snoozed_until: None,
                customer_wrote_at: Some(wrote),
                entry_point_until: None,
                active_at: wrote,
                read_upto: 0,
            };
            if number % 1_000 == 0 {
                some.push(conversation.id);
            }
            written.push(Written::new(Entity::Contact(contact), Some(inbox)));
            written.push(Written::new(Entity::Conversation(conversation), Some(inbox)));
        }
        let txn = db.begin().await?;
        let mut block = sequence::take(&txn, workspace, written.len(), 0).await?;
        sequence::write(&txn, workspace, &mut block, written, Timestamp(now)).await?;
        txn.commit().await?;
    }
    app.close().await;
    Ok(some)
}

/// The id that a query has in its first row.
pub(super) async fn one(db: &Db, sql: &str) -> Fallible<Uuid> {
    let connection = db.reader();
    let row = connection.query_one_raw(Statement::from_string(connection.get_database_backend(), sql)).await?;
    let text: String = row.ok_or_else(|| Failure::new("the query has no row"))?.try_get_by_index(0)?;
    Ok(Uuid::parse_str(&text)?)
}

/// First pages and later ones, of every status and owner; milliseconds each.
async fn lists(stack: &Stack, session: &Session) -> Fallible<Vec<f64>> {
    let http = http();
    let mut times = Vec::with_capacity(LISTS);
    while times.len() < LISTS {
        for status in [Status::Open, Status::Resolved] {
            for whose in [Whose::Anybody, Whose::Mine, Whose::Nobody] {
                let mut below = None;
                for _ in 0..8 {
                    let request = ConversationsRequest { status, whose, inbox: None, below, limit: 50 };
                    let started = Instant::now();
                    let page = post::<Conversations>(&http, stack, Some(session), &request).await?;
                    times.push(started.elapsed().as_secs_f64() * 1_000.0);
                    below = page.below;
                    if below.is_none() {
                        break;
                    }
                }
            }
        }
    }
    Ok(times)
}

/// Rows a second that one desk pulls which was away while the workspace grew.
async fn pull(stack: &Stack, session: &Session, mut cursor: String) -> Fallible<f64> {
    let http = http();
    let started = Instant::now();
    let mut rows = 0;
    while rows < PULLED_ROWS {
        let page: PullPage = post::<Pull>(&http, stack, Some(session), &PullRequest { cursor }).await?;
        rows += page.rows.len();
        cursor = page.cursor;
        if !page.more {
            break;
        }
    }
    Ok(rows as f64 / started.elapsed().as_secs_f64())
}

/// Intents a second that several desks get accepted.
async fn edits(stack: &Stack, session: &Session, ids: &[ConversationId], batch: usize) -> Fallible<f64> {
    let (accepted, number) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let started = Instant::now();
    let until = started + WRITE_FOR;
    let writers = (0..WRITERS).map(|_| {
        let (accepted, number) = (accepted.clone(), number.clone());
        async move {
            let http = http();
            while Instant::now() < until {
                let intents = (0..batch).map(|_| note(ids, number.fetch_add(1, Ordering::Relaxed))).collect();
                let answer =
                    post::<Push>(&http, stack, Some(session), &PushRequest { intents, ..PushRequest::default() })
                        .await?;
                let taken = answer.answers.iter().filter(|answer| answer.result == Verdict::Applied).count();
                accepted.fetch_add(taken, Ordering::Relaxed);
            }
            Ok::<(), Failure>(())
        }
    });
    for ended in futures_util::future::join_all(writers).await {
        ended?;
    }
    Ok(accepted.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}

fn note(ids: &[ConversationId], number: usize) -> Intent {
    let conversation = ids.get(number % ids.len()).copied().unwrap_or(ConversationId(Uuid::nil()));
    Intent {
        id: IntentId(Uuid::now_v7()),
        made_at: Timestamp(1_790_000_000_000),
        command: Command::AddNote {
            message: MessageId(Uuid::now_v7()),
            conversation,
            body: MessageText::new(format!("note {number}")),
        },
        touches: vec![],
        after: vec![],
    }
}

/// Memory of the server for each of many idle sockets, in kB.
async fn sockets(stack: &Stack, session: &Session) -> Fallible<f64> {
    let before = stack.server_memory()?;
    let address = stack.address().trim_start_matches("http://").to_owned();
    let mut open = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        let mut stream = TcpStream::connect(&address).await?;
        let request = format!(
            "GET {POKE_PATH} HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             {PROTOCOL_HEADER}: {PROTOCOL}\r\nauthorization: Bearer {}\r\n\r\n",
            session.access_token.expose()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = [0u8; 12];
        stream.read_exact(&mut head).await?;
        if !head.ends_with(b"101") {
            return Err(Failure::new("a socket was refused"));
        }
        open.push(stream);
    }
    let after = stack.server_memory()?;
    Ok((after - before) / open.len() as f64)
}
