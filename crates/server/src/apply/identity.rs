//! Who wrote: finding or making the contact, and following changes of identity. Identities have history: none is deleted.

use parley_domain::channel::Channel;
use parley_domain::contact::{Contact, Identity, Sender};
use parley_domain::entity::Entity;
use parley_domain::{ContactId, IdentityId};
use parley_meta::webhook::IdentityChange;

use super::draft::Draft;
use crate::db::applying::Route;

/// The contact who wrote, made when it is unknown; what Meta reports about it is taken over.
pub(super) fn contact(draft: &mut Draft<'_>, route: &Route, sender: &Sender) -> ContactId {
    let known =
        draft.find_identity(&route.scope, sender.bsuid.as_ref(), sender.parent_bsuid.as_ref(), sender.phone.as_ref());
    let contact = match known.and_then(|place| draft.identity(place).map(|identity| (place, identity.clone()))) {
        Some((place, identity)) => {
            learn(draft, route, place, &identity, sender);
            identity.contact
        }
        None => make(draft, route, sender),
    };
    draft.contact(contact, route.inbox, |row| {
        let before = row.clone();
        if sender.name.is_some() {
            row.name.clone_from(&sender.name);
        }
        if sender.username.is_some() {
            row.username.clone_from(&sender.username);
        }
        if row.phone.is_none() {
            row.phone.clone_from(&sender.phone);
        }
        row.reachable |= sender.phone.is_some() || sender.bsuid.is_some();
        *row != before
    });
    contact
}

fn make(draft: &mut Draft<'_>, route: &Route, sender: &Sender) -> ContactId {
    let id = ContactId(draft.new_id());
    let contact = Contact {
        id,
        name: sender.name.clone(),
        phone: sender.phone.clone(),
        username: sender.username.clone(),
        blocked: false,
        reachable: sender.phone.is_some() || sender.bsuid.is_some(),
    };
    draft.add(Entity::Contact(contact), route.inbox, None);
    let identity = identity(draft, route, id, sender);
    draft.know(identity, true);
    id
}

fn identity(draft: &Draft<'_>, route: &Route, contact: ContactId, sender: &Sender) -> Identity {
    Identity {
        id: IdentityId(draft.new_id()),
        contact,
        channel: Channel::Whatsapp,
        scope: route.scope.clone(),
        bsuid: sender.bsuid.clone(),
        parent_bsuid: sender.parent_bsuid.clone(),
        phone: sender.phone.clone(),
        username: sender.username.clone(),
        since: draft.now,
        until: None,
    }
}

/// Takes over what is new about a known identity; another BSUID becomes an identity of its own beside it.
fn learn(draft: &mut Draft<'_>, route: &Route, place: usize, known: &Identity, sender: &Sender) {
    let other = sender.bsuid.is_some() && known.bsuid.is_some() && known.bsuid != sender.bsuid;
    if other {
        let alias = identity(draft, route, known.contact, sender);
        draft.know(alias, true);
        return;
    }
    draft.change_identity(place, |row| {
        let before = row.clone();
        if row.bsuid.is_none() {
            row.bsuid.clone_from(&sender.bsuid);
        }
        if row.parent_bsuid.is_none() {
            row.parent_bsuid.clone_from(&sender.parent_bsuid);
        }
        if row.phone.is_none() {
            row.phone.clone_from(&sender.phone);
        }
        if sender.username.is_some() {
            row.username.clone_from(&sender.username);
        }
        *row != before
    });
}

/// Follows a change of number or user id (meta-platform.md §3.3); the contact, when one of the ids is known.
pub(super) fn change(
    draft: &mut Draft<'_>,
    route: &Route,
    sender: &Sender,
    change: &IdentityChange,
) -> Option<ContactId> {
    let before = draft
        .find_identity(
            &route.scope,
            change.previous_user_id.as_ref().or(sender.bsuid.as_ref()),
            change.previous_parent_user_id.as_ref().or(sender.parent_bsuid.as_ref()),
            sender.phone.as_ref(),
        )
        .and_then(|place| draft.identity(place).map(|identity| (place, identity.clone())));
    let after = draft.find_identity(
        &route.scope,
        change.user_id.as_ref(),
        change.parent_user_id.as_ref(),
        change.wa_id.as_ref(),
    );
    let Some((place, old)) = before else {
        return after.and_then(|place| draft.identity(place)).map(|identity| identity.contact);
    };
    // The new ids may already be known, even as somebody else's: then nothing is merged by a machine.
    if after.is_none() {
        let now = draft.now;
        if change.user_id.is_some() && change.user_id != old.bsuid {
            draft.change_identity(place, |row| {
                row.until = Some(now);
                true
            });
        }
        let next = Sender {
            bsuid: change.user_id.clone().or_else(|| old.bsuid.clone().filter(|_| change.user_id.is_none())),
            parent_bsuid: change.parent_user_id.clone().or_else(|| old.parent_bsuid.clone()),
            phone: change.wa_id.clone().or_else(|| old.phone.clone()),
            username: None,
            name: None,
        };
        if next.bsuid == old.bsuid {
            draft.change_identity(place, |row| {
                row.phone.clone_from(&next.phone);
                true
            });
        } else {
            let identity = identity(draft, route, old.contact, &next);
            draft.know(identity, true);
        }
        if change.wa_id.is_some() {
            draft.contact(old.contact, route.inbox, |row| {
                row.phone.clone_from(&change.wa_id);
                true
            });
        }
    }
    Some(old.contact)
}
