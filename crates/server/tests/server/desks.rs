//! Contacts of desks: the policy, leases, custody of the outbox key, erasures, receipts, and what the list of devices says.

use ed25519_dalek::{Signer, SigningKey};
use parley_domain::permission::Role;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::access::{
    AuditRequest, CopyReport, CopyState, DevicesRequest, Nothing, RevokeDeviceRequest,
};
use parley_domain::protocol::device::{
    ContactAnswer, ContactRequest, Deed, Receipt, ReceiptsRequest, SetDevicePolicyRequest, WipeReason,
};
use parley_domain::protocol::endpoint::{
    Audit, Contact, Devices, GetDevicePolicy, Receipts, Recover, RevokeDevice, SetDevicePolicy, SignOut,
};
use parley_domain::protocol::session::{Secret, SignInRequest};
use parley_domain::time::{DAY, HOUR};
use parley_domain::{Clock, Code, DeviceId};
use sea_orm::{ConnectionTrait, Statement};

use crate::world::{Desk, World, everywhere, text};

everywhere!(
    a_lease_is_renewed_daily_and_both_leases_are_given_to_a_locked_desk,
    the_outbox_key_is_kept_sealed_and_given_back_to_the_same_device_only,
    a_silent_device_is_locked_then_expired_and_its_last_count_is_named,
    only_the_device_itself_can_say_that_it_wiped,
    an_erasure_is_offered_to_every_desk_that_may_hold_the_person,
    a_policy_that_breaks_a_promise_is_refused_and_a_good_one_reaches_every_desk,
);

fn says(lease: Option<u64>) -> ContactRequest {
    ContactRequest {
        lease,
        renew: true,
        unsent: 0,
        drafts: 0,
        outbox_key: None,
        erased_upto: Some(0),
        receipts: Vec::new(),
    }
}

async fn contact(world: &World, desk: &Desk, request: ContactRequest) -> ContactAnswer {
    desk.call::<Contact>(world, &request).await.unwrap()
}

/// A desk with a key of its own.
async fn keyed(world: &World, name: &str, key: &SigningKey, device: Option<DeviceId>) -> Desk {
    let device_key = Some(hex::encode(key.verifying_key().as_bytes()));
    let request = SignInRequest { device_key, device, ..world.credentials(name) };
    Desk::of(world.sign_in(&request).await.unwrap())
}

async fn a_lease_is_renewed_daily_and_both_leases_are_given_to_a_locked_desk(world: World) {
    let mut desk = world.desk("ada").await;
    let first = contact(&world, &desk, says(None)).await;
    assert_eq!((first.lease.serial, first.previous.as_ref()), (1, None));
    assert_eq!(first.server_time, world.clock.now());
    assert_eq!((first.policy.clone(), first.policy_epoch), (DevicePolicy::default(), 0));
    let again = contact(&world, &desk, says(Some(1))).await;
    assert_eq!(again.lease, first.lease, "not before its time");
    world.clock.advance(25 * HOUR);
    desk.refresh(&world).await;
    let locked = contact(&world, &desk, ContactRequest { renew: false, ..says(None) }).await;
    assert_eq!(locked.lease, first.lease, "a locked desk gets what it is wrapped under");
    let second = contact(&world, &desk, says(Some(1))).await;
    assert_eq!((second.lease.serial, second.previous.as_ref()), (2, Some(&first.lease)));
    assert_ne!(second.lease.secret, first.lease.secret);
    // The answer was lost, days ago: the desk still has the first.
    world.clock.advance(5 * DAY);
    desk.refresh(&world).await;
    let lost = contact(&world, &desk, says(Some(1))).await;
    assert_eq!((&lost.lease, lost.previous.as_ref()), (&second.lease, Some(&first.lease)));
    let unlocked = contact(&world, &desk, says(None)).await;
    assert_eq!((&unlocked.lease, unlocked.previous.as_ref()), (&second.lease, Some(&first.lease)));
    // Another device of the same member has leases of its own.
    let other = contact(&world, &world.desk("ada").await, says(None)).await;
    assert_eq!(other.lease.serial, 1);
    assert_ne!(other.lease.secret, first.lease.secret);
    // The secrets stand in the database sealed only.
    let reader = world.app().db().reader();
    let sql = Statement::from_string(reader.get_database_backend(), "SELECT lease FROM device_copy");
    for row in reader.query_all_raw(sql).await.unwrap() {
        let sealed: Vec<u8> = row.try_get_by_index(0).unwrap();
        let plain = hex::decode(second.lease.secret.expose()).unwrap();
        assert!(!sealed.windows(32).any(|part| part == plain));
    }
}

