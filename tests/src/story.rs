//! The story: a customer writes, a member answers, an order goes over the board, the server dies in the middle of a send, the
//! network is down in the morning; and nothing is lost or sent twice. Played in the real window, on real programs.
//!
//! Each step waits for what a person would see, measures how long it took, and takes a picture of the whole display.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fantoccini::key::Key;
use serde_json::json;
use xtask::cargo;
use xtask::desktop::Desktop;
use xtask::failure::Failure;
use xtask::process::output;

use crate::Fallible;
use crate::access_story;
use crate::browser::Window;
use crate::stack::{Database, RHEA, Stack};
use crate::transcript::Transcript;

const SETTLES_WITHIN: Duration = Duration::from_secs(30);

/// Within this time of five notifications there is no sixth.
const QUIET_AFTER_FLOOD: Duration = Duration::from_secs(10);

/// What the customers say. Also the canaries that a scan of the desk's files looks for.
pub const QUESTION: &str = "Do you still have the brass reading lamps from the catalogue?";
/// The member's answer.
pub const ANSWER: &str = "Good morning Ananya! Yes, six left in brass.";
/// Written while the server is dead.
pub const OFFLINE_ANSWER: &str = "Both are reserved for you until tomorrow noon.";
/// In the server's hands when it dies.
pub const RISKED_ANSWER: &str = "The transfer arrived, thank you!";

const CUSTOMERS: [(&str, &str, &str); 6] = [
    ("Ananya Mehta", "+919820012345", "Good morning!"),
    ("João Prado", "+5511987654321", "Fiz a transferência, segue o comprovante"),
    ("Siti Fauziah", "+628121234567", "Kapan paket saya sampai?"),
    ("Omar Khalil", "+971501234567", "هل يمكنني تغيير عنوان التسليم؟"),
    ("Marta Bianchi", "+393331234567", "La finitura in noce è disponibile?"),
    ("Takeshi Kondo", "+819012345678", "請求書を送っていただけますか"),
];

/// What the story needs.
pub struct Setting<'a> {
    /// The desktop on which the window stands.
    pub desktop: &'a Desktop,
    pub database: Database,
    /// Where transcript and pictures go.
    pub out: &'a Path,
    /// Makes the named step fail, to see that a failed story is noticed.
    pub break_step: Option<String>,
}

/// The story in progress.
pub struct Story<'a> {
    setting: &'a Setting<'a>,
    pub stack: Stack,
    window: Option<Window>,
    transcript: Transcript,
    picture: Option<PathBuf>,
    logs: PathBuf,
}

/// Plays everything. The stack stays up in the returned value.
pub async fn play<'a>(setting: &'a Setting<'a>) -> Fallible<Story<'a>> {
    let mut story = Story::begin(setting).await?;
    match story.go_on().await {
        Ok(()) => Ok(story),
        Err(failure) => {
            // What the window showed when it went wrong.
            story.end_step()?;
            setting.desktop.screenshot(&setting.out.join("failed.png"))?;
            Err(failure)
        }
    }
}

/// The selector of an element with that test id.
pub fn test_id(id: &str) -> String {
    format!("[data-testid=\"{id}\"]")
}

fn keys(key: Key) -> String {
    String::from(char::from(key))
}

impl<'a> Story<'a> {
    async fn go_on(&mut self) -> Fallible {
        self.sign_in().await?;
        self.customers_write().await?;
        self.notification_opens_the_conversation().await?;
        self.answer_by_keyboard().await?;
        self.order_reaches_the_board().await?;
        self.server_dies_in_the_middle_of_a_send().await?;
        self.opens_with_the_network_down().await?;
        self.access_is_given_and_taken().await
    }

    async fn begin(setting: &'a Setting<'a>) -> Fallible<Self> {
        let logs = setting.out.join("logs");
        let database = match setting.database {
            Database::Sqlite => "embedded SQLite",
            Database::Mysql => "MariaDB",
        };
        let transcript = Transcript::new(setting.out, &format!("The story of a day, on {database}"))?;
        let stack = Stack::start(setting.database, &logs, &["--webhooks", "rough"]).await?;
        Ok(Self { setting, stack, window: None, transcript, picture: None, logs })
    }

    /// Where the desk keeps its files.
    pub fn desk_folder(&self) -> PathBuf {
        self.stack.folder().join("desk")
    }

    fn window(&self) -> Fallible<&Window> {
        self.window.as_ref().ok_or_else(|| Failure::new("the window is closed"))
    }

    fn step(&mut self, name: &str, title: &str) -> Fallible {
        self.end_step()?;
        self.picture = Some(self.transcript.step(title)?);
        match &self.setting.break_step {
            Some(broken) if broken == name => Err(Failure::new(format!("step “{name}” was broken on purpose"))),
            _ => Ok(()),
        }
    }

