//! A desktop for the real window: a display, a window manager, a session bus, an unlocked keyring, notifications.
//!
//! Promise: everything is private (own display number, own bus, own home folders in a scratch folder) and gone with the value,
//! so that several desktops run side by side and nothing touches the real user's keyring or settings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::failure::{Failure, Fallible};
use crate::process::{self, Running, Scratch};

const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// The password of the private keyring. It guards test data only.
const KEYRING_PASSWORD: &str = "keyring of a throw-away desktop";

/// A desktop on which programs can be started.
pub struct Desktop {
    environment: BTreeMap<String, OsString>,
    // Dropped in this order: the programs, last started first, then their folder.
    programs: Vec<Running>,
    folder: Scratch,
    logs: std::path::PathBuf,
}

/// Whether the person at this machine has a display that answers.
pub fn has_display() -> bool {
    std::env::var_os("DISPLAY").is_some_and(|display| !display.is_empty())
        && process::succeeds(&mut Command::new("xdpyinfo"))
}

impl Desktop {
    /// A private desktop on a virtual display of that size in pixels. Programs write their logs into `logs`.
    pub fn start(width: u32, height: u32, logs: &Path) -> Fallible<Self> {
        let mut desktop = Self::with_folders(logs)?;
        // Xvfb takes the first free number and says which: no race with others that look for one.
        let mut display = Command::new("Xvfb");
        display.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            &format!("{width}x{height}x24"),
            "-nolisten",
            "tcp",
            "-noreset",
        ]);
        let log = desktop.log("xvfb");
        let _ = fs::remove_file(&log);
        let mut display = Running::start("Xvfb", &mut display, &log)?;
        let number = display_number(&mut display, &log)?;
        desktop.set("DISPLAY", format!(":{number}"));
        desktop.programs.push(display);
        desktop.start_bus()?;
        desktop.launch("openbox", &["--sm-disable"])?;
        desktop.start_keyring()?;
        desktop.start_notifications()?;
        Ok(desktop)
    }

    /// Bus and keyring alone, for desks that show no window.
    pub fn without_display(logs: &Path) -> Fallible<Self> {
        let mut desktop = Self::with_folders(logs)?;
        desktop.start_bus()?;
        desktop.start_keyring()?;
        Ok(desktop)
    }

    /// The display that this person looks at, with a private bus, keyring and home folders: the window appears here, the
    /// person's own keyring stays as it is. Notifications go through the private bus, so they need a program of their own.
    pub fn on_existing_display(logs: &Path) -> Fallible<Self> {
        let mut desktop = Self::with_folders(logs)?;
        for name in ["DISPLAY", "XAUTHORITY"] {
            if let Some(value) = std::env::var_os(name) {
                desktop.set(name, value);
            }
        }
        desktop.start_bus()?;
        desktop.start_keyring()?;
        desktop.start_notifications()?;
        Ok(desktop)
    }

    /// The variables that a program needs to run on this desktop.
    pub fn environment(&self) -> &BTreeMap<String, OsString> {
        &self.environment
    }

    /// A command that will run on this desktop.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        self.place(&mut command);
        command
    }

    /// Makes a command run on this desktop.
    pub fn place(&self, command: &mut Command) {
        // A Wayland session of the real user must not draw the window away.
        command.env_remove("WAYLAND_DISPLAY").env("GDK_BACKEND", "x11").envs(&self.environment);
    }

    /// Writes what the display shows to a PNG file.
    pub fn screenshot(&self, path: &Path) -> Fallible {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        process::output(self.command("import").args(["-window", "root"]).arg(path)).map(drop)
    }

    /// Locks the keyring, as a desktop does when its owner leaves.
    pub fn lock_keyring(&self) -> Fallible {
        process::output(self.command("dbus-send").args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ]))
        .map(drop)
    }

    /// Ends the keyring's program, as on a desktop that has none. The session bus may not start it again.
    pub fn remove_keyring(&mut self) -> Fallible {
        let found = self.programs.iter().position(|program| program.is("gnome-keyring-daemon"));
        match found {
            Some(place) => self.programs.remove(place).stop(),
            None => Err(Failure::new("no keyring is running")),
        }
    }

    /// Starts the keyring (again) and unlocks it.
    pub fn start_keyring(&mut self) -> Fallible {
        let folder = self.folder.path().join("run/keyring");
        let mut keyring = self.command("sh");
        // The password is read from standard input up to its end.
        keyring.args([
            "-c",
            "printf '%s' \"$1\" | exec gnome-keyring-daemon --foreground --unlock --components=secrets --control-directory=\"$2\"",
            "sh",
            KEYRING_PASSWORD,
        ]);
        keyring.arg(&folder);
        let mut keyring = Running::start("gnome-keyring-daemon", &mut keyring, &self.log("keyring"))?;
        keyring.wait_until("to own its name on the bus", STARTS_WITHIN, || self.owns("org.freedesktop.secrets"))?;
        keyring.wait_until("to unlock", STARTS_WITHIN, || {
            let probe = "printf probe | secret-tool store --label=probe parley probe && secret-tool clear parley probe";
            process::succeeds(self.command("timeout").args(["5", "sh", "-c", probe]))
        })?;
        self.programs.push(keyring);
        Ok(())
    }

    fn with_folders(logs: &Path) -> Fallible<Self> {
        let folder = Scratch::new()?;
        let mut desktop = Self { environment: BTreeMap::new(), programs: Vec::new(), folder, logs: logs.to_owned() };
        let homes = [
            ("HOME", "home"),
            ("XDG_DATA_HOME", "home/.local/share"),
            ("XDG_CONFIG_HOME", "home/.config"),
            ("XDG_CACHE_HOME", "home/.cache"),
            ("XDG_STATE_HOME", "home/.local/state"),
            ("XDG_RUNTIME_DIR", "run"),
        ];
        for (name, place) in homes {
            let path = desktop.folder.path().join(place);
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            desktop.set(name, path);
        }
        desktop.set("XDG_CURRENT_DESKTOP", "Parley");
        desktop.set("NO_AT_BRIDGE", "1");
        Ok(desktop)
    }

    fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.insert(name.to_owned(), value.into());
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    fn launch(&mut self, program: &str, words: &[&str]) -> Fallible {
        let mut command = self.command(program);
        command.args(words);
        let running = Running::start(program, &mut command, &self.log(program))?;
        self.programs.push(running);
        Ok(())
    }

    fn start_bus(&mut self) -> Fallible {
        // Only names of this desktop exist: without a service folder nothing of the machine is started by a call.
        let socket = self.folder.path().join("run/bus");
        let config = self.folder.path().join("bus.conf");
        fs::write(&config, bus_configuration(&socket))?;
        let mut bus = self.command("dbus-daemon");
        bus.args(["--nofork", "--nopidfile", "--nosyslog", "--print-address=1"]);
        bus.arg(format!("--config-file={}", config.display()));
        let mut bus = Running::start("dbus-daemon", &mut bus, &self.log("dbus"))?;
        bus.wait_until("its socket", STARTS_WITHIN, || socket.exists())?;
        self.set("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()));
        self.programs.push(bus);
        Ok(())
    }

    fn start_notifications(&mut self) -> Fallible {
        let config = self.folder.path().join("dunstrc");
        fs::write(&config, DUNST)?;
        let mut dunst = self.command("dunst");
        dunst.arg("-config").arg(&config);
        let mut dunst = Running::start("dunst", &mut dunst, &self.log("dunst"))?;
        dunst.wait_until("to own its name on the bus", STARTS_WITHIN, || self.owns("org.freedesktop.Notifications"))?;
        self.programs.push(dunst);
        Ok(())
    }

    fn owns(&self, name: &str) -> bool {
        process::output(self.command("dbus-send").args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/",
            "org.freedesktop.DBus.NameHasOwner",
            &format!("string:{name}"),
        ]))
        .is_ok_and(|answer| answer.contains("boolean true"))
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        // Windows first, the display last: nobody complains about a vanished server.
        while self.programs.pop().is_some() {}
    }
}

