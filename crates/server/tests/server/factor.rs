//! The second factor: setting it up, signing in with it, losing it.

use parley_domain::limits::{RECOVERY_CODES, SIGN_IN_HELD_BACK, STEP_UP_LASTS};
use parley_domain::permission::Role;
use parley_domain::protocol::access::{
    AccessRules, ChangePasswordRequest, ConfirmTwoFactorRequest, MemberRequest, Nothing, RecoveryCodes, StepUpRequest,
};
use parley_domain::protocol::change::PullRequest;
use parley_domain::protocol::endpoint::{
    BeginTwoFactor, ChangePassword, ConfirmTwoFactor, Own, Pull, RemoveTwoFactor, ResetTwoFactor, SetAccessRules,
    StepUp,
};
use parley_domain::protocol::session::{Secret, SignInRequest};
use parley_domain::{Clock, Code, Email};
use sea_orm::{ConnectionTrait, Statement};
use totp_rs::{Algorithm, TOTP};

use crate::world::{Desk, PASSWORD, Refused, World, everywhere};

everywhere!(
    a_second_factor_is_asked_for_and_each_code_is_good_once,
    recovery_codes_are_good_once_and_stored_hashed,
    guessing_is_held_back_per_member_and_per_address,
    codes_cannot_be_guessed_beyond_ten_tries,
    a_new_password_or_second_factor_ends_every_other_session,
    a_required_second_factor_can_be_set_up_but_not_removed,
    an_admin_takes_a_lost_second_factor_off,
    dangerous_acts_need_the_password_again,
    weak_passwords_are_refused,
);

/// A member's authenticator.
pub struct Authenticator(TOTP);

impl Authenticator {
    pub fn new(base32: &Secret) -> Self {
        let seed = totp_rs::Secret::Encoded(base32.expose().to_owned()).to_bytes().unwrap();
        Self(TOTP::new(Algorithm::SHA1, 6, 1, 30, seed, None, "test".to_owned()).unwrap())
    }

    pub fn code(&self, world: &World) -> Secret {
        Secret::new(self.0.generate(u64::try_from(world.clock.now().0 / 1_000).unwrap()))
    }
}

/// Sets a second factor up; moves the clock on, so that the next code is another.
pub async fn set_up(world: &World, desk: &Desk) -> (Authenticator, RecoveryCodes) {
    let offer = desk.call::<BeginTwoFactor>(world, &Nothing {}).await.unwrap();
    assert!(offer.uri.expose().starts_with("otpauth://totp/Parley:"), "{}", offer.uri.expose());
    let authenticator = Authenticator::new(&offer.secret);
    let confirm = ConfirmTwoFactorRequest { code: authenticator.code(world) };
    let codes = desk.call::<ConfirmTwoFactor>(world, &confirm).await.unwrap();
    world.clock.advance(30_000);
    (authenticator, codes)
}

fn with(world: &World, name: &str, code: &Secret) -> SignInRequest {
    SignInRequest { code: Some(code.clone()), ..world.credentials(name) }
}

fn code_of<T: std::fmt::Debug>(answer: Result<T, Refused>) -> (u16, Code) {
    let (status, problem) = answer.unwrap_err();
    (status, problem.code)
}

async fn a_second_factor_is_asked_for_and_each_code_is_good_once(world: World) {
    let desk = world.desk("ada").await;
    let offer = desk.call::<BeginTwoFactor>(&world, &Nothing {}).await.unwrap();
    world.sign_in(&world.credentials("ada")).await.expect("not confirmed yet, so not asked for");
    let wrong = ConfirmTwoFactorRequest { code: Secret::new("000000") };
    assert_eq!(code_of(desk.call::<ConfirmTwoFactor>(&world, &wrong).await), (401, Code::BadSecondFactor));
    let authenticator = Authenticator::new(&offer.secret);
    let first = authenticator.code(&world);
    let confirm = ConfirmTwoFactorRequest { code: first.clone() };
    desk.call::<ConfirmTwoFactor>(&world, &confirm).await.unwrap();
    let refused = |answer| code_of(answer);
    assert_eq!(refused(world.sign_in(&world.credentials("ada")).await), (401, Code::SecondFactorNeeded));
    assert_eq!(refused(world.sign_in(&with(&world, "ada", &first)).await), (401, Code::BadSecondFactor), "used up");
    world.clock.advance(30_000);
    let next = authenticator.code(&world);
    world.sign_in(&with(&world, "ada", &next)).await.unwrap();
    assert_eq!(refused(world.sign_in(&with(&world, "ada", &next)).await), (401, Code::BadSecondFactor), "used up");
    world.clock.advance(30_000);
    // The wrong password is told first, so that a code tells nobody anything.
    let guess = SignInRequest {
        password: Secret::new("something else entirely"),
        ..with(&world, "ada", &authenticator.code(&world))
    };
    assert_eq!(refused(world.sign_in(&guess).await), (401, Code::BadCredentials));
    world.sign_in(&with(&world, "ada", &authenticator.code(&world))).await.expect("a refused try uses no code up");
    // The seed stands sealed.
    let row = world.app().db().reader();
    let sql = Statement::from_string(row.get_database_backend(), "SELECT seed FROM second_factor");
    let sealed: Vec<u8> = row.query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    let seed = totp_rs::Secret::Encoded(offer.secret.expose().to_owned()).to_bytes().unwrap();
    assert!(!sealed.windows(seed.len()).any(|part| part == seed));
}