async fn the_outbox_key_is_kept_sealed_and_given_back_to_the_same_device_only(world: World) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let desk = keyed(&world, "ada", &key, None).await;
    assert!(!contact(&world, &desk, says(None)).await.in_custody);
    let outbox_key = Secret::new("ab".repeat(32));
    for bad in ["", "ab", "zz"] {
        let request = ContactRequest { outbox_key: Some(Secret::new(bad.repeat(16))), ..says(Some(1)) };
        let refused = desk.call::<Contact>(&world, &request).await.unwrap_err();
        assert_eq!((refused.0, refused.1.code), (400, Code::BadRequest));
    }
    let request = ContactRequest { outbox_key: Some(outbox_key.clone()), ..says(Some(1)) };
    assert!(contact(&world, &desk, request).await.in_custody);
    assert!(contact(&world, &desk, says(Some(1))).await.in_custody, "once is enough");

    // Another device of the member, and the device itself without the password given anew.
    let other = world.desk("ada").await;
    assert_eq!(other.call::<Recover>(&world, &Nothing {}).await.unwrap().outbox_key, None);
    world.clock.advance(HOUR);
    let mut late = Desk::of(desk.session.clone());
    let refresh = {
        use parley_domain::protocol::endpoint::Refresh;
        use parley_domain::protocol::session::{RefreshRequest, refresh_proof};
        let (device, refresh_token) = (desk.session.device, desk.session.refresh_token.clone());
        let proof = Some(hex::encode(key.sign(&refresh_proof(device, &refresh_token)).to_bytes()));
        crate::world::post::<Refresh>(&world, None, &RefreshRequest { device, refresh_token, proof }).await.unwrap()
    };
    late.session = refresh;
    let refused = late.call::<Recover>(&world, &Nothing {}).await.unwrap_err();
    assert_eq!((refused.0, refused.1.code), (403, Code::StepUpNeeded));

    // Signing in again on the device, with a new key because the keyring is gone: the same id, and the key comes back.
    let fresh = SigningKey::from_bytes(&[8; 32]);
    let again = keyed(&world, "ada", &fresh, Some(desk.session.device)).await;
    assert_eq!(again.session.device, desk.session.device);
    assert_eq!(again.call::<Recover>(&world, &Nothing {}).await.unwrap().outbox_key, Some(outbox_key.clone()));
    assert_eq!(contact(&world, &again, says(None)).await.lease.serial, 1, "its lease too");
    // Somebody else who names the device gets a device of their own.
    world.add_member("bob", Role::Agent).await;
    let thief = keyed(&world, "bob", &fresh, Some(desk.session.device)).await;
    assert_ne!(thief.session.device, desk.session.device);
    assert_eq!(thief.call::<Recover>(&world, &Nothing {}).await.unwrap().outbox_key, None);

    // Signing out and revoking end it.
    again.call::<SignOut>(&world, &Nothing {}).await.unwrap();
    let back = keyed(&world, "ada", &fresh, Some(desk.session.device)).await;
    assert_eq!(back.call::<Recover>(&world, &Nothing {}).await.unwrap().outbox_key, None);
    contact(&world, &back, ContactRequest { outbox_key: Some(outbox_key), ..says(None) }).await;
    let revoke = RevokeDeviceRequest { device: back.session.device };
    world.desk("ada").await.call::<RevokeDevice>(&world, &revoke).await.unwrap();
    let reader = world.app().db().reader();
    let sql = "SELECT COUNT(*) FROM device_copy WHERE outbox_key IS NOT NULL OR previous_lease IS NOT NULL";
    let sql = Statement::from_string(reader.get_database_backend(), sql);
    let kept: i64 = reader.query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    assert_eq!(kept, 0);
    assert_eq!(back.call::<Contact>(&world, &says(None)).await.unwrap_err().1.code, Code::DeviceRevoked);
}

