//! The closed set of error codes. The desk's UI, the desk's engine and other clients switch on these and on nothing else;
//! a code is added only when somebody switches on it.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why something was refused or failed. The text form (`snake_case`) is what travels and what catalogs translate.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
            /// A code that a newer peer knows and this build does not.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl Code {
            /// The text form.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* Self::Unknown => "unknown" }
            }
            /// Every code, for catalogs and tests.
            pub const ALL: &'static [Code] = &[$(Self::$name,)* Self::Unknown];
            /// The code with that text form; [`Code::Unknown`] when this build has none.
            pub fn parse(text: &str) -> Self {
                match text { $($text => Self::$name,)* _ => Self::Unknown }
            }
        }
    };
}

codes! {
    /// The request is not what the route accepts.
    BadRequest = "bad_request",
    /// No valid token, or a signature that does not match.
    Unauthorized = "unauthorized",
    /// E-mail or password is wrong.
    BadCredentials = "bad_credentials",
    /// This device was revoked; its data must go.
    DeviceRevoked = "device_revoked",
    /// The member has a second factor: its code or a recovery code is needed too.
    SecondFactorNeeded = "second_factor_needed",
    /// The code of the second factor is wrong, or was used before.
    BadSecondFactor = "bad_second_factor",
    /// The workspace asks for a second factor, and the member has to set one up first.
    SecondFactorRequired = "second_factor_required",
    /// The act is dangerous: the password has to be given again first.
    StepUpNeeded = "step_up_needed",
    /// The password is too short, or known from a breach.
    WeakPassword = "weak_password",
    /// The invitation is not known, was used or taken back, or is too old.
    InvitationInvalid = "invitation_invalid",
    /// The workspace would be left without an admin.
    LastAdmin = "last_admin",
    /// The role does not allow it.
    Forbidden = "forbidden",
    /// No such row in this workspace, or not visible.
    NotFound = "not_found",
    /// The body is larger than the route takes.
    TooLarge = "too_large",
    /// Too many requests; try again later.
    RateLimited = "rate_limited",
    /// The other side speaks another protocol version.
    ProtocolMismatch = "protocol_mismatch",
    /// The cursor cannot be served: snapshot needed.
    ResyncRequired = "resync_required",
    /// An earlier intent that this one builds on has not been accepted.
    Blocked = "blocked",
    /// The value changed meanwhile; the member must choose.
    Conflict = "conflict",
    /// The row is no longer visible to this member.
    OutOfScope = "out_of_scope",
    /// The intent is older than outcomes are kept.
    TooOld = "too_old",
    /// The customer service window is closed: only a template may be sent (meta-platform.md §10).
    WindowClosed = "window_closed",
    /// The customer never wrote here, so no window was ever open.
    WindowNeverOpened = "window_never_opened",
    /// The text is empty.
    EmptyMessage = "empty_message",
    /// The text is longer than the channel takes.
    TextTooLong = "text_too_long",
    /// The contact has no address that this inbox can send to.
    NoAddress = "no_address",
    /// The contact is blocked.
    ContactBlocked = "contact_blocked",
    /// The inbox is disconnected or restricted.
    InboxUnavailable = "inbox_unavailable",
    /// This content cannot be sent on this channel.
    UnsupportedContent = "unsupported_content",
    /// Meta refused the access token.
    MetaAuth = "meta_auth",
    /// Meta refused the message.
    MetaRejected = "meta_rejected",
    /// Meta asked to slow down.
    MetaRateLimited = "meta_rate_limited",
    /// The customer cannot be reached on this channel.
    Undeliverable = "undeliverable",
    /// Whether Meta took the message is not known.
    Unconfirmed = "unconfirmed",
    /// The message was cancelled before it was sent.
    Cancelled = "cancelled",
    /// The server cannot be reached.
    Offline = "offline",
    /// The server answered with a failure of its own.
    ServerFailed = "server_failed",
    /// No OS keyring is there.
    KeyringMissing = "keyring_missing",
    /// The OS keyring is locked.
    KeyringLocked = "keyring_locked",
    /// The OS keyring holds no key, or another key than the one that sealed these files.
    WrongKey = "wrong_key",
    /// A file is damaged.
    StoreDamaged = "store_damaged",
    /// A file was written by a newer Parley than this one.
    StoreNewer = "store_newer",
    /// A file was damaged and made anew; its rows are fetched again from the server.
    StoreRebuilt = "store_rebuilt",
    /// The file of unsent edits was damaged; what was readable was kept.
    OutboxRecovered = "outbox_recovered",
    /// The disk is full or cannot be written.
    DiskFull = "disk_full",
    /// Another Parley has these files open.
    AlreadyOpen = "already_open",
    /// The member is not signed in.
    SignedOut = "signed_out",
    /// The desk is locked: its files are closed and its keys are not in memory.
    Locked = "locked",
    /// The PIN or passphrase is wrong.
    WrongPin = "wrong_pin",
    /// The PIN or passphrase is too short.
    WeakPin = "weak_pin",
    /// The server does not yet keep the key of what is not sent: sending begins when it does.
    NotInCustody = "not_in_custody",
    /// There is nothing left to recover.
    NothingToRecover = "nothing_to_recover",
    /// The person was erased; what was to be sent to them is gone.
    SubjectErased = "subject_erased",
    /// The device policy would break a promise, or a number in it is out of bounds.
    PolicyInvalid = "policy_invalid",
    /// A defect: report it.
    Internal = "internal",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_an_unknown_code_survives() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), *code);
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{}\"", code.as_str()));
        }
        let newer: Code = serde_json::from_str("\"from_the_future\"").unwrap();
        assert_eq!(newer, Code::Unknown);
    }
}