    fn end_step(&mut self) -> Fallible {
        match self.picture.take() {
            Some(picture) => self.setting.desktop.screenshot(&picture),
            None => Ok(()),
        }
    }

    async fn open_window(&mut self) -> Fallible {
        let args = ["--data-dir".to_owned(), self.desk_folder().to_string_lossy().into_owned()];
        let window = Window::open(self.setting.desktop, &cargo::program("parley"), &args, &self.logs).await?;
        self.window = Some(window);
        Ok(())
    }

    async fn sign_in(&mut self) -> Fallible {
        self.step("sign-in", "The desk signs in")?;
        let started = Instant::now();
        self.open_window().await?;
        let window = self.window()?;
        window.find(&test_id("sign-in-server")).await?;
        let opened = started.elapsed();
        let signed_in = window.sign_in(&self.stack.address(), RHEA).await?;
        self.transcript.measured("window to first field", opened)?;
        self.transcript.measured("Enter to signed in, synced and online", signed_in)
    }

    async fn customers_write(&mut self) -> Fallible {
        self.step("customers", "Customers write, and the inbox fills")?;
        for (name, phone, text) in CUSTOMERS {
            self.stack.meta.customer(name, phone).await?;
            self.stack.meta.says(name, text).await?;
        }
        self.window()?.click(&test_id("view-unassigned")).await?;
        let mut slowest = Duration::ZERO;
        for (name, _, _) in CUSTOMERS {
            slowest = slowest.max(self.window()?.shows(&test_id("conversation-row"), name).await?);
        }
        let rows = self.window()?.count(&test_id("conversation-row")).await?;
        if rows != CUSTOMERS.len() {
            return Err(Failure::new(format!("{rows} rows for {} customers", CUSTOMERS.len())));
        }
        self.transcript.seen("six conversations, each once, though webhooks were batched, repeated and reordered")?;
        self.transcript.measured("after the last webhook was sent, all rows painted within", slowest)
    }

    async fn notification_opens_the_conversation(&mut self) -> Fallible {
        self.step("notification", "A message is painted, the system notifies, a click opens the conversation")?;
        // Another conversation is in front, and the flood of first messages is over: within ten seconds of five notifications
        // the desk keeps quiet.
        self.click_row("Marta Bianchi").await?;
        tokio::time::sleep(QUIET_AFTER_FLOOD).await;
        output(self.setting.desktop.command("dunstctl").args(["close-all"]))?;
        let sent = Instant::now();
        self.stack.meta.says("Ananya Mehta", QUESTION).await?;
        self.window()?.shows(&test_id("conversation-row"), "brass reading lamps").await?;
        let painted = sent.elapsed();
        self.transcript.measured("customer pressed send → painted in the list", painted)?;
        self.wait_for("a native notification", |story| {
            Ok(output(story.setting.desktop.command("dunstctl").args(["count", "displayed"]))?.trim() != "0")
        })
        .await?;
        if let Some(picture) = &self.picture {
            self.setting.desktop.screenshot(picture)?;
        }
        let clicked = Instant::now();
        output(self.setting.desktop.command("dunstctl").args(["action", "0"]))?;
        self.window()?.shows(&test_id("timeline"), QUESTION).await?;
        self.transcript.measured("click on the notification → its conversation open", clicked.elapsed())?;
        // The picture of this step shows the notification.
        self.picture = None;
        output(self.setting.desktop.command("dunstctl").args(["close-all"])).map(drop)
    }

    async fn answer_by_keyboard(&mut self) -> Fallible {
        self.step("answer", "The answer is written by keyboard, and its ticks follow")?;
        let entry = self.reply(ANSWER).await?;
        let sent = Instant::now();
        for state in ["accepted", "sent", "delivered", "read"] {
            let reached = self.reaches(&entry, state).await?;
            self.transcript.seen(&format!("{reached} after {:.0} ms", sent.elapsed().as_secs_f64() * 1_000.0))?;
            if reached == "read" {
                break;
            }
        }
        self.wait_for_ledger(ANSWER, 1).await
    }

    /// Types an answer, presses Enter; returns a selector of its bubble.
    async fn reply(&mut self, text: &str) -> Fallible<String> {
        let window = self.window()?;
        window.type_into(&test_id("composer-input"), text).await?;
        let pressed = Instant::now();
        window.type_into(&test_id("composer-input"), &keys(Key::Enter)).await?;
        window.shows(&format!("{}[data-direction=\"outgoing\"]", test_id("entry")), text).await?;
        let bubble = pressed.elapsed();
        let script = "return [...document.querySelectorAll(arguments[0])].find((e) => e.textContent.includes(arguments[1]))?.dataset.id";
        let id = window.script(script, vec![json!(test_id("entry")), json!(text)]).await?;
        let id = id.as_str().ok_or_else(|| Failure::new("the bubble has no id"))?.to_owned();
        self.transcript.measured("Enter → bubble in the timeline", bubble)?;
        Ok(format!("{}[data-id=\"{id}\"]", test_id("entry")))
    }

