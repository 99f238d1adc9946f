//! Ingest: a webhook body is sealed, handed to one writer, and answered when the commit that holds it has ended.
//!
//! Promise: nothing is acknowledged that is not durable. While one commit runs, the bodies that arrive meanwhile gather for
//! the next one, at most [`GROUP_COMMIT_EVENTS`] together; nothing is parsed before the answer.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use parley_domain::limits::GROUP_COMMIT_EVENTS;
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::session::Secret;
use parley_domain::{AppId, Code};
use parley_meta::webhook::signature;
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::app::Core;
use crate::db::raw::{self, RawEvent};
use crate::db::{Db, admin};
use crate::envelope;
use crate::error::{Error, Result};
use crate::seal::{Place, Purpose, Sealer};

/// Bodies that may wait for the writer; more are refused, and Meta tries again.
const WAITING: usize = 4 * GROUP_COMMIT_EVENTS;

/// A Meta app's opened secrets.
#[derive(Debug)]
pub struct AppSecrets {
    secrets: Vec<Zeroizing<Vec<u8>>>,
    verify_token: Secret,
}

/// The opened secrets of the apps that have been asked for.
#[derive(Debug, Default)]
pub struct Apps(RwLock<HashMap<AppId, Arc<AppSecrets>>>);

impl Apps {
    /// The app's secrets; `None` when there is no such app.
    pub async fn get(&self, core: &Core, app: &AppId) -> Result<Option<Arc<AppSecrets>>> {
        let known = self.0.read().map_err(|_| Error::Stopping)?.get(app).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(row) = admin::app(core.db.reader(), app).await? else {
            return Ok(None);
        };
        let place = |column| Place { workspace: "", table: "meta_app", column, row: app.as_str() };
        let mut secrets = vec![envelope::open(core, core.db.reader(), place("secret"), &row.secret).await?];
        if let Some(before) = &row.secret_before {
            secrets.push(envelope::open(core, core.db.reader(), place("secret_before"), before).await?);
        }
        let verify_token =
            envelope::open_text(core, core.db.reader(), place("verify_token"), &row.verify_token).await?;
        let opened = Arc::new(AppSecrets { secrets, verify_token });
        self.0.write().map_err(|_| Error::Stopping)?.insert(app.clone(), opened.clone());
        Ok(Some(opened))
    }

    /// Forgets what was opened: the app's secrets changed.
    pub fn forget(&self) {
        if let Ok(mut apps) = self.0.write() {
            apps.clear();
        }
    }
}

/// Answers Meta's subscription check.
pub async fn challenge(core: &Core, app: &AppId, query: &str) -> Result<Option<String>> {
    let Some(secrets) = core.apps.get(core, app).await? else {
        return Ok(None);
    };
    Ok(parley_meta::webhook::challenge(query, &secrets.verify_token))
}

/// Takes a webhook body; when this returns, it is durable.
///
/// # Errors
/// [`Code::Unauthorized`] when the signature is not that of the app: nothing is stored then.
pub async fn receive(core: &Core, app: AppId, signature: Option<&str>, body: &[u8]) -> Result<()> {
    let secrets = core.apps.get(core, &app).await?;
    let keys: Vec<&[u8]> =
        secrets.iter().flat_map(|secrets| secrets.secrets.iter().map(|secret| secret.as_slice())).collect();
    if let Err(error) = signature::verify(&keys, body, signature) {
        tracing::warn!(reason = %error, "a webhook was refused");
        return Err(Error::Refused(Code::Unauthorized, "the signature does not match"));
    }
    let (id, received_at) = (core.new_id(), core.now());
    let row = id.to_string();
    let sealed = Sealer::new(&core.keys, Purpose::Body(received_at)).seal(body_place(&row), body, &*core.randomness)?;
    let (done, durable) = oneshot::channel();
    let event = RawEvent { id, app, received_at, sealed };
    core.ingest
        .try_send(Waiting { event, done })
        .map_err(|_| Error::Refused(Code::RateLimited, "too many webhooks wait"))?;
    if planted(Bug::AckBeforeCommit) {
        return Ok(());
    }
    match durable.await {
        Ok(true) => Ok(()),
        _ => Err(Error::Stopping),
    }
}

/// Where a body is sealed.
pub fn body_place(row: &str) -> Place<'_> {
    Place { workspace: "", table: "raw_event", column: "body", row }
}

/// A body whose sender waits for the answer.
#[derive(Debug)]
pub struct Waiting {
    event: RawEvent,
    done: oneshot::Sender<bool>,
}

/// The way to the writer.
pub fn channel() -> (mpsc::Sender<Waiting>, mpsc::Receiver<Waiting>) {
    mpsc::channel(WAITING)
}

/// Commits what waits, group after group, until every sender is gone.
pub async fn write(db: Db, mut waiting: mpsc::Receiver<Waiting>, stored: impl Fn()) {
    let mut group = Vec::with_capacity(GROUP_COMMIT_EVENTS);
    while waiting.recv_many(&mut group, GROUP_COMMIT_EVENTS).await > 0 {
        if planted(Bug::AckBeforeCommit) {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
        let (events, senders): (Vec<_>, Vec<_>) = group.drain(..).map(|one| (one.event, one.done)).unzip();
        let durable = match raw::store(&db, events).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "webhooks could not be stored");
                false
            }
        };
        for sender in senders {
            // A sender that went away is asked again by Meta; the natural keys make the repeat harmless.
            let _ = sender.send(durable);
        }
        if durable {
            stored();
        }
    }
}