async fn recovery_codes_are_good_once_and_stored_hashed(world: World) {
    let desk = world.desk("ada").await;
    let (_, codes) = set_up(&world, &desk).await;
    assert_eq!(codes.codes.len(), RECOVERY_CODES);
    // As somebody types it.
    let typed = Secret::new(codes.codes[3].expose().to_lowercase().replace('-', " "));
    let opened = Desk::of(world.sign_in(&with(&world, "ada", &typed)).await.unwrap());
    assert_eq!(code_of(world.sign_in(&with(&world, "ada", &typed)).await), (401, Code::BadSecondFactor));
    let own = opened.call::<Own>(&world, &Nothing {}).await.unwrap();
    assert_eq!((own.two_factor, own.recovery_codes_left), (true, 9));
    let reader = world.app().db().reader();
    let sql = Statement::from_string(reader.get_database_backend(), "SELECT hash FROM recovery_code");
    for row in reader.query_all_raw(sql).await.unwrap() {
        let hash: String = row.try_get_by_index(0).unwrap();
        assert!(hash.len() == 64 && !codes.codes.iter().any(|code| hash.contains(code.expose())));
    }
    // Setting it up again replaces them.
    let (_, fresh) = set_up(&world, &opened).await;
    assert_eq!(code_of(world.sign_in(&with(&world, "ada", &codes.codes[4])).await), (401, Code::BadSecondFactor));
    world.sign_in(&with(&world, "ada", &fresh.codes[0])).await.unwrap();
}

async fn guessing_is_held_back_per_member_and_per_address(world: World) {
    let guess = |name: &str, n: u32| SignInRequest {
        password: Secret::new(format!("guess number {n}")),
        ..world.credentials(name)
    };
    // Nobody and somebody are held back alike: an attacker learns nothing about who exists.
    for name in ["ada", "nobody"] {
        let answers = futures_util::future::join_all((0..10).map(|n| {
            let request = guess(name, n);
            let world = &world;
            async move { code_of(world.sign_in(&request).await) }
        }));
        assert_eq!(answers.await, vec![(401, Code::BadCredentials); 10], "{name}");
        let (status, problem) = world.sign_in(&guess(name, 11)).await.unwrap_err();
        assert_eq!((status, problem.code), (429, Code::RateLimited), "{name}");
        assert!(problem.retry_after.unwrap() > SIGN_IN_HELD_BACK - 60_000);
        assert_eq!(code_of(world.sign_in(&world.credentials(name)).await), (429, Code::RateLimited));
        world.clock.advance(SIGN_IN_HELD_BACK);
    }
    world.sign_in(&world.credentials("ada")).await.expect("it ends by itself");
    // One address that tries many names is held back as well; from elsewhere nothing was tried.
    for n in 0..10 {
        let name = format!("name{n}");
        assert_eq!(code_of(world.sign_in(&guess(&name, n)).await), (401, Code::BadCredentials));
    }
    assert_eq!(code_of(world.sign_in(&world.credentials("ada")).await), (429, Code::RateLimited));
    world.clock.advance(SIGN_IN_HELD_BACK);
    // Success forgets the member's wrong tries.
    for round in 0..2 {
        for n in 0..4 {
            assert_eq!(code_of(world.sign_in(&guess("ada", round * 10 + n)).await), (401, Code::BadCredentials));
        }
        world.sign_in(&world.credentials("ada")).await.unwrap();
    }
}

async fn codes_cannot_be_guessed_beyond_ten_tries(world: World) {
    let desk = world.desk("ada").await;
    let (authenticator, _) = set_up(&world, &desk).await;
    let right = authenticator.code(&world);
    let mut wrong = (0..).map(|n| Secret::new(format!("{n:06}"))).filter(|code| *code != right);
    for _ in 0..10 {
        let request = with(&world, "ada", &wrong.next().unwrap());
        assert_eq!(code_of(world.sign_in(&request).await), (401, Code::BadSecondFactor));
    }
    assert_eq!(code_of(world.sign_in(&with(&world, "ada", &right)).await), (429, Code::RateLimited));
    let step_up = StepUpRequest { password: Secret::new(PASSWORD), code: Some(right) };
    assert_eq!(code_of(desk.call::<StepUp>(&world, &step_up).await), (429, Code::RateLimited), "no way around");
}

