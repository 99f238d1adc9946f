//! Known defects that a simulation puts into a debug build at run time, to prove that it would find them (docs/TESTING.md).
//!
//! Promise: a release build has no switch, and every question is answered "no" at compile time. At most one defect is in at a
//! time, for the whole process; without a call of [`plant`] there is none.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU8, Ordering};

macro_rules! bugs {
    ($($name:ident: $text:literal, $what:literal;)*) => {
        /// The list of defects.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Bug {
            $(#[doc = $what] $name,)*
        }

        impl Bug {
            /// Every one.
            pub const ALL: &'static [Bug] = &[$(Bug::$name),*];

            /// Its name on the command line.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Bug::$name => $text,)*
                }
            }

            /// What is wrong with it in.
            pub fn what(self) -> &'static str {
                match self {
                    $(Bug::$name => $what,)*
                }
            }
        }
    };
}

bugs! {
    AckBeforeCommit: "ack-before-commit", "a webhook is answered before its body is committed";
    CursorPlusOne: "cursor-plus-one", "a pull's cursor stands one behind the last change that it looked at";
    DedupeDropped: "dedupe-dropped", "a repeated webhook is applied again";
    RetryOnTimeout: "retry-on-timeout", "a send whose fate is unknown is sent again";
    CrashResends: "crash-resends", "what was in hand when the server died is sent again";
    LaneIgnored: "lane-ignored", "a message does not wait for an earlier one to the same customer";
    StatusRegress: "status-regress", "a late status moves a delivery back";
    EvidenceIgnored: "evidence-ignored", "a status that names a message by its opaque text moves nothing";
    IntentAppliedTwice: "intent-applied-twice", "a repeated intent is carried out again";
    OutcomeWithoutRows: "outcome-without-rows", "a pull brings an outcome without the rows that the intent wrote";
    OutcomeForgotten: "outcome-forgotten", "a pull does not bring outcomes";
    ScopeLeakOnReassign: "scope-leak-on-reassign", "a conversation that is given to a colleague does not go out of sight";
    EpochNotRaised: "epoch-not-raised", "a change of inbox membership leaves cursors valid";
    PokeWithoutPermission: "poke-without-permission", "every socket of the workspace is poked";
    RefreshGraceDropped: "refresh-grace-dropped", "a refresh whose answer was lost cannot be repeated";
    ReadMarkRegress: "read-mark-regress", "a late read mark moves the mark back";
    LabelsOverwritten: "labels-overwritten", "added labels replace those that are there";
    OverlayDroppedEarly: "overlay-dropped-early", "an edit is dropped on the push answer, before a pull brought its rows";
    NewIdOnRetry: "new-id-on-retry", "a push that failed is repeated under new ids";
    EditNotDurable: "edit-not-durable", "an edit is shown before it is on the disk";
    GoneIgnored: "gone-ignored", "the desk keeps what went out of sight";
    EnterIgnored: "enter-ignored", "the desk does not fetch what came into sight";
    PermissionNotHidden: "permission-not-hidden", "what a new permission excludes stays visible until the snapshot ends";
    SettledForgotten: "settled-forgotten", "an outcome that was applied before a crash is not carried out after it";
}

#[cfg(debug_assertions)]
static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Puts a defect in, or takes it out.
#[cfg(debug_assertions)]
pub fn plant(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u8 + 1), Ordering::SeqCst);
}

/// Whether this defect is in.
#[cfg(debug_assertions)]
pub fn planted(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) == bug as u8 + 1
}

/// A release build has none.
#[cfg(not(debug_assertions))]
pub const fn planted(_: Bug) -> bool {
    false
}
