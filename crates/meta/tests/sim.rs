//! Both ways against the simulated platform, which shares no type with us and is as strict as Meta.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use parley_domain::content::{Content, MediaKind};
use parley_domain::protocol::session::Secret;
use parley_domain::{Bsuid, MessageText, Phone, PhoneNumberId, Wamid};
use parley_meta::SendError;
use parley_meta::error::ErrorClass;
use parley_meta::graph::{
    Accepted, GraphClient, MediaSource, OutboundContent, OutboundMessage, Recipient, TemplateButton, TemplateComponent,
    TemplateParameter, VERSION,
};
use parley_meta::webhook::{Fact, InboundContent, InboundMessage, Item, ReportedState, parse, signature};
use parley_sim::{Fault, MetaSim, OrderItem, SimConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

struct World {
    sim: MetaSim,
    graph: GraphClient,
    /// Items of every webhook that arrived with a valid signature.
    items: Arc<Mutex<Vec<Item>>>,
}

impl World {
    async fn start() -> Self {
        let sim = MetaSim::start(SimConfig::new(11)).await.unwrap();
        let items = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        sim.set_webhook(&format!("http://{}/hook", listener.local_addr().unwrap()));
        tokio::spawn(receive(listener, Arc::clone(&items), sim.config().app_secret.clone()));
        let http = reqwest::Client::builder().no_proxy().read_timeout(Duration::from_millis(500));
        let graph = GraphClient::new(http.build().unwrap(), sim.base_url(), VERSION);
        Self { sim, graph, items }
    }

    async fn send(&self, to: Recipient, content: OutboundContent) -> Result<Accepted, SendError> {
        let number = PhoneNumberId::from(self.sim.config().numbers[0].phone_number_id.as_str());
        let message = OutboundMessage { to, content, context: None, opaque: "0199a7f0-0001".to_owned() };
        self.graph.send(&number, &Secret::new(self.sim.config().access_token.as_str()), &message).await
    }

    async fn messages(&self) -> Vec<InboundMessage> {
        self.sim.drain().await;
        let items = self.items.lock().await;
        let facts = items.iter().filter_map(|item| match &item.fact {
            Fact::Message(message) => Some(message.clone()),
            _ => None,
        });
        facts.collect()
    }
}

/// A webhook endpoint: verifies, parses, answers 200. One request a connection.
async fn receive(listener: TcpListener, items: Arc<Mutex<Vec<Item>>>, secret: String) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut raw = Vec::new();
        let (head, body) = loop {
            let mut part = [0u8; 4096];
            let read = stream.read(&mut part).await.unwrap();
            assert!(read > 0, "the webhook broke off");
            raw.extend_from_slice(&part[..read]);
            let Some(end) = raw.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8(raw[..end].to_vec()).unwrap();
            let value = |name: &str| {
                let found = head.lines().find(|line| line.to_lowercase().starts_with(&name.to_lowercase()));
                found.and_then(|line| line.split_once(": ")).map(|(_, value)| value.to_owned())
            };
            let length: usize = value("content-length").unwrap().parse().unwrap();
            if raw.len() >= end + 4 + length {
                break (value(signature::HEADER), raw[end + 4..].to_vec());
            }
        };
        signature::verify(&[secret.as_bytes()], &body, head.as_deref()).unwrap();
        items.lock().await.extend(parse(&body).unwrap());
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
    }
}

fn text(body: &str) -> OutboundContent {
    OutboundContent::Text { body: MessageText::new(body), preview_url: false }
}

