//! Customer stories, shared by the demo and the tests.
//!
//! Promise: a story is plain text in a list; playing it raises the same events in the same order for each customer.

use std::time::Duration;

use crate::customer::{Customer, OrderItem};
use crate::sim::MetaSim;

/// The catalog that the stories order from.
pub const CATALOG_ID: &str = "194800000000001";

/// What a customer does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Writes.
    Says(String),
    /// Sends a picture.
    Image(Option<String>),
    /// Sends a cart.
    Orders {
        /// The lines.
        items: Vec<OrderItem>,
        /// The note that goes with them.
        text: String,
    },
    /// Reacts to the last message that reached them.
    Reacts(String),
    /// Answers the last message that reached them, quoting it.
    Quotes(String),
    /// Shares a place.
    Location {
        /// Degrees north.
        latitude: f64,
        /// Degrees east.
        longitude: f64,
        /// Its name.
        name: String,
    },
}

/// When a step happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// This long after the previous step.
    After(Duration),
    /// This long after the next answer of the business; each answer serves one such step.
    AfterAnswer(Duration),
}

/// One customer and what they do.
#[derive(Debug, Clone)]
pub struct Story {
    /// Profile name.
    pub name: &'static str,
    /// With plus; some have none.
    pub phone: Option<&'static str>,
    /// With `@`; some have none.
    pub username: Option<&'static str>,
    /// Country of the account.
    pub country: &'static str,
    /// In order.
    pub steps: Vec<(When, Act)>,
}

impl Story {
    /// The customer of this story.
    #[must_use]
    pub fn customer(&self, sim: &MetaSim) -> Customer {
        sim.customer_in(self.country, self.name, self.phone, self.username)
    }
}

fn after(ms: u64) -> When {
    When::After(Duration::from_millis(ms))
}

fn answered(ms: u64) -> When {
    When::AfterAnswer(Duration::from_millis(ms))
}

fn says(text: &str) -> Act {
    Act::Says(text.into())
}

/// The people of the demo.
#[must_use]
pub fn demo_stories() -> Vec<Story> {
    vec![
        Story {
            name: "Ananya Mehta",
            phone: Some("+91 98200 41876"),
            username: None,
            country: "IN",
            steps: vec![
                (
                    after(400),
                    says("Hi! I saw the brass reading lamps at a friend's place in Bandra. Do you ship to Mumbai?"),
                ),
                (after(2_500), says("I would need two of them before Diwali 🪔")),
                (
                    answered(2_000),
                    Act::Orders {
                        items: reading_lamps(),
                        text: "Two brass reading lamps and a spare shade, please".into(),
                    },
                ),
                (answered(3_000), Act::Reacts("🙏".into())),
            ],
        },
        Story {
            name: "João Prado",
            phone: Some("+55 11 98877-1204"),
            username: None,
            country: "BR",
            steps: vec![
                (after(900), says("Bom dia! A luminária que chegou ontem está com o cabo solto.")),
                (after(3_000), Act::Image(Some("Olha só o cabo, dá para trocar?".into()))),
                (answered(2_500), Act::Quotes("Perfeito, muito obrigado! Fico no aguardo.".into())),
            ],
        },
        Story {
            name: "Siti Fauziah",
            phone: None,
            username: Some("@siti.fauziah"),
            country: "ID",
            steps: vec![
                (after(1_400), says("Selamat siang, apakah lampu meja warna tembaga masih ada?")),
                (answered(2_000), says("Baik, saya ambil satu. Bisa dikirim ke Bandung?")),
            ],
        },
        Story {
            name: "Omar Khalil",
            phone: Some("+971 50 233 9017"),
            username: Some("@omar.khalil"),
            country: "AE",
            steps: vec![
                (after(2_000), says("السلام عليكم، متى يصل طلبي رقم 1042؟")),
                (after(4_000), Act::Location { latitude: 25.2048, longitude: 55.2708, name: "مكتب الاستلام".into() }),
                (answered(2_000), says("شكراً جزيلاً")),
            ],
        },
        Story {
            name: "Marta Bianchi",
            phone: Some("+39 347 118 2290"),
            username: None,
            country: "IT",
            steps: vec![
                (after(2_600), says("Buongiorno, vorrei cambiare l'indirizzo di consegna: Via Garibaldi 14, Torino.")),
                (answered(2_500), Act::Reacts("❤️".into())),
            ],
        },
        Story {
            name: "Takeshi Kondo",
            phone: Some("+81 90 5512 8834"),
            username: None,
            country: "JP",
            steps: vec![
                (after(3_200), says("こんにちは。真鍮の読書灯の在庫はありますか?")),
                (answered(2_000), says("ありがとうございます。では一つお願いします。")),
            ],
        },
    ]
}

/// Two items: lamps and a shade, in rupees.
#[must_use]
pub fn reading_lamps() -> Vec<OrderItem> {
    vec![OrderItem::new("LAMP-BRASS-READ", 2, 4_850, "INR"), OrderItem::new("SHADE-LINEN-S", 1, 1_200, "INR")]
}

/// Does one act; returns the wamid, or none if there was nothing to react to.
pub fn perform(customer: &Customer, act: &Act) -> Option<String> {
    let last = || customer.received().pop().map(|entry| entry.wamid);
    match act {
        Act::Says(text) => Some(customer.says(text)),
        Act::Image(caption) => Some(customer.sends_image(caption.as_deref())),
        Act::Orders { items, text } => Some(customer.orders(CATALOG_ID, items, text)),
        Act::Reacts(emoji) => last().map(|wamid| customer.reacts(&wamid, emoji)),
        Act::Quotes(text) => last().map(|wamid| customer.replies_to(&wamid, text)),
        Act::Location { latitude, longitude, name } => {
            Some(customer.shares_location(*latitude, *longitude, Some(name)))
        }
    }
}

/// Plays stories side by side; waits are divided by `speed`. Returns when all have ended, which a story that waits for an
/// answer does only after it.
pub async fn play(sim: &MetaSim, stories: Vec<Story>, speed: u32) {
    let all = stories.into_iter().map(|story| {
        let customer = story.customer(sim);
        async move {
            let mut heard = 0;
            for (when, act) in &story.steps {
                let wait = match when {
                    When::After(wait) => *wait,
                    When::AfterAnswer(wait) => {
                        customer.received_more_than(heard).await;
                        heard += 1;
                        *wait
                    }
                };
                tokio::time::sleep(wait / speed.max(1)).await;
                perform(&customer, act);
            }
        }
    });
    let mut playing = tokio::task::JoinSet::new();
    for story in all {
        playing.spawn(story);
    }
    playing.join_all().await;
}
