//! Programs that tasks start: run to the end, or kept running beside the task.
//!
//! Promise: a [`Running`] program leads a process group of its own, writes to a log file, and is gone with everything it
//! started when it is dropped or when the task is interrupted.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Context, Failure, Fallible};

/// How often a condition is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(20);
/// How long a program may take to end when asked politely.
const GRACE: Duration = Duration::from_secs(5);

/// What has to go when the task is interrupted.
struct LeftOver {
    /// Groups of running programs.
    groups: BTreeSet<u32>,
    /// Programs that the task waits for; they share its group.
    waited_for: BTreeSet<u32>,
    /// Folders that are thrown away.
    folders: BTreeSet<PathBuf>,
}

static LEFT_OVER: Mutex<LeftOver> =
    Mutex::new(LeftOver { groups: BTreeSet::new(), waited_for: BTreeSet::new(), folders: BTreeSet::new() });

/// From here on, an interrupt or a termination signal ends every program that the task started, removes every [`Scratch`]
/// folder, and then ends the task with status 130.
pub fn stop_children_when_interrupted() -> Fallible {
    ctrlc::set_handler(|| {
        if let Ok(left_over) = LEFT_OVER.lock() {
            for signal in ["TERM", "KILL"] {
                for group in &left_over.groups {
                    signal_group(*group, signal);
                }
                for id in &left_over.waited_for {
                    send(signal, &id.to_string());
                }
                thread::sleep(Duration::from_millis(300));
            }
            for folder in &left_over.folders {
                let _ = fs::remove_dir_all(folder);
            }
        }
        std::process::exit(130);
    })
    .context("cannot listen for interrupts")
}

fn signal_group(group: u32, signal: &str) {
    send(signal, &format!("-{group}"));
}

