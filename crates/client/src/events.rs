//! What the window is told. Lists and connection change many times a second while syncing: they are told at most four times
//! a second, the first at once. Everything else is told at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

use crate::views::Event;

const EVERY: Duration = Duration::from_millis(250);
/// A window that is further behind than this asks for everything again.
const BUFFER: usize = 1_024;

/// Sends events to every subscriber.
#[derive(Clone)]
pub struct Emitter {
    channel: broadcast::Sender<Event>,
    slow: Arc<[Slow; 3]>,
}

struct Slow {
    event: Event,
    stale: AtomicBool,
    ready: Arc<Notify>,
}

impl Drop for Slow {
    /// The last emitter is gone: its task looks, and ends.
    fn drop(&mut self) {
        self.ready.notify_one();
    }
}

impl Emitter {
    /// An emitter whose slow events run in the present runtime, until the emitter is dropped.
    pub fn start() -> Self {
        let slow = |event| Slow { event, stale: AtomicBool::new(false), ready: Arc::default() };
        let emitter = Self {
            channel: broadcast::channel(BUFFER).0,
            slow: Arc::new([slow(Event::Lists), slow(Event::Connection), slow(Event::Board)]),
        };
        for place in 0..3 {
            let (channel, slow) = (emitter.channel.clone(), Arc::downgrade(&emitter.slow));
            tokio::spawn(async move {
                while let Some(all) = slow.upgrade() {
                    let Some(own) = all.get(place) else { return };
                    if own.stale.swap(false, Ordering::AcqRel) {
                        let _ = channel.send(own.event.clone());
                        drop(all);
                        tokio::time::sleep(EVERY).await;
                    } else {
                        let ready = own.ready.clone();
                        drop(all);
                        ready.notified().await;
                    }
                }
            });
        }
        emitter
    }

    /// Listens.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.channel.subscribe()
    }

    /// Tells the window.
    pub fn send(&self, event: Event) {
        match self.slow.iter().find(|slow| slow.event == event) {
            Some(slow) => {
                slow.stale.store(true, Ordering::Release);
                slow.ready.notify_one();
            }
            // Nobody listens: nobody shows anything stale.
            None => {
                let _ = self.channel.send(event);
            }
        }
    }
}
