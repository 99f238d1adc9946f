//! A desk without a window: the real program with its engine, driven over the loopback bridge by the same commands.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::cargo;
use xtask::desktop::Desktop;
use xtask::failure::Failure;
use xtask::process::Running;

use crate::Fallible;
use crate::meta::http;
use crate::stack::Login;

const STARTS_WITHIN: Duration = Duration::from_secs(60);
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks at a condition until it holds.
pub async fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Fallible {
    let started = Instant::now();
    while !holds() {
        if started.elapsed() > limit {
            return Err(Failure::new(format!("waited in vain until {what}")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// A running desk. It can be killed and started again on the same folder.
pub struct Desk {
    folder: PathBuf,
    log: PathBuf,
    environment: Vec<(String, String)>,
    running: Option<Running>,
    base: String,
    token: String,
    http: reqwest::Client,
}

impl Desk {
    /// A desk that keeps its files in `folder`; not started yet. Its log is emptied at each start only when it is moved.
    pub fn new(folder: &Path, log: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            log: log.to_owned(),
            environment: Vec::new(),
            running: None,
            base: String::new(),
            token: String::new(),
            http: http(),
        }
    }

    /// Sets a variable for the next start.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the program and waits until its commands can be called.
    pub fn start(&mut self, desktop: &Desktop) -> Fallible {
        let mut command = desktop.command(cargo::program("parley"));
        command.args(["--headless", "--bridge", "127.0.0.1:0", "--data-dir"]).arg(&self.folder);
        command.arg("--ui-dir").arg(cargo::root().join("ui/dist"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // Each start has a log of its own, so that the address found is this start's.
        let log = self.log.with_extension(format!(
            "{}.log",
            std::fs::read_dir(self.log.parent().unwrap_or(&self.log)).map_or(0, Iterator::count)
        ));
        let mut running = Running::start("parley", &mut command, &log)?;
        let line = running.wait_for_line("bridge http", STARTS_WITHIN)?;
        let address = line.trim_start_matches("bridge ").trim();
        let (base, token) = address.split_once("/?bridge=").ok_or_else(|| Failure::new("the bridge told no token"))?;
        (self.base, self.token) = (base.to_owned(), token.to_owned());
        self.running = Some(running);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Fallible {
        match self.running.take() {
            Some(mut running) => running.kill(),
            None => Ok(()),
        }
    }

    /// Asks the program to end.
    pub fn stop(&mut self) -> Fallible {
        match self.running.take() {
            Some(mut running) => running.stop(),
            None => Ok(()),
        }
    }

    /// The address at which a browser finds this desk's page.
    pub fn page(&self) -> String {
        format!("{}/?bridge={}", self.base, self.token)
    }

    /// Calls one command of the list. A refusal's code is the failure's text.
    pub async fn call(&self, name: &str, args: Value) -> Fallible<Value> {
        let answer = self
            .http
            .post(format!("{}/ipc/{name}", self.base))
            .header("x-parley-bridge", &self.token)
            .json(&args)
            .send()
            .await?;
        let good = answer.status().is_success();
        let body: Value = answer.json().await?;
        if good { Ok(body) } else { Err(Failure::new(body["code"].as_str().unwrap_or("unknown").to_owned())) }
    }

    /// Signs in and waits until everything in scope is here.
    pub async fn sign_in(&self, server: &str, login: Login) -> Fallible {
        let args = json!({"server": server, "email": login.email, "password": login.password, "device_name": "test", "code": null});
        self.call("sign_in", args).await?;
        self.online().await
    }

    /// Waits until the server is heard and the first sync is over.
    pub async fn online(&self) -> Fallible {
        self.until("the server is heard", "connection", json!({}), |state| {
            state["state"] == "online" && state["syncing"].is_null() && state["heard_at"].is_number()
        })
        .await
        .map(drop)
    }

    /// Calls a query until its answer satisfies `holds`; returns that answer.
    pub async fn until(&self, what: &str, name: &str, args: Value, holds: impl Fn(&Value) -> bool) -> Fallible<Value> {
        let started = Instant::now();
        loop {
            let answer = self.call(name, args.clone()).await?;
            if holds(&answer) {
                return Ok(answer);
            }
            if started.elapsed() > SETTLES_WITHIN {
                return Err(Failure::new(format!("waited in vain until {what}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Rows of a view, all of them.
    pub async fn conversations(&self, view: &str) -> Fallible<Vec<Value>> {
        let page = self.call("conversations", json!({"view": {"view": view}, "after": null, "limit": 500})).await?;
        Ok(page["rows"].as_array().cloned().unwrap_or_default())
    }

    /// The id of the conversation with that contact, once it is here.
    pub async fn conversation_with(&self, name: &str) -> Fallible<String> {
        let args = json!({"view": {"view": "all_open"}, "after": null, "limit": 500});
        let find = |page: &Value| {
            let rows = page["rows"].as_array()?;
            let row = rows.iter().find(|row| row["name"] == name)?;
            row["id"].as_str().map(str::to_owned)
        };
        let page =
            self.until(&format!("{name} is in the list"), "conversations", args, |page| find(page).is_some()).await?;
        find(&page).ok_or_else(|| Failure::new("the row went away"))
    }

    /// Writes to the customer; returns the message's id once the desk has acknowledged it.
    pub async fn reply(&self, conversation: &str, text: &str) -> Fallible<String> {
        let args = json!({"conversation": conversation, "text": text, "reply_to": null, "newest_shown": null});
        let id = self.call("send_reply", args).await?;
        id.as_str().map(str::to_owned).ok_or_else(|| Failure::new("no message id"))
    }

    /// Entries of a timeline, newest 200.
    pub async fn timeline(&self, conversation: &str) -> Fallible<Vec<Value>> {
        let page = self.call("timeline", json!({"conversation": conversation, "before": null, "limit": 200})).await?;
        Ok(page["entries"].as_array().cloned().unwrap_or_default())
    }
}