async fn reported(world: &World, asker: &Desk, of: &Desk) -> CopyReport {
    let request = DevicesRequest { member: Some(of.session.member) };
    let listed = asker.call::<Devices>(world, &request).await.unwrap();
    listed.into_iter().find(|device| device.id == of.session.device).unwrap().copy.unwrap()
}

async fn a_silent_device_is_locked_then_expired_and_its_last_count_is_named(world: World) {
    world.add_member("bob", Role::Agent).await;
    let desk = world.desk("bob").await;
    let heard_at = world.clock.now();
    contact(&world, &desk, ContactRequest { unsent: 3, drafts: 2, ..says(None) }).await;
    for (days, state) in
        [(0, CopyState::Usable), (6, CopyState::Usable), (8, CopyState::Locked), (22, CopyState::ExpiredUnconfirmed)]
    {
        world.clock.advance(heard_at.0 + days * DAY - world.clock.now().0);
        let admin = world.desk("ada").await;
        let copy = reported(&world, &admin, &desk).await;
        assert_eq!((copy.state, copy.unsent, copy.drafts, copy.heard_at), (state, 3, 2, heard_at), "day {days}");
        assert_eq!((copy.locks_at, copy.wipes_at), (heard_at + 7 * DAY, heard_at + 21 * DAY));
    }
    let admin = world.desk("ada").await;
    admin.call::<RevokeDevice>(&world, &RevokeDeviceRequest { device: desk.session.device }).await.unwrap();
    let copy = reported(&world, &admin, &desk).await;
    assert_eq!((copy.state, copy.unsent), (CopyState::RevokedUnconfirmed, 3));
}

fn receipt(desk: &Desk, world: &World, key: &SigningKey, deed: Deed) -> Receipt {
    let (device, at) = (desk.session.device, world.clock.now());
    let signature = hex::encode(key.sign(&Receipt::signed(device, at, deed)).to_bytes());
    Receipt { device, at, deed, signature }
}

async fn only_the_device_itself_can_say_that_it_wiped(world: World) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let desk = keyed(&world, "ada", &key, None).await;
    contact(&world, &desk, ContactRequest { unsent: 3, ..says(None) }).await;
    let next = world.desk("ada").await;
    let wiped = Deed::Wiped { reason: WipeReason::Silence, unsent: 4, drafts: 1 };
    let genuine = receipt(&desk, &world, &key, wiped);
    let lie = Deed::Wiped { reason: WipeReason::Silence, unsent: 0, drafts: 1 };
    let forged = [
        receipt(&desk, &world, &SigningKey::from_bytes(&[9; 32]), wiped),
        Receipt { deed: lie, ..genuine.clone() },
        Receipt { signature: String::new(), ..genuine.clone() },
        Receipt { device: next.session.device, ..genuine.clone() },
    ];
    next.call::<Receipts>(&world, &ReceiptsRequest { receipts: forged.to_vec() }).await.unwrap();
    assert_eq!(reported(&world, &next, &desk).await.state, CopyState::Usable);
    // Nobody of another workspace reports it either.
    world.other_workspace("olga").await;
    let olga = world.desk("olga").await;
    olga.call::<Receipts>(&world, &ReceiptsRequest { receipts: vec![genuine.clone()] }).await.unwrap();
    assert_eq!(reported(&world, &next, &desk).await.state, CopyState::Usable);
    for _ in 0..2 {
        next.call::<Receipts>(&world, &ReceiptsRequest { receipts: vec![genuine.clone()] }).await.unwrap();
    }
    assert_eq!(reported(&world, &next, &desk).await.state, CopyState::Wiped);
    let log = next.call::<Audit>(&world, &AuditRequest { before: None, limit: 200 }).await.unwrap();
    let said: Vec<_> = log.entries.iter().filter(|entry| entry.action == "device.wiped").collect();
    assert_eq!(said.len(), 1, "once, however often it is reported");
    assert_eq!(said[0].details, "reason: silence, unsent: 4, drafts: 1");
}

