//! Administration beside a server that runs, by the real program: under a load of writes a backup is one moment of the database,
//! the audit log verifies, a member is invited, a second factor reset, keys rotated; and the backup opens elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parley_meta::webhook::signature::{HEADER, sign};
use parley_tests::meta::http;
use parley_tests::stack::{APP_ID, APP_SECRET, Database, PHONE_NUMBER_ID, Stack};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;
use tempfile::tempdir;
use tokio::task::JoinHandle;
use xtask::process::output;

/// Customers who write without a pause, each its own conversation; ends with how many messages were answered with 200.
struct Load {
    stop: Arc<AtomicBool>,
    taken: Arc<AtomicUsize>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(stack: &Stack) -> Self {
        let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let url = format!("{}/webhooks/meta/{APP_ID}", stack.address());
        let writers = (0..4)
            .map(|writer| {
                let (stop, taken, url) = (stop.clone(), taken.clone(), url.clone());
                tokio::spawn(async move {
                    let http = http();
                    let mut number = 0;
                    while !stop.load(Ordering::SeqCst) {
                        number += 1;
                        let body = message(writer, number);
                        let signed = sign(APP_SECRET.as_bytes(), body.as_bytes());
                        let answer = http.post(&url).header(HEADER, signed).body(body).send().await.unwrap();
                        assert_eq!(answer.status(), 200, "a webhook waits for nothing that administration does");
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        Self { stop, taken, writers }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    async fn more(&self, than: usize) {
        while self.taken() <= than {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.await.unwrap();
        }
    }
}

fn message(writer: usize, number: usize) -> String {
    let phone = format!("4915100{writer:06}");
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "102290000000001", "changes": [{
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "15550100001", "phone_number_id": PHONE_NUMBER_ID },
            "contacts": [{ "profile": { "name": format!("Customer {writer}") }, "wa_id": phone }],
            "messages": [{
                "from": phone, "id": format!("wamid.{writer}.{number}"), "timestamp": "1790000000", "type": "text",
                "text": { "body": format!("message {number}") },
            }],
        },
    }] }] })
    .to_string()
}

async fn beside(database: Database) {
    let logs = tempdir().unwrap();
    let stack = Stack::start_quiet(database, logs.path(), &[]).await.unwrap();
    let workspace = stack.workspace().to_owned();
    let load = Load::start(&stack);
    load.more(50).await;

    let files = tempdir().unwrap();
    let file = files.path().join("backup.jsonl");
    let before = load.taken();
    let told = stack.admin(&[&["backup", &file.to_string_lossy()]]).unwrap();
    let after = load.taken();
    assert!(told.contains(" rows of 1 workspaces"), "{told}");
    assert!(stack.admin(&[&["backup", &file.to_string_lossy()]]).is_err(), "a backup is never written over another");

    let invite = ["invite", "--workspace", &workspace, "--email", "mina@casalumen.example", "--role", "agent"];
    let invited = stack.admin(&[&invite]).unwrap();
    assert!(invited.contains("code "), "{invited}");
    stack.admin(&[&["reset-2fa", "--workspace", &workspace, "--member", stack.dev()]]).unwrap();
    assert!(stack.admin(&[&["rotate-keys"]]).unwrap().contains("wrapped anew"));
    assert!(stack.admin(&[&["audit", "verify"]]).unwrap().contains("unchanged"));
    assert!(stack.admin(&[&["restore", &file.to_string_lossy()]]).is_err(), "not while it serves");
    let socket = stack.folder().join("server/admin.sock");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let now = load.taken();
    load.more(now + 50).await;
    load.end().await;

    let elsewhere = tempdir().unwrap();
    std::fs::copy(stack.folder().join("server/secrets.toml"), elsewhere.path().join("secrets.toml")).unwrap();
    let program = |words: &[&str]| {
        let mut command = stack.server_command();
        command.arg("admin").args(words).arg("--data").arg(elsewhere.path());
        output(&mut command)
    };
    program(&["restore", &file.to_string_lossy()]).unwrap();
    assert!(program(&["audit", "verify"]).unwrap().contains("unchanged"));
    whole(elsewhere.path(), before, after).await;
}

/// What was restored is one moment between the two counts: everything that had been answered before is there, as a message or
/// as a body that waits, and no row is of a later moment than the workspace itself.
async fn whole(data: &Path, before: usize, after: usize) {
    let config = parley_server::Config::new(data);
    let app = parley_server::App::open(config, parley_server::Deps::system()).await.unwrap();
    let count = async |sql: &str| {
        let connection = app.db().reader();
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        connection.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index::<i64>(0).unwrap()
    };
    let messages = count("SELECT COUNT(*) FROM message").await;
    // A body is still there for a moment after its message is; one body is one message here.
    let waiting = count("SELECT COUNT(*) FROM raw_event WHERE state = 'new'").await;
    let stored = usize::try_from(messages + waiting).unwrap();
    assert!(stored >= before, "{messages} messages and {waiting} bodies of at least {before}");
    assert!(usize::try_from(messages).unwrap() <= after + 4, "{messages} messages of at most {after} and 4 under way");
    let (seq, last) = (count("SELECT seq FROM workspace").await, count("SELECT MAX(seq) FROM change").await);
    assert!(last <= seq && last > 0, "the last change is {last}, the workspace stands at {seq}");
    assert_eq!(count("SELECT COUNT(*) FROM message WHERE row_seq > (SELECT seq FROM workspace)").await, 0);
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_runs_is_administered_and_backed_up_on_sqlite() {
    beside(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_runs_is_administered_and_backed_up_on_mariadb() {
    beside(Database::Mysql).await;
}