#[tokio::test]
async fn what_customers_do_arrives_as_facts() {
    let world = World::start().await;
    let ana = world.sim.customer("Rosa Faria", Some("+351 912 000 777"), None);
    let bsuid_only = world.sim.customer_in("NL", "Wim", None, Some("@wim"));
    let hello = ana.says("Olá 🏮, têm luminárias?");
    ana.orders("55", &[OrderItem::new("LAMP-1", 2, 30, "EUR")], "sem pressa");
    ana.sends_image(Some("assim"));
    ana.shares_location(38.7, -9.1, Some("Loja"));
    ana.reacts(&hello, "👍");
    bsuid_only.says("Hallo");
    ana.changes_number("+351 912 000 778");

    let messages = world.messages().await;
    let types: Vec<_> = messages.iter().map(|message| message.reported_type.as_str()).collect();
    assert_eq!(types, ["text", "order", "image", "location", "reaction", "text", "system"]);
    assert_eq!(messages[0].wamid.as_str(), hello);
    assert_eq!(
        messages[0].content,
        InboundContent::Plain(Content::Text { body: MessageText::new("Olá 🏮, têm luminárias?") })
    );
    assert_eq!(messages[0].sender.phone.as_ref().unwrap().digits(), "351912000777");
    assert!(messages[0].sender.bsuid.as_ref().unwrap().is_well_formed());
    let InboundContent::Order { lines, .. } = &messages[1].content else { panic!("{:?}", messages[1]) };
    assert_eq!((lines[0].sku.as_str(), lines[0].quantity, lines[0].price_minor), ("LAMP-1", 2, 3_000));
    assert!(matches!(&messages[2].content, InboundContent::Plain(Content::Media(media))
        if media.kind == MediaKind::Image && media.provider_id.is_some()));
    assert_eq!(messages[4].content, InboundContent::Reaction { to: Wamid(hello), emoji: Some("👍".to_owned()) });
    assert_eq!(messages[5].sender.phone, None);
    assert_eq!(messages[5].sender.bsuid.as_ref().unwrap().expose(), bsuid_only.user_id());
    let InboundContent::IdentityChange(change) = &messages[6].content else { panic!("{:?}", messages[6]) };
    assert_eq!(change.wa_id.as_ref().unwrap().digits(), "351912000778");
    assert_eq!(messages[6].sender.bsuid, messages[0].sender.bsuid, "the sender is who they were");
    assert!(world.items.lock().await.iter().all(|item| item.phone_number_id.is_some() && item.waba.is_some()));
}

#[tokio::test]
async fn a_strict_platform_takes_what_we_send_and_its_statuses_name_our_id() {
    let world = World::start().await;
    let rosa = world.sim.customer("Rosa Faria", Some("+351 912 000 777"), None);
    let wim = world.sim.customer_in("NL", "Wim", None, Some("@wim"));
    let hello = rosa.says("Olá");
    wim.says("Hallo");
    world.sim.drain().await;
    rosa.reads_at_once(true);

    let phone = || Recipient::Phone(Phone::new("351912000777"));
    let accepted = world.send(phone(), text("Temos, sim! 🏮")).await.unwrap();
    let reaction = OutboundContent::Reaction { wamid: Wamid(hello.clone()), emoji: Some("❤️".to_owned()) };
    world.send(phone(), reaction).await.unwrap();
    let link = MediaSource::Link("https://shop.example/lamp.jpg".to_owned());
    let caption = Some(MessageText::new("Esta"));
    let image = OutboundContent::Media { kind: MediaKind::Image, source: link, caption, filename: None, voice: false };
    world.send(phone(), image).await.unwrap();
    world.send(Recipient::Bsuid(Bsuid::new(wim.user_id())), text("Zeker!")).await.unwrap();
    world.sim.drain().await;

    let ledger = world.sim.ledger();
    let texts: Vec<_> = ledger.iter().map(|entry| entry.text.as_deref().unwrap_or("")).collect();
    assert_eq!(texts, ["Temos, sim! 🏮", "❤️", "Esta", "Zeker!"]);
    assert_eq!(ledger[0].to.as_deref(), Some("+351912000777"));
    assert_eq!((ledger[3].to.as_deref(), ledger[3].recipient.as_deref()), (None, Some(wim.user_id().as_str())));

    let items = world.items.lock().await;
    let states: Vec<_> = items
        .iter()
        .filter_map(|item| match &item.fact {
            Fact::Status(status) if status.wamid == accepted.wamid => Some(status),
            _ => None,
        })
        .collect();
    let words: Vec<_> = states.iter().map(|status| status.state.as_str()).collect();
    assert_eq!(words, ["sent", "delivered", "read"]);
    assert!(states.iter().all(|status| status.opaque.as_deref() == Some("0199a7f0-0001")));
    drop(items);

    let number = PhoneNumberId::from(world.sim.config().numbers[0].phone_number_id.as_str());
    let token = Secret::new(world.sim.config().access_token.as_str());
    world.graph.mark_read(&number, &token, &Wamid(hello.clone()), true).await.unwrap();
    assert_eq!(world.sim.read_marks(), [(hello, true)]);
}

