//! What a webhook says, in the domain's types. Anything that the types do not carry stands in [`Item::raw_part`].

use std::fmt;

use parley_domain::contact::Sender;
use parley_domain::content::{Content, OrderLine, SystemEvent};
use parley_domain::{Bsuid, MessageText, Phone, PhoneNumberId, Timestamp, WabaId, Wamid};
use serde_json::value::RawValue;

/// One element of a webhook body: the unit that is applied, retried and dead-lettered by itself.
#[derive(Clone)]
pub struct Item {
    /// Place in the body, counted from zero over everything in it. The same body always gives the same places.
    pub index: u32,
    /// The WhatsApp business account that the entry names; `None` for pages and Instagram.
    pub waba: Option<WabaId>,
    /// The business number it belongs to; management fields often lack it.
    pub phone_number_id: Option<PhoneNumberId>,
    /// The business number as shown to people, digits. On management fields it is often the only hint at the number.
    pub display_phone: Option<Phone>,
    /// `entry[].time`, which management fields have.
    pub entry_time: Option<Timestamp>,
    /// What it says.
    pub fact: Fact,
    /// The element as it came, to the byte. Personal data: not in `Debug`.
    pub raw_part: Box<RawValue>,
    /// Natural key of a management event, where Meta gives one.
    pub(super) management_key: Option<String>,
}

impl Item {
    /// The natural key under which Meta's repeats of this element are recognised (meta-platform.md §4.3): number, message id
    /// and type; for a status its state and participant. Case matters. `None` where Meta gives nothing to go by. A status of
    /// another kind of thing (a payment) has its kind in the state. May hold an id of a person: hash it before it is kept.
    pub fn dedupe_key(&self) -> Option<String> {
        let number = self.phone_number_id.as_ref().map_or("", PhoneNumberId::as_str);
        match &self.fact {
            Fact::Message(message) => Some(format!("message|{number}|{}|{}", message.wamid.0, message.reported_type)),
            Fact::Status(status) => {
                let state = status.state.as_str();
                Some(format!("status|{number}|{}|{state}|{}", status.wamid.0, status.group_member().unwrap_or("")))
            }
            Fact::Management { .. } => self.management_key.clone(),
            Fact::Error(_) | Fact::Unreadable { .. } => None,
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("index", &self.index)
            .field("waba", &self.waba)
            .field("phone_number_id", &self.phone_number_id)
            .field("fact", &self.fact)
            .finish_non_exhaustive()
    }
}

/// What one element says.
#[derive(Clone, PartialEq, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every item is a message; a box would cost each one an allocation"
)]
pub enum Fact {
    /// A customer wrote.
    Message(InboundMessage),
    /// One of our messages got on, or failed.
    Status(StatusUpdate),
    /// Any other webhook field (templates, account, calls, history, echoes, other channels), for WhatsApp by Meta's name of
    /// the field, for pages and Instagram as `page.messaging.message`. The content is in [`Item::raw_part`].
    Management {
        /// Meta's name of the field.
        field: String,
    },
    /// A problem of the number or account, reported beside messages (`value.errors[]`).
    Error(MetaError),
    /// An element that is not what its place promises. It is kept raw; the reason holds no personal data.
    Unreadable {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// A message from a customer.
#[derive(Clone, PartialEq, Debug)]
pub struct InboundMessage {
    pub wamid: Wamid,
    /// Meta's `type`, unchanged.
    pub reported_type: String,
    /// Meta's time, one second resolution: never an ordering key by itself.
    pub at: Timestamp,
    /// Who wrote, joined with `contacts[]` by id. For an [`InboundContent::IdentityChange`]: who they were until now.
    pub sender: Sender,
    pub content: InboundContent,
    pub context: Option<ReplyContext>,
    /// The advertisement or post that led here.
    pub referral: Option<Referral>,
    /// The group's id for group messages.
    pub group: Option<String>,
    /// What Meta says is wrong with it: 131051 unsupported, 131052 media too big, 131060 only on the phone.
    pub errors: Vec<MetaError>,
}

/// What a message says; what names another message by its wamid is left for the receiver to resolve.
#[derive(Clone, PartialEq, Debug)]
pub enum InboundContent {
    /// Complete in itself.
    Plain(Content),
    /// An emoji on an earlier message; `None` takes it back.
    Reaction { to: Wamid, emoji: Option<String> },
    /// A cart. A price that is no plain decimal is zero; the business prices it again anyway (meta-platform.md §14).
    Order { catalog: Option<String>, lines: Vec<OrderLine>, text: Option<MessageText> },
    /// The customer changed an earlier message into this.
    Edit { original: Wamid, content: Content },
    /// The customer took an earlier message back.
    Revoke { original: Wamid },
    /// The customer's phone, user id or device key changed.
    IdentityChange(IdentityChange),
}

/// How a customer's identity changed (meta-platform.md §3.3). Each id may be missing.
#[derive(Clone, PartialEq, Debug)]
pub struct IdentityChange {
    /// `NumberChanged`, `UserIdChanged` or `IdentityChanged`.
    pub kind: SystemEvent,
    /// The new phone.
    pub wa_id: Option<Phone>,
    /// The new BSUID.
    pub user_id: Option<Bsuid>,
    pub parent_user_id: Option<Bsuid>,
    pub previous_user_id: Option<Bsuid>,
    pub previous_parent_user_id: Option<Bsuid>,
    /// Meta's sentence about it; names and numbers stand in it.
    pub detail: Option<MessageText>,
}

/// What a message refers to (meta-platform.md §3.2).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReplyContext {
    /// The message answered; absent on a forwarded one.
    pub wamid: Option<Wamid>,
    /// Forwarded, once or often.
    pub forwarded: bool,
    pub frequently_forwarded: bool,
    /// The product that the customer asks about.
    pub referred_product: Option<ReferredProduct>,
}

/// A product of a catalog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferredProduct {
    pub catalog: Option<String>,
    pub sku: String,
}