fn send(signal: &str, whom: &str) {
    // The shell's own `kill`: no package needed, and no unsafe code here.
    let _ = Command::new("sh")
        .args(["-c", &format!("kill -s {signal} -- {whom}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Runs a program to its end with this terminal's output; another status than zero is a failure.
pub fn run(command: &mut Command) -> Fallible {
    let shown = describe(command);
    println!("$ {shown}");
    let mut child = command.spawn().context(&shown)?;
    waits_for(child.id(), true);
    let status = child.wait();
    waits_for(child.id(), false);
    let status = status.context(&shown)?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{shown}` ended with {status}"))) }
}

fn waits_for(id: u32, waits: bool) {
    if let Ok(mut left_over) = LEFT_OVER.lock() {
        if waits {
            left_over.waited_for.insert(id)
        } else {
            left_over.waited_for.remove(&id)
        };
    }
}

/// Runs a program to its end and returns what it wrote to standard output; another status than zero is a failure that
/// quotes standard error.
pub fn output(command: &mut Command) -> Fallible<String> {
    let shown = describe(command);
    let output = command.stdin(Stdio::null()).output().context(&shown)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("`{shown}` ended with {}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is there and answers with status zero.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command line as a person would type it.
fn describe(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| {
        let word = word.to_string_lossy();
        if word.contains(' ') { format!("'{word}'") } else { word.into_owned() }
    }));
    words.join(" ")
}

/// A TCP port on loopback that was free a moment ago, and stays so while a server that had it is started again: it lies below
/// the ports that systems give to outgoing connections.
pub fn free_port() -> Fallible<u16> {
    const FIRST: u64 = 20_000;
    const COUNT: u64 = 12_000;
    for _ in 0..200 {
        // The seed of a new map is the only randomness in the standard library.
        let random = RandomState::new().build_hasher().finish();
        let port = u16::try_from(FIRST + random % COUNT).context("no port number")?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::new("no free port between 20000 and 32000"))
}

/// Looks at a condition until it holds; says `what` was awaited when it does not within `limit`.
pub fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> Fallible<bool>) -> Fallible {
    let started = Instant::now();
    while !holds()? {
        if started.elapsed() > limit {
            return Err(Failure::new(format!("waited {} s in vain for {what}", limit.as_secs())));
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// A folder that goes with this value, with a path short enough for sockets in it (107 bytes at most).
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new empty folder that only this user can read.
    pub fn new() -> Fallible<Self> {
        let temporary = std::env::temp_dir();
        let parent = if temporary.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { temporary };
        let path = tempfile::Builder::new().prefix("parley-").tempdir_in(parent)?.keep();
        if let Ok(mut left_over) = LEFT_OVER.lock() {
            left_over.folders.insert(path.clone());
        }
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(mut left_over) = LEFT_OVER.lock() {
            left_over.folders.remove(&self.0);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that runs beside the task.
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program. What it writes is appended to `log`, both streams.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Fallible<Self> {
        if let Some(folder) = log.parent() {
            fs::create_dir_all(folder)?;
        }
        let out = File::options().create(true).append(true).open(log).context(log.display())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .context(format!("cannot start {name}"))?;
        if let Ok(mut left_over) = LEFT_OVER.lock() {
            left_over.groups.insert(child.id());
        }
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Whether it was started under that name.
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// The process id, which is the id of its group too.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The status, once the program has ended.
    pub fn ended(&mut self) -> Fallible<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for a line that contains `text` and returns it; fails when the program ends before.
    pub fn wait_for_line(&mut self, text: &str, limit: Duration) -> Fallible<String> {
        let started = Instant::now();
        loop {
            let ended = self.ended()?;
            let written = read_from(&self.log, 0).unwrap_or_default();
            let complete = written.rfind('\n').map_or("", |end| written.get(..end).unwrap_or_default());
            if let Some(line) = complete.lines().find(|line| line.contains(text)) {
                return Ok(line.to_owned());
            }
            if let Some(status) = ended {
                return Err(Failure::new(format!("{} ended with {status}. {}", self.name, self.last_lines())));
            }
            if started.elapsed() > limit {
                let waited = limit.as_secs();
                return Err(Failure::new(format!(
                    "{} did not say `{text}` within {waited} s. {}",
                    self.name,
                    self.last_lines()
                )));
            }
            thread::sleep(POLL);
        }
    }

    /// Looks at a condition until it holds; fails early when the program ends.
    pub fn wait_until(&mut self, what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Fallible {
        let awaited = format!("{} ({what})", self.name);
        wait_until(&awaited, limit, || match self.ended()? {
            Some(status) => Err(Failure::new(format!("{} ended with {status}. {}", self.name, self.last_lines()))),
            None => Ok(holds()),
        })
        .map_err(|failure| Failure::new(format!("{failure}. {}", self.last_lines())))
    }

    /// Ends the program and everything in its group at once, as a power cut would.
    pub fn kill(&mut self) -> Fallible {
        if self.ended()?.is_none() {
            signal_group(self.id(), "KILL");
            self.child.wait()?;
        }
        self.forget();
        Ok(())
    }

    /// Asks the program to end; kills what is left of its group after a few seconds.
    pub fn stop(&mut self) -> Fallible {
        if self.ended()?.is_none() {
            signal_group(self.id(), "TERM");
            let started = Instant::now();
            while self.ended()?.is_none() && started.elapsed() < GRACE {
                thread::sleep(POLL);
            }
        }
        // Also when the leader is gone: a group lives as long as one of its members does.
        signal_group(self.id(), "KILL");
        self.child.wait()?;
        self.forget();
        Ok(())
    }

    fn forget(&self) {
        if let Ok(mut left_over) = LEFT_OVER.lock() {
            left_over.groups.remove(&self.child.id());
        }
    }

    fn last_lines(&self) -> String {
        let length = fs::metadata(&self.log).map_or(0, |file| file.len());
        let tail = read_from(&self.log, length.saturating_sub(2_000)).unwrap_or_default();
        format!("The end of {}:\n{}", self.log.display(), tail.trim_end())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn read_from(path: &Path, offset: u64) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(id: &str) -> bool {
        succeeds(Command::new("sh").args(["-c", &format!("kill -0 {id}")]))
    }

    #[test]
    fn a_dropped_program_takes_its_children_along_and_leaves_its_log() {
        let scratch = Scratch::new().unwrap();
        let log = scratch.path().join("log");
        let script = "sleep 600 & echo child is $!; echo ready; wait";
        let mut running = Running::start("shell", Command::new("sh").args(["-c", script]), &log).unwrap();
        running.wait_for_line("ready", Duration::from_secs(10)).unwrap();
        let line = running.wait_for_line("child is", Duration::from_secs(10)).unwrap();
        let child = line.rsplit(' ').next().unwrap().to_owned();
        assert!(alive(&child));
        drop(running);
        // Its new parent reaps it in its own time.
        wait_until("the child to go", Duration::from_secs(10), || {
            let state = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            Ok(state.is_empty() || state.contains(") Z "))
        })
        .unwrap();
        assert!(fs::read_to_string(&log).unwrap().contains("ready"));
    }

    #[test]
    fn a_program_that_ends_early_is_named_with_its_last_words() {
        let scratch = Scratch::new().unwrap();
        let mut running = Running::start(
            "shell",
            Command::new("sh").args(["-c", "echo no luck; exit 3"]),
            &scratch.path().join("log"),
        )
        .unwrap();
        let failure = running.wait_for_line("ready", Duration::from_secs(10)).unwrap_err().to_string();
        assert!(failure.contains("no luck") && failure.contains('3'), "{failure}");
    }

    #[test]
    fn a_scratch_folder_goes_with_its_value() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