#[tokio::test]
async fn a_template_opens_a_closed_window_and_a_plain_text_does_not() {
    let world = World::start().await;
    let rosa = world.sim.customer("Rosa Faria", Some("+351 912 000 777"), None);
    let phone = || Recipient::Phone(Phone::new(rosa.phone().unwrap()));
    // Never wrote: accepted by HTTP, failed by webhook.
    let closed = world.send(phone(), text("Olá?")).await.unwrap();
    world.sim.drain().await;
    let items = world.items.lock().await;
    let failed = items.iter().find_map(|item| match &item.fact {
        Fact::Status(status) if status.wamid == closed.wamid && status.state == ReportedState::Failed => Some(status),
        _ => None,
    });
    assert_eq!(failed.unwrap().errors[0].code, 131_047);
    drop(items);

    let named = |name: Option<&str>, text: &str| TemplateParameter::Text {
        name: name.map(str::to_owned),
        text: MessageText::new(text),
    };
    let image = TemplateParameter::Image(MediaSource::Link("https://shop.example/lamp.jpg".to_owned()));
    let quick_reply = TemplateComponent::Button {
        kind: TemplateButton::QuickReply,
        index: 0,
        parameters: vec![TemplateParameter::Payload("keep".to_owned())],
    };
    for (name, components) in [
        ("hello", vec![]),
        ("order_shipped", vec![TemplateComponent::Body(vec![named(None, "Rosa"), named(None, "17")])]),
        (
            "pickup_ready",
            vec![TemplateComponent::Body(vec![named(Some("first_name"), "Rosa"), named(Some("product"), "lamp")])],
        ),
        (
            "evening_lamps",
            vec![
                TemplateComponent::Header(vec![image]),
                TemplateComponent::Body(vec![named(None, "Rosa")]),
                quick_reply,
            ],
        ),
    ] {
        let template = OutboundContent::Template { name: name.to_owned(), language: "en_US".to_owned(), components };
        let accepted = world.send(phone(), template).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!accepted.held, "{name}");
    }
    world.sim.next_send(Fault::HeldForQuality);
    let hello =
        |components| OutboundContent::Template { name: "hello".to_owned(), language: "en_US".to_owned(), components };
    assert!(world.send(phone(), hello(vec![])).await.unwrap().held);
    let wrong = hello(vec![TemplateComponent::Body(vec![named(None, "too many")])]);
    let error = world.send(phone(), wrong).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Rejected, Some(132_000)));
    let missing = OutboundContent::Template {
        name: "no_such_template".to_owned(),
        language: "en_US".to_owned(),
        components: vec![],
    };
    let error = world.send(phone(), missing).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Rejected, Some(132_001)));
}

#[tokio::test]
async fn every_fault_has_the_class_that_tells_whether_it_may_be_sent_again() {
    let world = World::start().await;
    let rosa = world.sim.customer("Rosa Faria", Some("+351 912 000 777"), None);
    rosa.says("Olá");
    world.sim.drain().await;
    let mut taken = 0;
    for (fault, class, accepted) in [
        (Fault::RateLimited, ErrorClass::RateLimited { after_ms: 5_000 }, false),
        (Fault::AppLimited, ErrorClass::RateLimited { after_ms: 60_000 }, false),
        (Fault::Refuse { code: 131_047 }, ErrorClass::WindowClosed, false),
        (Fault::Refuse { code: 190 }, ErrorClass::Auth, false),
        (Fault::Refuse { code: 131_026 }, ErrorClass::Rejected, false),
        (Fault::Broken, ErrorClass::Unknown, false),
        (Fault::Unexpected, ErrorClass::Unknown, false),
        (Fault::BrokenAfterAccept, ErrorClass::Unknown, true),
        (Fault::Html503, ErrorClass::Unknown, false),
        (Fault::ResetAfterAccept, ErrorClass::Unknown, true),
        (Fault::TimeoutBeforeAccept { hold_ms: 5_000 }, ErrorClass::Unknown, false),
        (Fault::Slow { ms: 5_000 }, ErrorClass::Unknown, true),
    ] {
        world.sim.next_send(fault);
        let error = world.send(Recipient::Phone(Phone::new("351912000777")), text("Sim")).await.unwrap_err();
        // Rate limits may ask for longer than the table.
        match (error.class, class) {
            (ErrorClass::RateLimited { after_ms }, ErrorClass::RateLimited { after_ms: least }) => {
                assert!(after_ms >= least, "{fault:?}: {error}");
            }
            (got, expected) => assert_eq!(got, expected, "{fault:?}: {error}"),
        }
        taken += usize::from(accepted);
        assert_eq!(world.sim.ledger().len(), taken, "{fault:?}");
        assert!(!accepted || class == ErrorClass::Unknown, "only unknown may hide an accepted message");
    }
    world.sim.set_access_token("another");
    let error = world.send(Recipient::Phone(Phone::new("351912000777")), text("Sim")).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Auth, Some(190)));
}