/// Where the customer came from. A candidate for a free entry point (meta-platform.md §10).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Referral {
    /// `ad`, `post` or later kinds.
    pub source_type: Option<String>,
    pub source_id: Option<String>,
    pub source_url: Option<String>,
    pub headline: Option<MessageText>,
    pub body: Option<MessageText>,
    /// `image`, `video` or later kinds.
    pub media_type: Option<String>,
    /// Image or video, whichever is given.
    pub media_url: Option<String>,
    pub thumbnail_url: Option<String>,
    /// Click id; absent for ads in WhatsApp Status.
    pub ctwa_clid: Option<String>,
    /// The greeting that the ad showed.
    pub welcome: Option<MessageText>,
}

/// One status of one of our messages (meta-platform.md §4).
#[derive(Clone, PartialEq, Debug)]
pub struct StatusUpdate {
    pub wamid: Wamid,
    pub state: ReportedState,
    pub at: Timestamp,
    pub recipient_user_id: Option<Bsuid>,
    pub recipient_phone: Option<Phone>,
    /// The recipient with everything `contacts[]` adds. For a group: the member that this status is about, or nobody.
    pub recipient: Sender,
    /// The group's id, when it was sent to a group.
    pub group: Option<String>,
    /// Our `biz_opaque_callback_data`, as sent.
    pub opaque: Option<String>,
    pub errors: Vec<MetaError>,
    pub pricing: Option<Pricing>,
}

impl StatusUpdate {
    /// The id of the group member that it is about; `None` for a message to one person.
    fn group_member(&self) -> Option<&str> {
        self.group.as_ref()?;
        let bsuid = self.recipient.bsuid.as_ref().map(Bsuid::expose);
        bsuid.or_else(|| self.recipient.phone.as_ref().map(Phone::expose))
    }
}

/// How far Meta says one of our messages is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReportedState {
    Sent,
    Delivered,
    Read,
    Played,
    Failed,
    /// Anything else, as written; for a status that is not about a message (`type: payment`) with that type before it, as
    /// `payment.failed`, so that it never moves a message.
    Other(String),
}

impl ReportedState {
    /// Meta's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
            Self::Other(word) => word,
        }
    }
}

/// An error as Meta reports it in a webhook. Long numbers and user ids are removed from the texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetaError {
    /// Meta's code; zero when it could not be read.
    pub code: i64,
    pub title: Option<String>,
    pub details: Option<String>,
}

/// What Meta charges for (meta-platform.md §4, §10); words as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pricing {
    /// `service`, `utility`, `marketing` and others.
    pub category: Option<String>,
    /// `regular`, `free_customer_service`, `free_entry_point`.
    pub kind: Option<String>,
    /// Being retired by Meta: category and kind decide.
    pub billable: Option<bool>,
}
