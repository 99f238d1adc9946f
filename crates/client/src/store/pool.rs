//! One writer thread and a few reader threads per file. What a person waits for goes before what sync brings, so typing and
//! Send wait for one slice at most.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::cipher::{self, Key, Purpose};
use super::heal::Alarm;
use crate::{Error, Result};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Who waits for a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Urgency {
    /// A person.
    Person,
    /// Sync.
    Background,
}

/// How durable a commit is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The file's own setting.
    Usual,
    /// On the platter before the commit returns, whatever the file's setting.
    Full,
}

#[derive(Default)]
struct Queue {
    first: VecDeque<Job>,
    later: VecDeque<Job>,
    closed: bool,
}

#[derive(Default)]
struct Lane {
    queue: Mutex<Queue>,
    ready: Condvar,
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, urgency: Urgency, job: Job) {
        let mut queue = self.lock();
        match urgency {
            Urgency::Person => queue.first.push_back(job),
            Urgency::Background => queue.later.push_back(job),
        }
        drop(queue);
        self.ready.notify_one();
    }

    fn take(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.first.pop_front() {
                return Some(job);
            }
            if let Some(job) = queue.later.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }
}

/// A disk whose pace a simulation decides: it takes the place of the threads, so that what waits is decided by a clock alone.
pub trait Disk: Send + Sync {
    /// How long the next job takes.
    fn pace(&self) -> Option<Duration>;
}

/// The one connection of a file without threads.
struct Here {
    connection: Mutex<Connection>,
    disk: Arc<dyn Disk>,
}

/// An open file.
pub struct Db {
    writer: Arc<Lane>,
    readers: Arc<Lane>,
    threads: Vec<JoinHandle<()>>,
    here: Option<Here>,
    full: bool,
    alarm: Arc<Alarm>,
}

impl Db {
    /// Without threads: each job runs where it is asked for, when the disk has taken its time.
    pub fn here(connection: Connection, disk: Arc<dyn Disk>, full: bool, alarm: Arc<Alarm>) -> Self {
        let here = Some(Here { connection: Mutex::new(connection), disk });
        Self { writer: Arc::default(), readers: Arc::default(), threads: Vec::new(), here, full, alarm }
    }

    /// Takes over the writer and opens readers beside it. `full` is the file's own durability.
    /// A damaged page rings `alarm`.
    pub fn start(
        path: &Path,
        key: &Key,
        writer: Connection,
        readers: usize,
        full: bool,
        alarm: Arc<Alarm>,
    ) -> Result<Self> {
        writer.execute_batch(if full { "PRAGMA synchronous = FULL;" } else { "PRAGMA synchronous = NORMAL;" })?;
        let mut db =
            Self { writer: Arc::default(), readers: Arc::default(), threads: Vec::new(), here: None, full, alarm };
        db.spawn("store-write", db.writer.clone(), writer)?;
        for _ in 0..readers {
            db.spawn_reader(path, key)?;
        }
        Ok(db)
    }

    fn spawn(&mut self, name: &str, lane: Arc<Lane>, mut connection: Connection) -> Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(job) = lane.take() {
                // A defect in one job must not take the file away from all others; its caller sees a closed channel.
                let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
            }
        })?;
        self.threads.push(thread);
        Ok(())
    }

    /// The key was verified by the writer; a reader opens in its own thread, so that opening a desk waits for none.
    fn spawn_reader(&mut self, path: &Path, key: &Key) -> Result<()> {
        let (lane, path, key) = (self.readers.clone(), path.to_owned(), Zeroizing::new(*key));
        let thread = std::thread::Builder::new().name("store-read".to_owned()).spawn(move || {
            let opened = cipher::open(&path, &key, Purpose::Read);
            drop(key);
            match opened {
                Ok(mut connection) => {
                    while let Some(job) = lane.take() {
                        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
                    }
                }
                // Every job is dropped unanswered, which its caller sees.
                Err(error) => {
                    tracing::warn!(code = error.code().as_str(), "a reader cannot be opened");
                    while lane.take().is_some() {}
                }
            }
        })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Runs `work` in a write transaction on the writer thread; an error rolls back.
    pub async fn write<T: Send + 'static>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_durable(urgency, Durability::Usual, work).await
    }

    /// Like [`Db::write`], with a durability of its own.
    pub async fn write_durable<T: Send + 'static>(
        &self,
        urgency: Urgency,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let raise = durability == Durability::Full && !self.full;
        self.run(&self.writer, urgency, move |connection| {
            if raise {
                connection.execute_batch("PRAGMA synchronous = FULL;")?;
            }
            let result = transact(connection, work);
            if raise {
                connection.execute_batch("PRAGMA synchronous = NORMAL;")?;
            }
            result
        })
        .await
    }

    /// Runs `work` on the writer thread outside of a transaction: checkpoints and vacuum.
    pub async fn maintain(&self, work: impl FnOnce(&Connection) -> Result<()> + Send + 'static) -> Result<()> {
        self.run(&self.writer, Urgency::Background, move |connection| work(connection)).await
    }

    /// Runs `work` on a reader, in one snapshot.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.run(&self.readers, Urgency::Person, move |connection| {
            let snapshot = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&snapshot)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        lane: &Lane,
        urgency: Urgency,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(here) = &self.here {
            if let Some(pace) = here.disk.pace() {
                tokio::time::sleep(pace).await;
            }
            let done = work(&mut here.connection.lock().unwrap_or_else(PoisonError::into_inner));
            return heeded(&self.alarm, done);
        }
        let (answer, answered) = oneshot::channel();
        let alarm = self.alarm.clone();
        lane.put(
            urgency,
            Box::new(move |connection| {
                let _ = answer.send(heeded(&alarm, work(connection)));
            }),
        );
        answered.await.unwrap_or(Err(Error::Closed))
    }
}

/// Damage rings the alarm.
fn heeded<T>(alarm: &Alarm, done: Result<T>) -> Result<T> {
    if let Err(error) = &done
        && error.is_damage()
    {
        alarm.ring();
    }
    done
}

fn transact<T>(connection: &mut Connection, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let result = work(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

impl Drop for Db {
    /// Finishes what is queued and closes the connections, so that the file can be opened or deleted afterwards.
    fn drop(&mut self) {
        self.readers.close();
        self.writer.close();
        let here = std::thread::current().id();
        for thread in self.threads.drain(..).rev().filter(|thread| thread.thread().id() != here) {
            let _ = thread.join();
        }
    }
}
