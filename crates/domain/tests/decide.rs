//! Edits on rows: who may, what changes, what conflicts; and that replaying edits gives the same rows on both sides.

#![expect(clippy::unwrap_used, reason = "the fixture holds what is looked for")]

use std::collections::BTreeSet;

use parley_domain::channel::Channel;
use parley_domain::contact::Contact;
use parley_domain::content::Content;
use parley_domain::conversation::{Conversation, Status};
use parley_domain::decide::{Decision, decide, needed};
use parley_domain::delivery::{Delivery, DeliveryState};
use parley_domain::entity::{Entity, RowSet};
use parley_domain::limits::{NOTE_MAX, SERVICE_WINDOW, SERVICE_WINDOW_MARGIN, WHATSAPP_TEXT_MAX};
use parley_domain::message::{Direction, Message};
use parley_domain::order::{Fulfilment, Order, Payment, Stage};
use parley_domain::permission::{Actor, Role};
use parley_domain::protocol::intent::{Command, Intent};
use parley_domain::time::HOUR;
use parley_domain::window::{Window, service_window};
use parley_domain::workspace::{Inbox, Label, Member};
use parley_domain::*;
use proptest::prelude::*;
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

fn rows() -> RowSet {
    let mut rows = RowSet::default();
    for (number, active) in [(1, true), (2, true), (3, false)] {
        rows.put(Entity::Member(Member { id: id(number), name: "Rhea".into(), role: Role::Agent, active }));
    }
    rows.put(Entity::Inbox(Inbox {
        id: id(10),
        name: "Sales".into(),
        channel: Channel::Whatsapp,
        address: None,
        connected: true,
    }));
    rows.put(Entity::Label(Label { id: id(20), name: "wholesale".into(), colour: "amber".into() }));
    rows.put(Entity::Contact(Contact {
        id: id(30),
        name: None,
        phone: None,
        username: None,
        blocked: false,
        reachable: true,
    }));
    rows.put(Entity::Conversation(Conversation {
        id: id(40),
        inbox: id(10),
        contact: id(30),
        status: Status::Open,
        assignee: Some(id(1)),
        labels: BTreeSet::new(),
        snoozed_until: None,
        customer_wrote_at: Some(NOW - HOUR),
        entry_point_until: None,
        active_at: NOW - HOUR,
        read_upto: 5,
    }));
    for number in [50, 51, 52] {
        rows.put(Entity::Stage(Stage {
            id: id(number),
            pipeline: id(49),
            name: "New".into(),
            place: 0,
            closed: false,
        }));
    }
    rows.put(Entity::Order(Order {
        id: id(60),
        contact: id(30),
        conversation: id(40),
        number: 1,
        stage: id(50),
        stage_by: None,
        fulfilment: Fulfilment::Draft,
        payment: Payment::Unpaid,
        currency: "INR".into(),
        total_minor: 100,
        placed_at: NOW,
        staged_at: NOW,
    }));
    rows
}

fn agent(number: u128) -> Actor {
    Actor { member: id(number), role: Role::Agent, inboxes: BTreeSet::from([id(10)]) }
}

fn intent(command: Command) -> Intent {
    Intent { id: id(900), made_at: NOW, command, touches: vec![], after: vec![] }
}

fn reply(text: &str) -> Command {
    Command::SendMessage {
        message: id(70),
        conversation: id(40),
        content: Content::Text { body: text.into() },
        reply_to: None,
        resend_of: None,
        newest_shown: None,
    }
}

fn edit(rows: &mut RowSet, change: impl Fn(&mut Conversation)) {
    let mut row = rows.conversation(id(40)).unwrap().clone();
    change(&mut row);
    rows.put(Entity::Conversation(row));
}

#[test]
fn a_reply_in_an_open_window_becomes_a_queued_message() {
    let Decision::Write(written) = decide(&intent(reply("Yes, six left")), &agent(1), &rows(), NOW) else {
        panic!("refused");
    };
    let Some(Entity::Message(message)) = written.first() else { panic!("no message") };
    assert_eq!(message.direction, Direction::Outgoing);
    assert_eq!(message.delivery.as_ref().map(|delivery| delivery.state), Some(DeliveryState::Queued));
}