    /// Waits until the bubble's state is at least `state`; states only move forward, and some may be skipped.
    async fn reaches(&self, entry: &str, state: &str) -> Fallible<String> {
        const ORDER: [&str; 6] = ["queued", "sending", "accepted", "sent", "delivered", "read"];
        let wanted = ORDER.iter().position(|known| *known == state);
        let started = Instant::now();
        loop {
            let shown = self
                .window()?
                .script("return document.querySelector(arguments[0])?.dataset.state ?? ''", vec![json!(entry)])
                .await?;
            let shown = shown.as_str().unwrap_or_default();
            if ORDER.iter().position(|known| *known == shown) >= wanted {
                return Ok(shown.to_owned());
            }
            if started.elapsed() > SETTLES_WITHIN {
                return Err(Failure::new(format!("the bubble stayed {shown}, {state} was expected")));
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    async fn order_reaches_the_board(&mut self) -> Fallible {
        self.step("order", "A catalog order becomes a draft beside the conversation")?;
        let sent = Instant::now();
        let items = json!([
            {"product_retailer_id": "LAMP-BRASS", "quantity": 2, "item_price": 4200, "currency": "INR"},
            {"product_retailer_id": "SHADE-LINEN-28", "quantity": 2, "item_price": "950.00", "currency": "INR"},
        ]);
        self.stack.meta.orders("Ananya Mehta", items).await?;
        self.window()?.shows(&test_id("order-panel"), "10,300").await?;
        self.transcript.measured("customer sent the cart → draft order beside the conversation", sent.elapsed())?;

        self.step("board", "The order is moved on the board")?;
        self.window()?.click(&test_id("nav-board")).await?;
        let card = test_id("order-card");
        self.window()?.shows(&card, "Ananya Mehta").await?;
        self.move_card(1).await
    }

    /// Moves the only card one stage to the right with the keyboard and waits until the board shows it there.
    async fn move_card(&mut self, to_column: usize) -> Fallible {
        let window = self.window()?;
        let pressed = Instant::now();
        let focus =
            "const card = document.querySelector(arguments[0]); card.focus(); return document.activeElement === card";
        if window.script(focus, vec![json!(test_id("order-card"))]).await? != json!(true) {
            return Err(Failure::new("the card cannot be focused"));
        }
        window.press(" ").await?;
        window.press(&keys(Key::Right)).await?;
        window.press(" ").await?;
        let there = "const columns = [...document.querySelectorAll(arguments[0])]; return columns.findIndex((c) => c.dataset.count === '1' && c.querySelector(arguments[1]))";
        let started = Instant::now();
        loop {
            let column =
                window.script(there, vec![json!(test_id("board-column")), json!(test_id("order-card"))]).await?;
            if column == json!(to_column) {
                break;
            }
            if started.elapsed() > SETTLES_WITHIN {
                return Err(Failure::new(format!("the card stands in column {column}, not {to_column}")));
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        self.transcript.measured("Space, →, Space → card in its new stage", pressed.elapsed())
    }

    async fn server_dies_in_the_middle_of_a_send(&mut self) -> Fallible {
        self.step("kill", "The server is killed in the middle of a send; the desk goes on")?;
        self.window()?.click(&test_id("nav-inbox")).await?;
        self.click_row("Ananya Mehta").await?;
        // Meta takes the message and holds the answer back: the server dies while it waits.
        self.stack.meta.control("next_send", json!({"fault": {"kind": "slow", "ms": 3_000}})).await?;
        let risked = self.reply(RISKED_ANSWER).await?;
        self.wait_for_ledger(RISKED_ANSWER, 1).await?;
        self.stack.kill_server()?;
        self.window()?.find(&test_id("offline-banner")).await?;
        self.transcript.seen("SIGKILL while the send was on its way")?;
        self.window()?.shows(&test_id("timeline"), QUESTION).await?;
        let queued = self.reply(OFFLINE_ANSWER).await?;
        self.search("brass").await?;
        self.window()?.click(&test_id("nav-board")).await?;
        self.window()?.shows(&test_id("order-card"), "Ananya Mehta").await?;
        self.move_card(2).await?;

        self.step("return", "The server comes back and everything converges")?;
        let back = Instant::now();
        self.stack.start_server()?;
        self.window()?.find(&format!("{}[data-state=\"online\"]", test_id("status-connection"))).await?;
        self.transcript.measured("server started → desk online again", back.elapsed())?;
        self.window()?.click(&test_id("nav-inbox")).await?;
        self.click_row("Ananya Mehta").await?;
        self.reaches(&risked, "read").await?;
        self.reaches(&queued, "read").await?;
        self.transcript.measured("server started → both answers read by the customer", back.elapsed())?;
        self.wait_for_ledger(RISKED_ANSWER, 1).await?;
        self.wait_for_ledger(OFFLINE_ANSWER, 1).await?;
        let state = self.stack.meta.read("state").await?;
        match state["violations"].as_array() {
            Some(none) if none.is_empty() => {
                self.transcript.seen("the simulator's ledger holds each answer exactly once")
            }
            _ => Err(Failure::new(format!("the simulator found violations: {}", state["violations"]))),
        }
    }

    async fn search(&mut self, word: &str) -> Fallible {
        let window = self.window()?;
        window.click(&test_id("nav-search")).await?;
        let typed = Instant::now();
        window.type_into(&test_id("search-input"), word).await?;
        window.shows(&test_id("search-hit"), word).await?;
        let found = typed.elapsed();
        self.transcript.measured("offline search: typed → hit shown", found)
    }

    async fn opens_with_the_network_down(&mut self) -> Fallible {
        self.step("offline-start", "Closed, and opened with the network down: the inbox is there")?;
        if let Some(window) = self.window.take() {
            window.close().await?;
        }
        self.stack.stop_server()?;
        let started = Instant::now();
        self.open_window().await?;
        self.window()?.click(&test_id("view-all_open")).await?;
        self.window()?.shows(&test_id("conversation-row"), "Ananya Mehta").await?;
        let painted = started.elapsed();
        self.window()?.find(&test_id("offline-banner")).await?;
        self.click_row("Ananya Mehta").await?;
        self.window()?.shows(&test_id("timeline"), OFFLINE_ANSWER).await?;
        self.transcript.measured("start of the program → inbox painted, driver included", painted)
    }

    async fn access_is_given_and_taken(&mut self) -> Fallible {
        self.end_step()?;
        let inbox = self.stack.connect_second_inbox()?;
        self.stack.start_server()?;
        self.window()?.find(&format!("{}[data-state=\"online\"]", test_id("status-connection"))).await?;
        let window = self.window.as_ref().ok_or_else(|| Failure::new("the window is closed"))?;
        if self.setting.break_step.as_deref() == Some("access") {
            return Err(Failure::new("step “access” was broken on purpose"));
        }
        window.note_faults().await?;
        let setting = self.setting;
        let played =
            access_story::play(setting.desktop, &self.stack, window, &inbox, &mut self.transcript, &self.logs).await;
        match window.faults().await?.as_slice() {
            [] => played,
            faults => Err(Failure::new(format!("the page had faults: {}", faults.join("; ")))),
        }
    }

    /// Closes the driven window, for people who want to open their own.
    pub async fn stay(&mut self) -> Fallible {
        if let Some(window) = self.window.take() {
            window.close().await?;
        }
        Ok(())
    }

    /// Closes the window and ends the programs.
    pub async fn end(mut self) -> Fallible {
        if let Some(window) = self.window.take() {
            window.close().await?;
        }
        self.stack.stop_server()
    }

    async fn click_row(&self, name: &str) -> Fallible {
        let script = "const row = [...document.querySelectorAll(arguments[0])].find((e) => e.textContent.includes(arguments[1])); row?.click(); return !!row";
        let started = Instant::now();
        while self.window()?.script(script, vec![json!(test_id("conversation-row")), json!(name)]).await? != json!(true)
        {
            if started.elapsed() > SETTLES_WITHIN {
                return Err(Failure::new(format!("no row of {name}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.window()?.find(&test_id("composer-input")).await.map(drop)
    }

    async fn wait_for(&self, what: &str, holds: impl Fn(&Self) -> Fallible<bool>) -> Fallible {
        let started = Instant::now();
        while !holds(self)? {
            if started.elapsed() > SETTLES_WITHIN {
                return Err(Failure::new(format!("waited in vain for {what}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until Meta accepted `text` at least once, then checks that it was exactly `times`.
    async fn wait_for_ledger(&self, text: &str, times: usize) -> Fallible {
        let started = Instant::now();
        loop {
            let accepted = self.stack.meta.accepted(text).await?;
            if accepted == times {
                return Ok(());
            }
            if accepted > times || started.elapsed() > SETTLES_WITHIN {
                return Err(Failure::new(format!("accepted {accepted} times instead of {times}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