async fn an_erasure_is_offered_to_every_desk_that_may_hold_the_person(world: World) {
    world.webhook(&text(&world, "wamid.1", 1, "hello")).await;
    world.applied().await;
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut desk = keyed(&world, "ada", &key, None).await;
    desk.snapshot(&world).await;
    contact(&world, &desk, says(None)).await;
    let conversation = desk.messages()[0].conversation;
    let person = desk.entities(|entity| match entity {
        parley_domain::entity::Entity::Contact(row) => Some(row),
        _ => None,
    })[0]
        .id;
    world.clock.advance(1_000);
    world.app().admin().erase_contact(world.workspace, person).await.unwrap();
    let answer = contact(&world, &desk, says(Some(1))).await;
    let [erasure] = answer.erasures.as_slice() else { panic!("{:?}", answer.erasures) };
    assert_eq!((erasure.contact, erasure.conversations.as_slice(), erasure.place), (person, &[conversation][..], 1));
    let locked = ContactRequest { erased_upto: None, ..says(None) };
    assert!(contact(&world, &desk, locked).await.erasures.is_empty(), "a locked desk can carry none out");
    assert_eq!(reported(&world, &desk, &desk).await.erasures_waiting, 1);
    let done = receipt(&desk, &world, &key, Deed::Erased { erasure: erasure.id, rows: 2 });
    let request = ContactRequest { erased_upto: Some(1), receipts: vec![done], ..says(Some(1)) };
    let answer = contact(&world, &desk, request).await;
    assert!(answer.erasures.is_empty());
    assert_eq!(answer.receipts_taken, 1);
    assert_eq!(reported(&world, &desk, &desk).await.erasures_waiting, 0);
    // A desk of afterwards never had anything of the person.
    world.clock.advance(1_000);
    let later = world.desk("ada").await;
    assert!(contact(&world, &later, says(None)).await.erasures.is_empty());
}

async fn a_policy_that_breaks_a_promise_is_refused_and_a_good_one_reaches_every_desk(world: World) {
    let admin = world.desk("ada").await;
    let before = admin.call::<GetDevicePolicy>(&world, &Nothing {}).await.unwrap();
    assert_eq!((before.policy.clone(), before.own, before.epoch), (DevicePolicy::default(), false, 0));
    let with = |change: fn(&mut DevicePolicy)| {
        let mut policy = DevicePolicy::default();
        change(&mut policy);
        SetDevicePolicyRequest { policy: Some(policy) }
    };
    for bad in [
        with(|policy| policy.wipe_after_days = 30),
        with(|policy| policy.lock_after_days = 21),
        with(|policy| policy.lease_hours = 0),
    ] {
        let refused = admin.call::<SetDevicePolicy>(&world, &bad).await.unwrap_err();
        assert_eq!(refused.1.code, Code::PolicyInvalid);
    }
    let strict = with(|policy| policy.message_window_days = 3);
    admin.call::<SetDevicePolicy>(&world, &strict).await.unwrap();
    world.add_member("bob", Role::Agent).await;
    let desk = world.desk("bob").await;
    let answer = contact(&world, &desk, says(None)).await;
    assert_eq!((answer.policy.message_window_days, answer.policy_epoch), (3, 1));
    assert_eq!(desk.call::<GetDevicePolicy>(&world, &Nothing {}).await.unwrap_err().1.code, Code::Forbidden);
    assert_eq!(desk.call::<SetDevicePolicy>(&world, &strict).await.unwrap_err().1.code, Code::Forbidden);
    let log = admin.call::<Audit>(&world, &AuditRequest { before: None, limit: 50 }).await.unwrap();
    let said = log.entries.iter().find(|entry| entry.action == "device_policy.changed").unwrap();
    assert_eq!(said.details, "message_window_days: 3");
    admin.call::<SetDevicePolicy>(&world, &SetDevicePolicyRequest { policy: None }).await.unwrap();
    let view = admin.call::<GetDevicePolicy>(&world, &Nothing {}).await.unwrap();
    assert_eq!((view.own, view.epoch, view.changed_by), (false, 2, Some(admin.session.member)));
    assert_eq!(contact(&world, &desk, says(Some(1))).await.policy, DevicePolicy::default());
}
