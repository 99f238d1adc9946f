//! How much may be asked of this server, and by whom: the one place that refuses with `rate_limited`.
//!
//! Promise: every request but Meta's webhooks is counted against the network address that it came from before anything else is
//! looked at ([`by_address`]), and every request with a token against its device and its workspace ([`Quota::session`]); what is
//! over is refused with 429 and the time after which it is worth another try, and costs nobody else anything. A webhook is
//! refused when it cannot be stored, and for no other reason: Meta would only send it again. Numbers stand in
//! [`parley_domain::limits`] and can be set in the configuration. The clock is the server's own.
//!
//! Counts are this process's: several nodes allow the sum of theirs.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as Ticks, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota as Bucket, RateLimiter};
use parley_domain::limits::Rate;
use parley_domain::protocol::endpoint::{Admits, Backfill, Endpoint, Outcomes, Pull, Push, ROUTES, Snapshot};
use parley_domain::{Clock, Code, DeviceId, MemberId, Timestamp, WorkspaceId};
use tokio::sync::Notify;

use super::auth::address;
use super::problem::Refusal;
use crate::app::Core;
use crate::config::Limits;
use crate::error::{Error, Result};
use crate::session::WorkspaceCtx;

/// Where Meta's webhooks come in.
pub const WEBHOOKS: &str = "/webhooks/";

/// Time that never goes back: the clock's steps forward, added up.
#[derive(Clone)]
struct Elapsed {
    clock: Arc<dyn Clock>,
    /// What the clock showed last, and milliseconds counted so far.
    seen: Arc<Mutex<(Timestamp, u64)>>,
}

impl Ticks for Elapsed {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let now = self.clock.now();
        // Nothing can fail while it is held.
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.1 += u64::try_from(now.since(seen.0)).unwrap_or(0);
        seen.0 = now;
        Nanos::new(seen.1.saturating_mul(1_000_000))
    }
}

/// One rate, counted for each key by itself.
struct Keyed<K: Hash + Eq + Clone>(RateLimiter<K, DashMapStateStore<K>, Elapsed, NoOpMiddleware<Nanos>>, Elapsed);

impl<K: Hash + Eq + Clone> Keyed<K> {
    fn new(rate: Rate, time: &Elapsed) -> Self {
        let bucket = Bucket::per_second(rate.per_second).allow_burst(rate.burst);
        Self(RateLimiter::new(bucket, DashMapStateStore::default(), time.clone()), time.clone())
    }

    fn take(&self, key: &K) -> Result<()> {
        self.0.check_key(key).map_err(|until| {
            let wait = until.earliest_possible().duration_since(self.1.now()).as_u64();
            Error::Wait(Code::RateLimited, i64::try_from(wait.div_ceil(1_000_000)).unwrap_or(i64::MAX))
        })
    }