async fn a_new_password_or_second_factor_ends_every_other_session(world: World) {
    let (one, two) = (world.desk("ada").await, world.desk("ada").await);
    let alive = async |desk: &Desk| match desk.call::<Own>(&world, &Nothing {}).await {
        Ok(_) => 200,
        Err((status, _)) => status,
    };
    let change = ChangePasswordRequest { password: Secret::new("a rather different sentence") };
    one.call::<ChangePassword>(&world, &change).await.unwrap();
    assert_eq!((alive(&one).await, alive(&two).await), (200, 401));
    let (_, refused) = (
        two.call::<Pull>(&world, &PullRequest::default()).await,
        code_of(world.sign_in(&world.credentials("ada")).await),
    );
    assert_eq!(refused, (401, Code::BadCredentials), "the old password");
    let fresh = SignInRequest { password: change.password.clone(), ..world.credentials("ada") };
    let three = Desk::of(world.sign_in(&fresh).await.unwrap());
    let (authenticator, _) = set_up(&world, &three).await;
    assert_eq!((alive(&three).await, alive(&one).await), (200, 401), "setting one up");
    let request = SignInRequest { code: Some(authenticator.code(&world)), ..fresh.clone() };
    let four = Desk::of(world.sign_in(&request).await.unwrap());
    four.call::<RemoveTwoFactor>(&world, &Nothing {}).await.unwrap();
    assert_eq!((alive(&four).await, alive(&three).await), (200, 401), "taking it off");
    world.sign_in(&fresh).await.expect("no code is asked for any more");
}

async fn a_required_second_factor_can_be_set_up_but_not_removed(world: World) {
    let admin = world.desk("ada").await;
    let rules = AccessRules { two_factor_required: true, mask_contacts: false };
    admin.call::<SetAccessRules>(&world, &rules).await.unwrap();
    assert_eq!(code_of(admin.call::<Pull>(&world, &PullRequest::default()).await), (403, Code::SecondFactorRequired));
    let (_, _) = set_up(&world, &admin).await;
    let mut admin = admin;
    admin.snapshot(&world).await;
    assert_eq!(code_of(admin.call::<RemoveTwoFactor>(&world, &Nothing {}).await), (403, Code::SecondFactorRequired));
    assert!(admin.call::<Own>(&world, &Nothing {}).await.unwrap().two_factor);
}

async fn an_admin_takes_a_lost_second_factor_off(world: World) {
    let bob = world.add_member("bob", Role::Agent).await;
    let admin = world.desk("ada").await;
    let desk = world.desk("bob").await;
    set_up(&world, &desk).await;
    admin.call::<ResetTwoFactor>(&world, &MemberRequest { member: bob }).await.unwrap();
    assert_eq!(code_of(desk.call::<Own>(&world, &Nothing {}).await).0, 401, "sessions end with it");
    let desk = Desk::of(world.sign_in(&world.credentials("bob")).await.unwrap());
    set_up(&world, &desk).await;
    world.app().admin().reset_two_factor(world.workspace, bob).await.unwrap();
    world.sign_in(&world.credentials("bob")).await.unwrap();
}

async fn dangerous_acts_need_the_password_again(world: World) {
    let mut desk = world.desk("ada").await;
    let (authenticator, _) = set_up(&world, &desk).await;
    world.clock.advance(STEP_UP_LASTS);
    desk.refresh(&world).await;
    let change = ChangePasswordRequest { password: Secret::new("a rather different sentence") };
    assert_eq!(code_of(desk.call::<ChangePassword>(&world, &change).await), (403, Code::StepUpNeeded));
    let ask = |password: &str, code: Option<Secret>| StepUpRequest { password: Secret::new(password), code };
    assert_eq!(code_of(desk.call::<StepUp>(&world, &ask("wrong", None)).await), (401, Code::BadCredentials));
    assert_eq!(code_of(desk.call::<StepUp>(&world, &ask(PASSWORD, None)).await), (401, Code::SecondFactorNeeded));
    let junk = Some(Secret::new("no code"));
    assert_eq!(code_of(desk.call::<StepUp>(&world, &ask(PASSWORD, junk)).await), (401, Code::BadSecondFactor));
    assert_eq!(code_of(desk.call::<ChangePassword>(&world, &change).await), (403, Code::StepUpNeeded));
    let code = authenticator.code(&world);
    let done = desk.call::<StepUp>(&world, &ask(PASSWORD, Some(code))).await.unwrap();
    assert_eq!(done.until, world.clock.now() + STEP_UP_LASTS);
    desk.call::<ChangePassword>(&world, &change).await.unwrap();
}

async fn weak_passwords_are_refused(world: World) {
    let desk = world.desk("ada").await;
    for weak in ["short", "password123456", "ada@example.org", "qwertyuiop123"] {
        let change = ChangePasswordRequest { password: Secret::new(weak) };
        assert_eq!(code_of(desk.call::<ChangePassword>(&world, &change).await), (422, Code::WeakPassword), "{weak}");
    }
    let long = ChangePasswordRequest { password: Secret::new("long ".repeat(1_000)) };
    assert_eq!(code_of(desk.call::<ChangePassword>(&world, &long).await), (400, Code::BadRequest));
    let new = parley_server::admin::NewMember {
        name: "Weak".into(),
        email: Email::new("weak@example.org"),
        password: Secret::new("iloveyou123"),
        role: Role::Agent,
    };
    let refused = world.app().admin().add_member(world.workspace, new).await.unwrap_err();
    assert_eq!(refused.code(), Code::WeakPassword);
}
