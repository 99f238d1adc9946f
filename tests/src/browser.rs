//! The real window, driven through WebKitWebDriver: find by test id, type, press keys, wait for what is seen.

use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use xtask::desktop::Desktop;
use xtask::failure::Failure;
use xtask::process::{Running, free_port};

use crate::Fallible;
use crate::stack::Login;

const APPEARS_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// One open window.
pub struct Window {
    client: Client,
    driver: Running,
}

impl Window {
    /// Starts the desk's program on the desktop and waits until its window can be driven.
    pub async fn open(
        desktop: &Desktop,
        program: &std::path::Path,
        args: &[String],
        logs: &std::path::Path,
    ) -> Fallible<Self> {
        let port = free_port()?;
        let mut command = desktop.command("WebKitWebDriver");
        command.args(["--host=127.0.0.1", &format!("--port={port}")]);
        command.env("TAURI_WEBVIEW_AUTOMATION", "true").env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
        // The desk writes into the driver's log: everything it would ever say, so that a scan of it means something.
        command.env("PARLEY_LOG", "trace");
        let mut driver = Running::start("WebKitWebDriver", &mut command, &logs.join("webdriver.log"))?;
        driver.wait_until("its port", Duration::from_secs(15), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("webkitgtk:browserOptions".into(), json!({"binary": program, "args": args}));
        let connecting = async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
                .map_err(|error| Failure::new(format!("the window cannot be driven: {error}")))
        };
        let client = tokio::time::timeout(Duration::from_secs(60), connecting)
            .await
            .map_err(|_| Failure::new("the window did not open within 60 s"))??;
        Ok(Self { client, driver })
    }

    /// Closes the window as its owner would.
    pub async fn close(mut self) -> Fallible {
        self.client.close().await?;
        self.driver.stop()
    }

    /// Ends driver and desk at once, as a power cut would.
    pub fn kill(mut self) -> Fallible {
        self.driver.kill()
    }

    /// Fills in the sign-in screen, presses Enter, waits until the desk is online; returns how long that last part took.
    pub async fn sign_in(&self, server: &str, login: Login) -> Fallible<Duration> {
        let pressed = self.type_sign_in(server, login).await?;
        self.find("[data-testid=\"status-connection\"][data-state=\"online\"]").await?;
        Ok(pressed.elapsed())
    }

    /// Fills in the sign-in screen and presses Enter; returns when that was.
    pub async fn type_sign_in(&self, server: &str, login: Login) -> Fallible<Instant> {
        let field = |name: &str| format!("[data-testid=\"sign-in-{name}\"]");
        self.find(&field("server")).await?.clear().await?;
        self.type_into(&field("server"), server).await?;
        self.type_into(&field("email"), login.email).await?;
        self.type_into(&field("password"), login.password).await?;
        let pressed = Instant::now();
        self.type_into(&field("password"), &String::from(char::from(Key::Enter))).await?;
        Ok(pressed)
    }

    /// When an element that matches `css` first showed `text`, in milliseconds since 1970, as the page's own
    /// clock says; looked at every few milliseconds.
    pub async fn painted_at(&self, css: &str, text: &str) -> Fallible<f64> {
        let script = "const [css, text, done] = arguments; const look = () => { \
            if ([...document.querySelectorAll(css)].some((e) => e.textContent.includes(text))) done(performance.timeOrigin + performance.now()); \
            else setTimeout(look, 4); }; look();";
        let at = self.client.execute_async(script, vec![json!(css), json!(text)]).await?;
        at.as_f64().ok_or_else(|| Failure::new("the page told no time"))
    }

    /// The element that matches, once it is there.
    pub async fn find(&self, css: &str) -> Fallible<Element> {
        self.within(css, APPEARS_WITHIN).await
    }

    async fn within(&self, css: &str, limit: Duration) -> Fallible<Element> {
        let started = Instant::now();
        loop {
            if let Ok(element) = self.client.find(Locator::Css(css)).await {
                return Ok(element);
            }
            if started.elapsed() > limit {
                return Err(Failure::new(format!("the window never showed `{css}`")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// From here on the page notes what goes wrong in it; [`Self::faults`] tells.
    pub async fn note_faults(&self) -> Fallible {
        let script = "window.__faults ??= []; \
            addEventListener('error', (e) => window.__faults.push(`${e.message} ${e.error?.stack ?? ''}`)); \
            addEventListener('unhandledrejection', (e) => window.__faults.push(`${e.reason} ${e.reason?.stack ?? ''}`));";
        self.script(script, vec![]).await.map(drop)
    }

    /// What went wrong in the page since [`Self::note_faults`].
    pub async fn faults(&self) -> Fallible<Vec<String>> {
        let noted = self.script("return window.__faults ?? []", vec![]).await?;
        Ok(noted.as_array().into_iter().flatten().filter_map(|fault| fault.as_str().map(str::to_owned)).collect())
    }

    /// Elements that match now.
    pub async fn count(&self, css: &str) -> Fallible<usize> {
        Ok(self.client.find_all(Locator::Css(css)).await?.len())
    }

    /// Clicks what matches.
    pub async fn click(&self, css: &str) -> Fallible {
        let started = Instant::now();
        loop {
            let clicked = self.find(css).await?.click().await;
            match clicked {
                Ok(()) => return Ok(()),
                // The list repainted between looking and clicking.
                Err(_) if started.elapsed() < APPEARS_WITHIN => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => return Err(Failure::new(format!("`{css}` cannot be clicked: {error}"))),
            }
        }
    }

    /// Types into what matches; control keys are the private-use characters of WebDriver.
    pub async fn type_into(&self, css: &str, text: &str) -> Fallible {
        Ok(self.find(css).await?.send_keys(text).await?)
    }

    /// Presses keys wherever the focus is.
    pub async fn press(&self, keys: &str) -> Fallible {
        Ok(self.client.active_element().await?.send_keys(keys).await?)
    }

    /// Runs a script in the page and returns its value.
    pub async fn script(&self, script: &str, args: Vec<Value>) -> Fallible<Value> {
        Ok(self.client.execute(script, args).await?)
    }

    /// Waits until an element that matches `css` shows `text`; returns how long it took.
    pub async fn shows(&self, css: &str, text: &str) -> Fallible<Duration> {
        let script =
            "return [...document.querySelectorAll(arguments[0])].some((e) => e.textContent.includes(arguments[1]))";
        let started = Instant::now();
        while self.script(script, vec![json!(css), json!(text)]).await? != json!(true) {
            if started.elapsed() > APPEARS_WITHIN {
                return Err(Failure::new(format!("`{css}` never showed “{text}”")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(started.elapsed())
    }

    /// Waits until nothing that matches `css` is left; returns how long it took.
    pub async fn lacks(&self, css: &str) -> Fallible<Duration> {
        let started = Instant::now();
        while self.count(css).await? > 0 {
            if started.elapsed() > APPEARS_WITHIN {
                return Err(Failure::new(format!("`{css}` never went away")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(started.elapsed())
    }
}
