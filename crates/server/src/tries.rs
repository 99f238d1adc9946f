//! Holding sign-in back: after [`SIGN_IN_TRIES`] wrong tries of one e-mail address, or from one network address, everything
//! about it is refused for [`SIGN_IN_HELD_BACK`] — for addresses that nobody has, too.
//!
//! Promise: a try is counted before the password is looked at, so that many at once are counted as many. The counts stand in
//! the database, under keyed hashes.

use std::net::IpAddr;

use parley_domain::limits::{SIGN_IN_HELD_BACK, SIGN_IN_TRIES};
use parley_domain::{Code, Timestamp};

use crate::app::Core;
use crate::db::{Txn, transaction, tries};
use crate::error::{Error, Result};

/// What a try is counted under.
#[derive(Clone, Debug)]
pub struct Subjects {
    member: String,
    address: Option<String>,
}

impl Subjects {
    /// For an e-mail address, lowercased, and a network address.
    pub fn of(core: &Core, email: &str, from: Option<IpAddr>) -> Self {
        Self {
            member: core.keys.dedupe_hash(&format!("try|member|{email}")),
            address: from.map(|from| core.keys.dedupe_hash(&format!("try|address|{}", network(from)))),
        }
    }

    /// In the order in which they are locked.
    fn all(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.member).chain(&self.address)
    }
}

/// The address; of IPv6 the half that one household or company is given.
fn network(from: IpAddr) -> String {
    match from.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

/// Counts a try as wrong, until [`passed`] or [`give_back`] says otherwise.
///
/// # Errors
/// [`Code::RateLimited`] when there were too many.
pub async fn take(core: &Core, subjects: &Subjects) -> Result<()> {
    transaction!(core.db, |txn| count(&txn, subjects, core.now()))
}

async fn count(txn: &Txn, subjects: &Subjects, now: Timestamp) -> Result<()> {
    for subject in subjects.all() {
        let known = tries::lock(txn, subject).await?;
        let recent = now.since(known.at) < SIGN_IN_HELD_BACK;
        if recent && known.wrong >= u64::from(SIGN_IN_TRIES) {
            return Err(Error::Wait(Code::RateLimited, SIGN_IN_HELD_BACK - now.since(known.at)));
        }
        let wrong = if recent { crate::db::rows::whole(known.wrong) + 1 } else { 1 };
        tries::set(txn, subject, wrong, now).await?;
    }
    Ok(())
}

/// The try was neither right nor wrong.
pub async fn give_back(core: &Core, subjects: &Subjects) -> Result<()> {
    transaction!(core.db, |txn| take_back(&txn, subjects, false))
}

/// The try was right: the member's wrong ones are forgotten; those of the network address are others' too, and stay.
pub async fn passed(core: &Core, subjects: &Subjects) -> Result<()> {
    transaction!(core.db, |txn| take_back(&txn, subjects, true))
}

async fn take_back(txn: &Txn, subjects: &Subjects, passed: bool) -> Result<()> {
    if passed {
        tries::forget(txn, &subjects.member).await?;
    } else {
        tries::give_back(txn, &subjects.member).await?;
    }
    match &subjects.address {
        Some(address) => tries::give_back(txn, address).await,
        None => Ok(()),
    }
}