/// The last line that is a number and nothing else: the log also holds what Xvfb complains about.
fn display_number(display: &mut Running, log: &Path) -> Fallible<u32> {
    let mut number = None;
    display.wait_until("its number", STARTS_WITHIN, || {
        let written = fs::read_to_string(log).unwrap_or_default();
        let complete = written.rfind('\n').and_then(|end| written.get(..end)).unwrap_or_default();
        number = complete.lines().rev().find_map(|line| line.trim().parse().ok());
        number.is_some()
    })?;
    number.ok_or_else(|| Failure::new("Xvfb did not say its number"))
}

fn bus_configuration(socket: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <keep_umask/>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        socket.display()
    )
}

/// Plain and legible; a left click is what the person would do, `dunstctl action` presses the same button.
const DUNST: &str = r##"[global]
    monitor = 0
    origin = top-right
    offset = 16x16
    width = (280, 420)
    font = Noto Sans 11
    padding = 14
    horizontal_padding = 16
    frame_width = 1
    frame_color = "#3a4048"
    corner_radius = 10
    separator_height = 6
    gap_size = 8
    markup = full
    format = "<b>%s</b>\n%b"
    mouse_left_click = do_action, close_current
    idle_threshold = 0
[urgency_low]
    background = "#1d2126"
    foreground = "#e8eaed"
    timeout = 0
[urgency_normal]
    background = "#1d2126"
    foreground = "#e8eaed"
    timeout = 0
[urgency_critical]
    background = "#1d2126"
    foreground = "#e8eaed"
    timeout = 0
"##;

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because a desktop takes seconds to start: the notification arrives, the keyring keeps a secret, refuses
    /// while locked, and nothing is left behind.
    #[test]
    fn a_desktop_notifies_keeps_secrets_and_is_gone_afterwards() {
        let kept = crate::cargo::target().join("test/desktop");
        let mut desktop = Desktop::start(900, 600, &kept).unwrap();
        let display = desktop.environment().get("DISPLAY").cloned().unwrap();
        let words = ["--appname=Parley", "Amélie Fontaine", "日本 🙂 Is it still in stock?"];
        process::output(desktop.command("dunstify").args(words)).unwrap();
        process::wait_until("one notification on the screen", Duration::from_secs(10), || {
            Ok(process::output(desktop.command("dunstctl").args(["count", "displayed"]))?.trim() == "1")
        })
        .unwrap();
        let picture = kept.join("notification.png");
        desktop.screenshot(&picture).unwrap();
        assert!(fs::metadata(&picture).unwrap().len() > 2_000, "the picture is empty");

        let store = "printf hush | secret-tool store --label=test parley test";
        process::output(desktop.command("sh").args(["-c", store])).unwrap();
        let lookup = |desktop: &Desktop| {
            process::output(desktop.command("timeout").args(["5", "secret-tool", "lookup", "parley", "test"]))
        };
        assert_eq!(lookup(&desktop).unwrap(), "hush");
        desktop.lock_keyring().unwrap();
        assert!(lookup(&desktop).is_err(), "a locked keyring gave its secret away");
        desktop.remove_keyring().unwrap();
        assert!(!desktop.owns("org.freedesktop.secrets"));
        desktop.start_keyring().unwrap();
        assert_eq!(lookup(&desktop).unwrap(), "hush");

        drop(desktop);
        assert!(!process::succeeds(Command::new("xdpyinfo").env("DISPLAY", display)));
    }
}
