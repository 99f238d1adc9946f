//! Administration beside a server that runs: it has the data directory and its lock, so it carries the commands out itself,
//! told through a local socket of that directory.
//!
//! Promise: only who may read the data directory can speak to it (the socket is the owner's alone, as are the keys beside it);
//! a connection carries one command and its answer, a line of JSON each; what is no command of this build is refused. A restore
//! is refused here: desks must be told of a new lineage before anything of the old one is served.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::prelude::*;
use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::{ListenerOptions, Name};
use parley_domain::Code;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::task::JoinSet;

use super::Admin;
use super::command::{self, Command, Report};
use crate::app::{Core, until};
use crate::error::{Error, Result};

/// Longest command.
const COMMAND_MAX: u64 = 64 * 1024;
/// Longest answer: a list of dead jobs may be long.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;
/// How long the command's line may take to arrive.
const SAID_WITHIN: Duration = Duration::from_secs(10);

#[derive(Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
enum Answer {
    Done(Report),
    Refused { code: Code, message: String },
}

#[cfg(unix)]
fn name(data: &Path) -> io::Result<Name<'static>> {
    use interprocess::local_socket::{GenericFilePath, ToFsName};
    data.join("admin.sock").to_fs_name::<GenericFilePath>().map(Name::into_owned)
}

#[cfg(not(unix))]
fn name(data: &Path) -> io::Result<Name<'static>> {
    use interprocess::local_socket::{GenericNamespaced, ToNsName};
    use sha2::{Digest, Sha256};
    let place = std::path::absolute(data)?;
    let digest = hex::encode(Sha256::digest(place.to_string_lossy().as_bytes()));
    format!("parley-server-{digest}").to_ns_name::<GenericNamespaced>().map(Name::into_owned)
}

/// Opens the socket of a data directory whose lock is held. One that a killed server left behind is replaced.
///
/// # Errors
/// It cannot be made: its path is too long for a socket, say.
pub(crate) fn listen(data: &Path) -> Result<Listener> {
    let options = ListenerOptions::new().name(name(data)?).try_overwrite(true);
    #[cfg(unix)]
    let options = {
        use interprocess::os::unix::local_socket::ListenerOptionsExt;
        options.mode(0o600)
    };
    Ok(options.create_tokio()?)
}

/// Carries out what is asked, until the server stops.
pub(crate) async fn serve(core: Arc<Core>, listener: Listener) {
    let mut stop = core.until_stopping();
    let mut asked = JoinSet::new();
    loop {
        tokio::select! {
            connection = listener.accept() => match connection {
                Ok(stream) => {
                    asked.spawn(answer(Admin::new(core.clone()), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "the socket of administration failed");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
            Some(_) = asked.join_next(), if !asked.is_empty() => {}
            // What is in hand ends with the set: a backup that is cut short is refused when it is restored.
            () = until(&mut stop) => return,
        }
    }
}

async fn answer(admin: Admin, stream: Stream) {
    let answer = match hear(&stream).await {
        Ok(Command::Restore { .. }) => {
            Err(Error::Refused(Code::AlreadyOpen, "stop the server first: a restore needs it to start anew"))
        }
        Ok(command) => {
            tracing::info!(?command, "administration");
            command::carry_out(&admin, command).await
        }
        Err(error) => Err(error),
    };
    let answer = match answer {
        Ok(report) => Answer::Done(report),
        Err(error) => Answer::Refused { code: error.code(), message: error.to_string() },
    };
    if let Ok(mut text) = serde_json::to_vec(&answer) {
        text.push(b'\n');
        let mut sender = &stream;
        // Who does not wait for the answer does not need it.
        let _ = sender.write_all(&text).await;
        let _ = sender.flush().await;
    }
}

async fn hear(stream: &Stream) -> Result<Command> {
    let refused = || Error::Refused(Code::BadRequest, "that is no command of this server");
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(COMMAND_MAX));
    let read = tokio::time::timeout(SAID_WITHIN, reader.read_until(b'\n', &mut line)).await;
    read.map_err(|_| refused())??;
    serde_json::from_slice(&line).map_err(|_| refused())
}

/// Has the server of this data directory carry a command out.
///
/// # Errors
/// [`Error::AlreadyOpen`] when nobody listens; [`Error::Told`] with what the server said.
pub async fn ask(data: &Path, command: &Command) -> Result<Report> {
    let stream = Stream::connect(name(data)?).await.map_err(|_| Error::AlreadyOpen)?;
    let mut text = serde_json::to_vec(command).map_err(|_| Error::Damaged("command"))?;
    text.push(b'\n');
    let mut sender = &stream;
    sender.write_all(&text).await?;
    let mut line = Vec::new();
    BufReader::new((&stream).take(ANSWER_MAX)).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Err(Error::Stopping);
    }
    match serde_json::from_slice(&line).map_err(|_| Error::Damaged("answer"))? {
        Answer::Done(report) => Ok(report),
        Answer::Refused { code, message } => Err(Error::Told(code, message)),
    }
}