#[test]
fn the_gate_names_the_rule() {
    let refused = |rows: &RowSet, command: Command| match decide(&intent(command), &agent(1), rows, NOW) {
        Decision::Refuse(code) => code,
        other => panic!("{other:?}"),
    };
    let with = |change: fn(&mut Conversation)| {
        let mut rows = rows();
        edit(&mut rows, change);
        rows
    };
    assert_eq!(
        refused(&with(|row| row.customer_wrote_at = Some(NOW - SERVICE_WINDOW)), reply("hi")),
        Code::WindowClosed
    );
    assert_eq!(refused(&with(|row| row.customer_wrote_at = None), reply("hi")), Code::WindowNeverOpened);
    assert_eq!(refused(&rows(), reply(" \n ")), Code::EmptyMessage);
    assert_eq!(refused(&rows(), reply(&"ü".repeat(WHATSAPP_TEXT_MAX + 1))), Code::TextTooLong);
    assert!(matches!(
        decide(&intent(reply(&"ü".repeat(WHATSAPP_TEXT_MAX))), &agent(1), &rows(), NOW),
        Decision::Write(_)
    ));
    for (change, code) in [
        ((|contact, _| contact.blocked = true) as fn(&mut Contact, &mut Inbox), Code::ContactBlocked),
        (|contact, _| contact.reachable = false, Code::NoAddress),
        (|_, inbox| inbox.connected = false, Code::InboxUnavailable),
    ] {
        let mut rows = rows();
        let (mut contact, mut inbox) = (rows.contact(id(30)).unwrap().clone(), rows.inbox(id(10)).unwrap().clone());
        change(&mut contact, &mut inbox);
        rows.put(Entity::Contact(contact));
        rows.put(Entity::Inbox(inbox));
        assert_eq!(refused(&rows, reply("hi")), code);
    }
}

#[test]
fn the_window_closes_a_margin_early() {
    let mut rows = rows();
    edit(&mut rows, |row| row.customer_wrote_at = Some(NOW));
    let row = rows.conversation(id(40)).unwrap();
    let end = NOW + SERVICE_WINDOW - SERVICE_WINDOW_MARGIN;
    assert_eq!(service_window(row, end - 1), Window::Open { until: end });
    assert_eq!(service_window(row, end), Window::Closed { since: end });
}

#[test]
fn an_agent_cannot_touch_what_is_a_colleagues() {
    for command in [
        reply("hi"),
        Command::AddNote { message: id(71), conversation: id(40), body: "x".into() },
        Command::Assign { conversation: id(40), assignee: Some(id(2)), shown: None },
        Command::MarkRead { conversation: id(40), upto: 9 },
        Command::MoveOrder { order: id(60), stage: id(51), shown: id(50) },
    ] {
        assert_eq!(decide(&intent(command), &agent(2), &rows(), NOW), Decision::Refuse(Code::OutOfScope));
    }
    let manager = Actor { role: Role::Manager, ..agent(2) };
    assert!(matches!(decide(&intent(reply("hi")), &manager, &rows(), NOW), Decision::Write(_)));
    let stranger = Actor { inboxes: BTreeSet::new(), ..manager };
    assert_eq!(decide(&intent(reply("hi")), &stranger, &rows(), NOW), Decision::Refuse(Code::OutOfScope));
}

#[test]
fn assignment_goes_to_active_members_only_and_repeats_are_no_ops() {
    let assign = |to: u128| Command::Assign { conversation: id(40), assignee: Some(id(to)), shown: Some(id(1)) };
    assert!(matches!(decide(&intent(assign(2)), &agent(1), &rows(), NOW), Decision::Write(_)));
    assert_eq!(decide(&intent(assign(1)), &agent(1), &rows(), NOW), Decision::NoOp);
    assert_eq!(decide(&intent(assign(3)), &agent(1), &rows(), NOW), Decision::Refuse(Code::NotFound));
    assert_eq!(decide(&intent(assign(99)), &agent(1), &rows(), NOW), Decision::Refuse(Code::NotFound));
}

#[test]
fn labels_merge_as_a_set() {
    let mut rows = rows();
    edit(&mut rows, |row| row.labels = BTreeSet::from([id(21)]));
    let command =
        Command::Label { conversation: id(40), add: BTreeSet::from([id(20)]), remove: BTreeSet::from([id(99)]) };
    let Decision::Write(written) = decide(&intent(command), &agent(1), &rows, NOW) else { panic!("refused") };
    let Some(Entity::Conversation(row)) = written.first() else { panic!("no conversation") };
    assert_eq!(row.labels, BTreeSet::from([id(20), id(21)]));
}

