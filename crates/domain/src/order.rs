//! Orders and the pipelines they move through.
//!
//! An order has two axes apart from its stage: fulfilment and payment. A message from the catalog becomes a draft; prices are
//! what the customer saw and are checked by the business (meta-platform.md §14).

use serde::{Deserialize, Serialize};

use crate::{ContactId, ConversationId, IntentId, OrderId, OrderItemId, PipelineId, StageId, Timestamp};

/// A board of stages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Pipeline {
    pub id: PipelineId,
    pub name: String,
}

/// One column of a pipeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Stage {
    pub id: StageId,
    pub pipeline: PipelineId,
    pub name: String,
    /// Place from the left, starting at zero.
    pub place: u32,
    /// Orders here are finished, well or badly.
    pub closed: bool,
}

/// How far the goods are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Fulfilment {
    Draft,
    Confirmed,
    Shipped,
    Delivered,
    Cancelled,
}

/// How far the money is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Payment {
    Unpaid,
    Pending,
    Paid,
    Refunded,
}

/// What a customer ordered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Order {
    pub id: OrderId,
    pub contact: ContactId,
    pub conversation: ConversationId,
    /// Short number for people, counted per workspace.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub number: u64,
    pub stage: StageId,
    /// The intent that put it into `stage`; lets the server tell this device's own earlier move from a colleague's.
    pub stage_by: Option<IntentId>,
    pub fulfilment: Fulfilment,
    pub payment: Payment,
    /// ISO 4217.
    pub currency: String,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub total_minor: i64,
    pub placed_at: Timestamp,
    /// When it came into its stage.
    pub staged_at: Timestamp,
}

/// One line of an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OrderItem {
    pub id: OrderItemId,
    pub order: OrderId,
    pub place: u32,
    pub sku: String,
    /// From the catalog, when known.
    pub name: Option<String>,
    pub quantity: u32,
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub price_minor: i64,
}

/// Sum of the lines in minor units, saturating.
pub fn total_minor<'a>(items: impl IntoIterator<Item = (&'a u32, &'a i64)>) -> i64 {
    items
        .into_iter()
        .fold(0i64, |sum, (quantity, price)| sum.saturating_add(price.saturating_mul(i64::from(*quantity))))
}
