//! Which incoming messages deserve a native notification (ux.md §4.6). Pure: what is new is decided by the store.

use std::collections::{BTreeMap, VecDeque};

use parley_domain::time::SECOND;
use parley_domain::{ConversationId, MemberId, Timestamp};

/// More than this many in [`WINDOW`] is a flood; the list shows the rest.
const BURST: usize = 5;
const WINDOW: i64 = 10 * SECOND;

/// A message that came in and was not known before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub conversation: ConversationId,
    pub assignee: Option<MemberId>,
    /// Somebody has seen it already.
    pub read: bool,
    /// The contact's name.
    pub title: String,
}

/// What the member looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Front {
    pub conversation: Option<ConversationId>,
    pub window_focused: bool,
}

/// A notification to show. It names the contact and says nothing of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    pub conversation: ConversationId,
    pub title: String,
}

/// Remembers when notifications were shown.
#[derive(Debug, Default)]
pub struct Notifier {
    shown: VecDeque<Timestamp>,
}

impl Notifier {
    /// Notices for what came in: one per conversation; mine and nobody's only; nothing for the conversation in front.
    pub fn decide(&mut self, candidates: &[Candidate], me: MemberId, front: Front, now: Timestamp) -> Vec<Notice> {
        let mut grouped = BTreeMap::new();
        for candidate in candidates {
            let for_me = candidate.assignee.is_none_or(|who| who == me);
            let seen = front.window_focused && front.conversation == Some(candidate.conversation);
            if for_me && !seen && !candidate.read {
                grouped.entry(candidate.conversation).or_insert_with(|| candidate.title.clone());
            }
        }
        self.shown.retain(|at| now.since(*at) < WINDOW);
        let mut notices = Vec::new();
        for (conversation, title) in grouped {
            if self.shown.len() >= BURST {
                break;
            }
            self.shown.push_back(now);
            notices.push(Notice { conversation, title });
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn conversation(n: u128) -> ConversationId {
        ConversationId(Uuid::from_u128(n))
    }

    fn member(n: u128) -> MemberId {
        MemberId(Uuid::from_u128(n))
    }

    fn incoming(n: u128, assignee: Option<MemberId>) -> Candidate {
        Candidate { conversation: conversation(n), assignee, read: false, title: format!("Contact {n}") }
    }

    fn told(candidates: &[Candidate], front: Front) -> Vec<ConversationId> {
        let notices = Notifier::default().decide(candidates, member(1), front, Timestamp(0));
        notices.into_iter().map(|notice| notice.conversation).collect()
    }

    #[test]
    fn mine_and_nobodys_are_told_once_a_conversation_and_colleagues_are_not() {
        let candidates = [
            incoming(1, Some(member(1))),
            incoming(1, Some(member(1))),
            incoming(2, None),
            incoming(3, Some(member(2))),
            Candidate { read: true, ..incoming(4, None) },
        ];
        assert_eq!(told(&candidates, Front::default()), [conversation(1), conversation(2)]);
    }

    #[test]
    fn the_conversation_in_front_is_told_only_when_the_window_is_not_looked_at() {
        let candidates = [incoming(1, None)];
        let front = |window_focused| Front { conversation: Some(conversation(1)), window_focused };
        assert!(told(&candidates, front(true)).is_empty());
        assert_eq!(told(&candidates, front(false)), [conversation(1)]);
    }

    #[test]
    fn a_flood_ends_after_five_and_starts_again_later() {
        let mut notifier = Notifier::default();
        let flood: Vec<_> = (0..20).map(|n| incoming(n, None)).collect();
        assert_eq!(notifier.decide(&flood, member(1), Front::default(), Timestamp(0)).len(), 5);
        assert_eq!(notifier.decide(&flood, member(1), Front::default(), Timestamp(5_000)).len(), 0);
        assert_eq!(notifier.decide(&flood, member(1), Front::default(), Timestamp(11_000)).len(), 5);
    }
}
