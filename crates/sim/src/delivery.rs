//! Delivers webhooks: signs, posts, and repeats until each body was answered 200 (`meta-platform.md` §1.3).
//!
//! Promise: an event is gone only after a 200. A dead receiver gets everything later; a held platform sends nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::batch;
use crate::clock::tick;
use crate::config::{FaultPlan, SimConfig};
use crate::event::Event;
use crate::ids;
use crate::wire;

/// What the delivery has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Events raised.
    pub events: u64,
    /// Bodies posted, every try counted.
    pub posts: u64,
    /// Bodies answered 200.
    pub answered: u64,
    /// Tries that were not answered 200.
    pub failed_tries: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    url: Option<String>,
    held: bool,
    retry_now: bool,
    counts: Counts,
}

/// Events on their way out.
#[derive(Debug)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    wake: Notify,
    outstanding: watch::Sender<usize>,
}

impl Queue {
    /// An empty queue towards `url`.
    pub fn new(url: Option<String>) -> Self {
        Self {
            waiting: Mutex::new(Waiting { url, ..Waiting::default() }),
            wake: Notify::new(),
            outstanding: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raises an event.
    pub fn push(&self, event: Event) {
        let mut waiting = self.lock();
        waiting.events.push_back(event);
        waiting.counts.events += 1;
        self.outstanding.send_modify(|n| *n += 1);
        drop(waiting);
        self.wake.notify_one();
    }

    /// Counts something that will raise an event later, so that [`Queue::drained`] waits for it.
    pub fn expect_later(&self) {
        self.outstanding.send_modify(|n| *n += 1);
    }

    /// Takes back one [`Queue::expect_later`].
    pub fn no_longer_expected(&self) {
        self.outstanding.send_modify(|n| *n = n.saturating_sub(1));
    }

    /// Takes every event out, for somebody who delivers them in another way.
    pub fn take(&self) -> Vec<Event> {
        let events: Vec<Event> = self.lock().events.drain(..).collect();
        self.outstanding.send_modify(|n| *n = n.saturating_sub(events.len()));
        events
    }

    /// Points the webhook elsewhere; what waits is tried at once.
    pub fn set_url(&self, url: Option<String>) {
        let mut waiting = self.lock();
        waiting.url = url;
        waiting.retry_now = true;
        drop(waiting);
        self.wake.notify_one();
    }

    /// The webhook url.
    pub fn url(&self) -> Option<String> {
        self.lock().url.clone()
    }

    /// Stops or resumes posting. Bodies already in flight go on.
    pub fn hold(&self, on: bool) {
        let mut waiting = self.lock();
        waiting.held = on;
        waiting.retry_now = true;
        drop(waiting);
        self.wake.notify_one();
    }

    /// Whether posting is stopped.
    pub fn held(&self) -> bool {
        self.lock().held
    }

    /// Events and bodies not yet answered 200.
    pub fn pending(&self) -> usize {
        *self.outstanding.borrow()
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Returns when nothing is pending.
    pub async fn drained(&self) {
        let mut outstanding = self.outstanding.subscribe();
        // The sender lives in self, so this can only end by reaching zero.
        let _ = outstanding.wait_for(|n| *n == 0).await;
    }
}

struct Body {
    bytes: Arc<Vec<u8>>,
    tries: u32,
    due: Instant,
}

/// The delivery task; ends only by being aborted.
pub async fn run(config: Arc<SimConfig>, queue: Arc<Queue>, client: reqwest::Client) {
    let mut rng = ids::webhook_randomness(config.seed);
    let faults = &config.faults;
    let mut bodies: VecDeque<Body> = VecDeque::new();
    let mut flying: JoinSet<(Body, bool)> = JoinSet::new();
    loop {
        let (url, retry_now, some_new) = {
            let mut waiting = queue.lock();
            let url = if waiting.held { None } else { waiting.url.clone() };
            (url, std::mem::take(&mut waiting.retry_now), !waiting.events.is_empty())
        };
        if retry_now {
            bodies.iter_mut().for_each(|body| body.due = tick());
        }
        if let Some(url) = &url {
            if some_new {
                if faults.linger_ms > 0 {
                    tokio::time::sleep(Duration::from_millis(faults.linger_ms)).await;
                }
                take_events(&queue, &config, &mut rng, &mut bodies);
            }
            while flying.len() < faults.concurrency.max(1) {
                let now = tick();
                let Some(at) = bodies.iter().position(|body| body.due <= now) else { break };
                let Some(body) = bodies.remove(at) else { break };
                queue.lock().counts.posts += 1;
                flying.spawn(post(client.clone(), url.clone(), wire::signature(&config.app_secret, &body.bytes), body));
            }
        }
        let room = url.is_some() && flying.len() < faults.concurrency.max(1);
        let next_due = if room { bodies.iter().map(|body| body.due).min() } else { None };
        tokio::select! {
            () = queue.wake.notified() => {}
            Some(done) = flying.join_next(), if !flying.is_empty() => landed(&queue, faults, &mut bodies, done),
            () = tokio::time::sleep_until(next_due.unwrap_or_else(tick)), if next_due.is_some() => {}
        }
    }
}

fn take_events(queue: &Queue, config: &SimConfig, rng: &mut rand_chacha::ChaCha8Rng, bodies: &mut VecDeque<Body>) {
    let events: Vec<Event> = queue.lock().events.drain(..).collect();
    let taken = events.len();
    let planned = batch::plan(rng, &config.faults, config, events);
    let now = tick();
    // One step, so that nobody sees zero between the events leaving and their bodies coming.
    queue.outstanding.send_modify(|n| *n = n.saturating_sub(taken) + planned.len());
    bodies.extend(planned.into_iter().map(|one| Body {
        bytes: Arc::new(wire::render(&one.body)),
        tries: 0,
        due: now + Duration::from_millis(one.delay_ms),
    }));
}

fn landed(
    queue: &Queue,
    faults: &FaultPlan,
    bodies: &mut VecDeque<Body>,
    done: Result<(Body, bool), tokio::task::JoinError>,
) {
    let Ok((mut body, answered)) = done else { return };
    let mut waiting = queue.lock();
    if answered {
        waiting.counts.answered += 1;
        drop(waiting);
        // The receiver lives: what waits only because it was dead need not wait longer.
        bodies.iter_mut().filter(|other| other.tries > 0).for_each(|other| other.due = tick());
        queue.outstanding.send_modify(|n| *n = n.saturating_sub(1));
    } else {
        waiting.counts.failed_tries += 1;
        let wait = faults.retry_first.saturating_mul(1 << body.tries.min(16)).min(faults.retry_max);
        body.tries += 1;
        body.due = tick() + wait;
        bodies.push_back(body);
    }
}

async fn post(client: reqwest::Client, url: String, signature: String, body: Body) -> (Body, bool) {
    let request = client
        .post(&url)
        .header("content-type", "application/json")
        .header("user-agent", "facebookexternalua")
        .header("x-hub-signature-256", signature)
        .body(body.bytes.as_ref().clone());
    let answered = match request.send().await {
        Ok(answer) => answer.status().as_u16() == 200,
        Err(_) => false,
    };
    (body, answered)
}