    fn forget(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

/// Open sockets: those of a device, oldest first, and how many a member has.
#[derive(Default)]
struct Sockets {
    of_device: HashMap<DeviceId, VecDeque<(u64, Arc<Notify>)>>,
    of_member: HashMap<MemberId, usize>,
    opened: u64,
}

/// The counts of one server.
pub struct Quota {
    limits: Limits,
    address: Keyed<IpAddr>,
    stranger: Keyed<IpAddr>,
    workspace: Keyed<WorkspaceId>,
    sync: Keyed<DeviceId>,
    push: Keyed<DeviceId>,
    other: Keyed<DeviceId>,
    sockets: Mutex<Sockets>,
}

impl Quota {
    /// Nothing was asked yet.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let time = Elapsed { seen: Arc::new(Mutex::new((clock.now(), 0))), clock };
        Self {
            limits,
            address: Keyed::new(limits.address, &time),
            stranger: Keyed::new(limits.stranger, &time),
            workspace: Keyed::new(limits.workspace, &time),
            sync: Keyed::new(limits.sync, &time),
            push: Keyed::new(limits.push, &time),
            other: Keyed::new(limits.other, &time),
            sockets: Mutex::default(),
        }
    }

    /// Counts a request that its token was good for.
    ///
    /// # Errors
    /// [`Code::RateLimited`] with the milliseconds to wait. A device that is over its own rate costs its workspace nothing.
    pub fn session(&self, path: &str, ctx: &WorkspaceCtx) -> Result<()> {
        let of_device = match path {
            Push::PATH => &self.push,
            Pull::PATH | Snapshot::PATH | Backfill::PATH | Outcomes::PATH => &self.sync,
            _ => &self.other,
        };
        of_device.take(&ctx.device())?;
        self.workspace.take(&ctx.workspace())
    }

    /// Counts a request from an address.
    fn arrival(&self, path: &str, from: Option<IpAddr>) -> Result<()> {
        let from = network(from);
        self.address.take(&from)?;
        let open = ROUTES.iter().any(|route| route.path == path && route.admits == Admits::Anyone);
        if open { self.stranger.take(&from) } else { Ok(()) }
    }

    /// Takes a place among the open sockets of a device and its member. A device that has too many loses its oldest: that one
    /// may be of a connection which died unheard.
    ///
    /// # Errors
    /// [`Code::RateLimited`]: the member has as many as a member may have.
    pub fn socket(self: &Arc<Self>, ctx: &WorkspaceCtx) -> Result<SocketPlace> {
        let mut sockets = self.sockets();
        let oldest = sockets.of_device.get(&ctx.device()).filter(|open| open.len() >= self.limits.sockets_of_device);
        if let Some((_, close)) = oldest.and_then(VecDeque::front) {
            close.notify_one();
        } else if sockets.of_member.get(&ctx.member()).is_some_and(|open| *open >= self.limits.sockets_of_member) {
            return Err(Error::Wait(Code::RateLimited, 30_000));
        }
        sockets.opened += 1;
        let place = SocketPlace {
            quota: self.clone(),
            device: ctx.device(),
            member: ctx.member(),
            number: sockets.opened,
            closed: Arc::new(Notify::new()),
        };
        let of_device = sockets.of_device.entry(place.device).or_default();
        if of_device.len() >= self.limits.sockets_of_device {
            of_device.pop_front();
        }
        of_device.push_back((place.number, place.closed.clone()));
        *sockets.of_member.entry(place.member).or_default() += 1;
        Ok(place)
    }

    /// Forgets whoever has not asked lately; without it the tables would grow with every address that ever asked.
    pub fn forget(&self) {
        self.address.forget();
        self.stranger.forget();
        self.workspace.forget();
        self.sync.forget();
        self.push.forget();
        self.other.forget();
    }

    fn sockets(&self) -> std::sync::MutexGuard<'_, Sockets> {
        // Nothing can fail while it is held.
        self.sockets.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The place of one open socket; given back when it is dropped.
pub struct SocketPlace {
    quota: Arc<Quota>,
    device: DeviceId,
    member: MemberId,
    number: u64,
    closed: Arc<Notify>,
}

impl SocketPlace {
    /// Ends when a newer socket of the device took the place.
    pub async fn lost(&self) {
        self.closed.notified().await;
    }
}

impl Drop for SocketPlace {
    fn drop(&mut self) {
        let mut sockets = self.quota.sockets();
        if let Some(open) = sockets.of_device.get_mut(&self.device) {
            open.retain(|(number, _)| *number != self.number);
            if open.is_empty() {
                sockets.of_device.remove(&self.device);
            }
        }
        if let Some(open) = sockets.of_member.get_mut(&self.member) {
            *open -= 1;
            if *open == 0 {
                sockets.of_member.remove(&self.member);
            }
        }
    }
}

/// Counts every request but Meta's against the address that it came from.
pub async fn by_address(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.starts_with(WEBHOOKS) {
        let from = address(request.headers(), request.extensions(), &core);
        if let Err(error) = core.quota.arrival(path, from) {
            return Refusal::from(error).into_response();
        }
    }
    next.run(request).await
}

/// What counts as one address: of IPv6 the first 64 bits, as a household has all below them; all that name none are one.
fn network(from: Option<IpAddr>) -> IpAddr {
    match from.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        Some(address) => address,
        None => Ipv4Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use parley_domain::time::ManualClock;

    use super::*;

    fn waits(result: Result<()>) -> Option<i64> {
        match result {
            Ok(()) => None,
            Err(Error::Wait(Code::RateLimited, milliseconds)) => Some(milliseconds),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn each_address_has_its_own_count_and_gets_its_next_try_in_time() {
        let clock = Arc::new(ManualClock::at(Timestamp(1_790_000_000_000)));
        let limits = Limits { stranger: Rate::new(2, 3), ..Limits::default() };
        let quota = Quota::new(limits, clock.clone());
        let (one, two): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let ask = |from: IpAddr| waits(quota.arrival("/v1/session/sign-in", Some(from)));
        assert_eq!([ask(one), ask(one), ask(one)], [None; 3]);
        assert_eq!(ask(one), Some(500));
        assert_eq!(ask(two), None);
        assert_eq!(waits(quota.arrival("/v1/sync/pull", Some(one))), None, "with a token other counts hold");
        clock.advance(499);
        assert_eq!(ask(one), Some(1));
        clock.advance(1);
        assert_eq!(ask(one), None);
        clock.advance(-3_600_000);
        assert_eq!(ask(one), Some(500), "a clock that is set back");
        clock.advance(500);
        assert_eq!(ask(one), None, "does not hold anybody back for longer");
        clock.advance(60_000);
        quota.forget();
        assert_eq!(quota.stranger.0.len(), 0);
    }

    #[test]
    fn a_household_of_ipv6_is_one_address_and_a_mapped_address_is_what_it_maps() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
    }
}
