//! No log line, at whatever level, holds what a customer or a member wrote, a phone number or a token.

use std::io::Write;
use std::sync::{Arc, Mutex};

use parley_domain::content::Content;
use parley_domain::protocol::intent::Command;
use parley_domain::{MessageId, MessageText};
use tracing_subscriber::EnvFilter;

use crate::world::{PASSWORD, SECRET, World, eventually};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn speaks(lines: &Lines, world: World) {
    let ana = world.sim.customer("Canary Lima", Some("+55 11 98765-4321"), None);
    ana.says("canary-inbound-text");
    world.sim.drain().await;
    world.applied().await;
    let mut desk = world.desk("ada").await;
    desk.snapshot(&world).await;
    let send = Command::SendMessage {
        message: MessageId(desk.id(&world)),
        conversation: desk.messages()[0].conversation,
        content: Content::Text { body: MessageText::new("canary-outbound-text") },
        reply_to: None,
        resend_of: None,
        newest_shown: None,
    };
    desk.push(&world, vec![desk.intent(&world, send)]).await;
    eventually("it was sent", async || world.sim.ledger().len() == 1).await;
    // A failure of the database quotes the row in its own words; ours must not.
    let twice = world
        .app()
        .admin()
        .add_member(
            world.workspace,
            parley_server::admin::NewMember {
                name: parley_domain::PersonName::new("Ada"),
                email: parley_domain::Email::new("ada@example.org"),
                password: parley_domain::protocol::session::Secret::new(PASSWORD),
                role: parley_domain::permission::Role::Agent,
            },
        )
        .await;
    let shown = format!("{twice:?}");
    let text = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned() + &shown;
    assert!(text.contains("sqlx") || text.contains("parley_server") || text.contains("hyper"), "something was logged");
    let access = desk.session.access_token.expose();
    let refresh = desk.session.refresh_token.expose();
    let token = &world.sim.config().access_token;
    for canary in [
        "canary-inbound",
        "canary-outbound",
        "Canary Lima",
        // Long enough not to stand in the fraction of a second by chance.
        "987654321",
        "98765-4321",
        access,
        refresh,
        token.as_str(),
        SECRET,
        PASSWORD,
        "ada@example.org",
    ] {
        let at = text.find(canary);
        let around = at.map(|at| text.get(at.saturating_sub(200)..(at + 40).min(text.len())).unwrap_or_default());
        assert!(at.is_none(), "{canary} stands in the log: {around:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_personal_is_logged_at_trace() {
    let lines = Lines::default();
    let writer = lines.clone();
    // The simulator and the test's own HTTP client are not the server.
    let filter = EnvFilter::new("trace,parley_sim=off,tungstenite=off");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .init();
    speaks(&lines, World::sqlite().await).await;
    if let Some(world) = World::mysql().await {
        speaks(&lines, world).await;
    }
}