#[test]
fn an_order_moved_by_a_colleague_is_a_conflict_and_ones_own_earlier_move_is_not() {
    let mut rows = rows();
    let mut moved = rows.order(id(60)).unwrap().clone();
    moved.stage = id(51);
    moved.stage_by = Some(id(901));
    rows.put(Entity::Order(moved));
    let mut edit = intent(Command::MoveOrder { order: id(60), stage: id(52), shown: id(50) });
    assert_eq!(decide(&edit, &agent(1), &rows, NOW), Decision::Refuse(Code::Conflict));
    edit.after = vec![id(901)];
    assert!(matches!(decide(&edit, &agent(1), &rows, NOW), Decision::Write(_)));
}

#[test]
fn only_what_failed_or_is_unconfirmed_may_be_sent_again() {
    for (state, may) in [
        (DeliveryState::Failed, true),
        (DeliveryState::Unconfirmed, true),
        (DeliveryState::Queued, false),
        (DeliveryState::Accepted, false),
        (DeliveryState::Delivered, false),
    ] {
        let mut rows = rows();
        rows.put(Entity::Message(Message {
            id: id(69),
            conversation: id(40),
            direction: Direction::Outgoing,
            author: None,
            content: Content::Text { body: "hi".into() },
            sent_at: NOW,
            position: 1,
            delivery: Some(Delivery { state, ..Delivery::queued() }),
            reply_to: None,
            resend_of: None,
            forwarded: false,
            edited: false,
            revoked: false,
        }));
        let mut command = reply("hi");
        if let Command::SendMessage { resend_of, .. } = &mut command {
            *resend_of = Some(id(69));
        }
        let decision = decide(&intent(command), &agent(1), &rows, NOW);
        assert_eq!(matches!(decision, Decision::Write(_)), may, "{state:?}: {decision:?}");
    }
}

#[test]
fn a_note_is_never_outgoing_and_has_a_limit() {
    let note = |text: String| Command::AddNote { message: id(71), conversation: id(40), body: text.as_str().into() };
    let Decision::Write(written) = decide(&intent(note("@Rhea confirm".into())), &agent(1), &rows(), NOW) else {
        panic!("refused");
    };
    assert!(
        matches!(written.as_slice(), [Entity::Message(note)] if note.direction == Direction::Note && note.delivery.is_none())
    );
    let long = decide(&intent(note("x".repeat(NOTE_MAX + 1))), &agent(1), &rows(), NOW);
    assert_eq!(long, Decision::Refuse(Code::TextTooLong));
}

#[test]
fn loading_reaches_an_end_and_names_what_the_decision_reads() {
    let all = rows();
    let mut at_hand = RowSet::default();
    for command in [reply("hi"), Command::MoveOrder { order: id(60), stage: id(51), shown: id(50) }] {
        let mut rounds = 0;
        loop {
            let missing: Vec<_> =
                needed(&command, &at_hand).into_iter().filter_map(|key| all.get(key).cloned()).collect();
            if missing.is_empty() {
                break;
            }
            missing.into_iter().for_each(|row| at_hand.put(row));
            rounds += 1;
            assert!(rounds < 5);
        }
        assert!(matches!(decide(&intent(command), &agent(1), &at_hand, NOW), Decision::Write(_)));
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (1u128..4).prop_map(|to| Command::Assign { conversation: id(40), assignee: Some(id(to)), shown: None }),
        (0u64..20).prop_map(|upto| Command::MarkRead { conversation: id(40), upto }),
        Just(Command::SetStatus {
            conversation: id(40),
            status: Status::Resolved,
            snoozed_until: None,
            shown: Status::Open
        }),
        Just(Command::Label { conversation: id(40), add: BTreeSet::from([id(20)]), remove: BTreeSet::new() }),
        (50u128..53, 50u128..53).prop_map(|(stage, shown)| Command::MoveOrder {
            order: id(60),
            stage: id(stage),
            shown: id(shown)
        }),
    ]
}

proptest! {
    /// The desk replays over confirmed rows what the server decided: same rows in, same rows out, whatever was applied before.
    #[test]
    fn replaying_is_deterministic_and_an_applied_edit_repeats_as_a_no_op(commands in proptest::collection::vec(any_command(), 1..12)) {
        let manager = Actor { role: Role::Manager, ..agent(1) };
        let run = |mut rows: RowSet| {
            for (number, command) in commands.iter().enumerate() {
                let edit = Intent { id: id(1_000 + number as u128), ..intent(command.clone()) };
                if let Decision::Write(written) = decide(&edit, &manager, &rows, NOW) {
                    written.into_iter().for_each(|row| rows.put(row));
                    prop_assert_eq!(decide(&edit, &manager, &rows, NOW), Decision::NoOp);
                }
            }
            Ok(rows)
        };
        prop_assert_eq!(run(rows())?, run(rows())?);
    }
}
