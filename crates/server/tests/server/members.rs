//! Invitations, members, teams: who sees which inbox, and who is told when that changes.

use std::sync::{Arc, Mutex};

use parley_domain::limits::INVITATION_LIVES;
use parley_domain::permission::Role;
use parley_domain::protocol::access::{
    AcceptRequest, AuditRequest, CancelInvitationRequest, DeleteTeamRequest, InvitationRequest, InviteRequest, Nothing,
    PutTeamRequest, UpdateMemberRequest,
};
use parley_domain::protocol::change::PullRequest;
use parley_domain::protocol::endpoint::{
    Accept, Audit, CancelInvitation, DeleteTeam, Invite, Offer, Overview, Pull, PutTeam, UpdateMember,
};
use parley_domain::protocol::session::{Secret, Session};
use parley_domain::{Code, Email, InboxId, MemberId, TeamId};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::world::{Desk, Refused, World, everywhere, post};

everywhere!(
    an_invitation_travels_by_mail_and_is_good_once,
    without_a_mail_host_the_token_is_handed_over,
    an_invitation_that_ran_out_or_was_taken_back_is_refused,
    a_team_grants_its_inboxes_and_only_those_it_concerns_start_over,
    the_last_admin_stays,
    access_is_set_as_a_whole_and_recorded,
    two_admins_who_demote_each_other_leave_one,
);

/// A mail host that takes whatever it gets.
pub async fn mail_host() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let letters = Arc::new(Mutex::new(Vec::new()));
    let kept = letters.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(talk(socket, kept.clone()));
        }
    });
    (port, letters)
}

/// RFC 5321 as far as a sender needs it.
async fn talk(socket: tokio::net::TcpStream, letters: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let (read, mut write) = socket.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 sink\r\n").await.ok()?;
    let mut letter: Option<String> = None;
    let mut envelope = String::new();
    while let Some(line) = lines.next_line().await.ok()? {
        let answer: &[u8] = match (&mut letter, line.as_str()) {
            (Some(text), ".") => {
                letters.lock().unwrap().push(std::mem::take(&mut envelope) + text);
                letter = None;
                b"250 kept\r\n"
            }
            (Some(text), more) => {
                text.push_str(more.strip_prefix("..").unwrap_or(more));
                text.push('\n');
                continue;
            }
            (None, "DATA") => {
                letter = Some(String::new());
                b"354 go on\r\n"
            }
            (None, "QUIT") => {
                write.write_all(b"221 bye\r\n").await.ok()?;
                return Some(());
            }
            (None, said) => {
                envelope.push_str(said);
                envelope.push('\n');
                b"250 ok\r\n"
            }
        };
        write.write_all(answer).await.ok()?;
    }
    None
}

fn invite(email: &str, role: Role) -> InviteRequest {
    InviteRequest { email: Email::new(email), role, inboxes: vec![], teams: vec![] }
}

async fn accept(world: &World, token: &str) -> Result<Session, Refused> {
    let request = AcceptRequest {
        token: Secret::new(token),
        name: "Noor Haddad".into(),
        password: Secret::new("forty paper lanterns"),
        device_name: "noor's laptop".to_owned(),
        device_key: None,
    };
    post::<Accept>(world, None, &request).await
}

fn code_of<T: std::fmt::Debug>(answer: Result<T, Refused>) -> (u16, Code) {
    let (status, problem) = answer.unwrap_err();
    (status, problem.code)
}

/// What follows the `#`.
fn token_of(pasted: &Secret) -> String {
    pasted.expose().rsplit('#').next().unwrap().to_owned()
}

async fn an_invitation_travels_by_mail_and_is_good_once(mut world: World) {
    let (port, letters) = mail_host().await;
    world.kill().await;
    world.smtp = Some(port);
    world.open().await;
    let admin = world.desk("ada").await;
    let request = InviteRequest { inboxes: vec![world.inbox], ..invite(" Noor@Example.ORG ", Role::Agent) };
    let invited = admin.call::<Invite>(&world, &request).await.unwrap();
    assert!(invited.invitation.mailed);
    let letter = letters.lock().unwrap().pop().expect("a letter came");
    assert!(letter.contains("RCPT TO:<noor@example.org>"), "{letter}");
    // Long lines are folded with soft breaks on the way.
    let unfolded = letter.replace("=\n", "").replace("=3D", "=");
    let mailed = unfolded.lines().find(|line| line.starts_with("https://parley.example.org#")).expect("the code");
    assert_eq!(mailed, invited.token.expose());
    let token = token_of(&invited.token);
    let offer = post::<Offer>(&world, None, &InvitationRequest { token: Secret::new(token.clone()) }).await.unwrap();
    assert_eq!((offer.workspace.as_str(), offer.email.expose()), ("Lantern & Loom", "noor@example.org"));
    assert_eq!((offer.role, offer.invited_by.expose()), (Role::Agent, "Ada"));
    // The table holds no token.
    let overview = admin.call::<Overview>(&world, &Nothing {}).await.unwrap();
    assert_eq!(overview.invitations, vec![invited.invitation]);
    let session = accept(&world, &token).await.unwrap();
    assert_eq!((session.role, session.inboxes.clone()), (Role::Agent, vec![world.inbox]));
    assert_eq!(code_of(accept(&world, &token).await), (404, Code::InvitationInvalid), "good once");
    Desk::of(session.clone()).snapshot(&world).await;
    let overview = admin.call::<Overview>(&world, &Nothing {}).await.unwrap();
    assert!(overview.invitations.is_empty());
    let noor = overview.members.iter().find(|member| member.id == session.member).unwrap();
    assert_eq!((noor.email.expose(), noor.inboxes.clone()), ("noor@example.org", vec![world.inbox]));
    // Who is a member is not invited again; whether another workspace knows somebody is not told.
    assert_eq!(code_of(admin.call::<Invite>(&world, &request).await), (409, Code::Conflict));
    world.other_workspace("olga").await;
    let known_elsewhere = admin.call::<Invite>(&world, &invite("olga@example.org", Role::Agent)).await.unwrap();
    assert_eq!(code_of(accept(&world, &token_of(&known_elsewhere.token)).await), (409, Code::Conflict));
}

async fn without_a_mail_host_the_token_is_handed_over(mut world: World) {
    let admin = world.desk("ada").await;
    let invited = admin.call::<Invite>(&world, &invite("noor@example.org", Role::Manager)).await.unwrap();
    assert!(!invited.invitation.mailed);
    // A second invitation to the same address replaces the first.
    let second = admin.call::<Invite>(&world, &invite("noor@example.org", Role::Agent)).await.unwrap();
    assert_eq!(code_of(accept(&world, &token_of(&invited.token)).await), (404, Code::InvitationInvalid));
    assert_eq!(accept(&world, &token_of(&second.token)).await.unwrap().role, Role::Agent);
    for bad in ["", "no address", "a@b\r\nBcc: everybody@example.org", "@", "a@"] {
        assert_eq!(code_of(admin.call::<Invite>(&world, &invite(bad, Role::Agent)).await), (400, Code::BadRequest));
    }
    // A host that does not answer: the invitation stands, and the answer says that nothing was mailed.
    let (port, _) = mail_host().await;
    world.kill().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_ne!(port, closed);
    world.smtp = Some(closed);
    world.open().await;
    let invited = admin.call::<Invite>(&world, &invite("li@example.org", Role::Agent)).await.unwrap();
    assert!(!invited.invitation.mailed);
    accept(&world, &token_of(&invited.token)).await.unwrap();
}

async fn an_invitation_that_ran_out_or_was_taken_back_is_refused(world: World) {
    let admin = world.desk("ada").await;
    let one = admin.call::<Invite>(&world, &invite("one@example.org", Role::Agent)).await.unwrap();
    let cancel = CancelInvitationRequest { invitation: one.invitation.id };
    admin.call::<CancelInvitation>(&world, &cancel).await.unwrap();
    assert_eq!(code_of(admin.call::<CancelInvitation>(&world, &cancel).await), (404, Code::NotFound));
    let two = admin.call::<Invite>(&world, &invite("two@example.org", Role::Agent)).await.unwrap();
    world.clock.advance(INVITATION_LIVES);
    for invited in [one, two] {
        let token = token_of(&invited.token);
        assert_eq!(code_of(accept(&world, &token).await), (404, Code::InvitationInvalid));
        let ask = InvitationRequest { token: Secret::new(token) };
        assert_eq!(code_of(post::<Offer>(&world, None, &ask).await), (404, Code::InvitationInvalid));
    }
}

/// What a pull with the old cursor says: served, or the reason of a resync.
async fn pulled(world: &World, desk: &Desk) -> u16 {
    match desk.call::<Pull>(world, &PullRequest { cursor: desk.cursor.clone() }).await {
        Ok(_) => 200,
        Err((status, _)) => status,
    }
}

async fn a_team_grants_its_inboxes_and_only_those_it_concerns_start_over(world: World) {
    let admin = world.desk("ada").await;
    let second = world.connect("106540000000002").await;
    let (ann, ben) = (world.add_member("ann", Role::Agent).await, world.add_member("ben", Role::Agent).await);
    let (mut ann_desk, mut ben_desk) = (world.desk("ann").await, world.desk("ben").await);
    let sees = async |desk: &mut Desk| {
        desk.rows.clear();
        desk.snapshot(&world).await;
        let mut inboxes: Vec<InboxId> = desk
            .entities(|entity| match entity {
                parley_domain::entity::Entity::Inbox(inbox) => Some(inbox),
                _ => None,
            })
            .into_iter()
            .map(|inbox| inbox.id)
            .collect();
        inboxes.sort_unstable();
        inboxes
    };
    assert_eq!(sees(&mut ann_desk).await, vec![world.inbox]);
    assert_eq!(sees(&mut ben_desk).await, vec![world.inbox]);
    let team = TeamId(admin.id(&world));
    let put = async |name: &str, members: Vec<MemberId>, inboxes: Vec<InboxId>| {
        let request = PutTeamRequest { team, name: name.to_owned(), members, inboxes };
        admin.call::<PutTeam>(&world, &request).await.unwrap();
    };
    put("Nights", vec![ann], vec![]).await;
    assert_eq!((pulled(&world, &ann_desk).await, pulled(&world, &ben_desk).await), (200, 200), "nothing to see yet");
    put("Nights", vec![ann], vec![second]).await;
    assert_eq!((pulled(&world, &ann_desk).await, pulled(&world, &ben_desk).await), (409, 200));
    let mut both = vec![world.inbox, second];
    both.sort_unstable();
    assert_eq!(sees(&mut ann_desk).await, both);
    put("Night shift", vec![ann], vec![second]).await;
    assert_eq!(pulled(&world, &ann_desk).await, 200, "a name is nothing to start over for");
    // An inbox that a member has by name anyway changes nothing for her, and a newcomer starts over alone.
    put("Night shift", vec![ann, ben], vec![second, world.inbox]).await;
    assert_eq!((pulled(&world, &ann_desk).await, pulled(&world, &ben_desk).await), (200, 409));
    assert_eq!(sees(&mut ben_desk).await, both);
    put("Night shift", vec![ben], vec![second]).await;
    assert_eq!((pulled(&world, &ann_desk).await, pulled(&world, &ben_desk).await), (409, 200));
    assert_eq!(sees(&mut ann_desk).await, vec![world.inbox]);
    admin.call::<DeleteTeam>(&world, &DeleteTeamRequest { team }).await.unwrap();
    assert_eq!((pulled(&world, &ann_desk).await, pulled(&world, &ben_desk).await), (200, 409));
    assert_eq!(sees(&mut ben_desk).await, vec![world.inbox]);
    assert_eq!(code_of(admin.call::<DeleteTeam>(&world, &DeleteTeamRequest { team }).await), (404, Code::NotFound));
}

fn member(member: MemberId, role: Role, active: bool) -> UpdateMemberRequest {
    UpdateMemberRequest { member, role, active, inboxes: vec![], teams: vec![] }
}

async fn the_last_admin_stays(world: World) {
    let admin = world.desk("ada").await;
    let ada = admin.session.member;
    for request in [member(ada, Role::Agent, true), member(ada, Role::Admin, false)] {
        assert_eq!(code_of(admin.call::<UpdateMember>(&world, &request).await), (409, Code::LastAdmin));
    }
    let eve = world.add_member("eve", Role::Admin).await;
    admin.call::<UpdateMember>(&world, &member(ada, Role::Manager, true)).await.unwrap();
    assert_eq!(code_of(admin.call::<Overview>(&world, &Nothing {}).await), (403, Code::Forbidden), "at once");
    let eve_desk = world.desk("eve").await;
    assert_eq!(
        code_of(eve_desk.call::<UpdateMember>(&world, &member(eve, Role::Manager, true)).await),
        (409, Code::LastAdmin)
    );
}

async fn two_admins_who_demote_each_other_leave_one(world: World) {
    let ada = world.desk("ada").await;
    let eve = world.add_member("eve", Role::Admin).await;
    let eve_desk = world.desk("eve").await;
    let (eves, adas) = (member(eve, Role::Agent, true), member(ada.session.member, Role::Agent, true));
    let (one, two) =
        tokio::join!(ada.call::<UpdateMember>(&world, &eves), eve_desk.call::<UpdateMember>(&world, &adas));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
}

async fn access_is_set_as_a_whole_and_recorded(world: World) {
    let admin = world.desk("ada").await;
    let ann = world.add_member("ann", Role::Agent).await;
    let desk = world.desk("ann").await;
    let request = UpdateMemberRequest { inboxes: vec![], ..member(ann, Role::Manager, true) };
    admin.call::<UpdateMember>(&world, &request).await.unwrap();
    let overview = admin.call::<Overview>(&world, &Nothing {}).await.unwrap();
    let entry = overview.members.iter().find(|entry| entry.id == ann).unwrap();
    assert_eq!((entry.role, entry.active, entry.inboxes.len(), entry.two_factor), (Role::Manager, true, 0, false));
    let off = member(ann, Role::Manager, false);
    admin.call::<UpdateMember>(&world, &off).await.unwrap();
    assert_eq!(code_of(desk.call::<Pull>(&world, &PullRequest::default()).await), (401, Code::DeviceRevoked));
    let page = admin.call::<Audit>(&world, &AuditRequest { before: None, limit: 50 }).await.unwrap();
    let about: Vec<&str> = page
        .entries
        .iter()
        .filter(|entry| entry.target == format!("member/{ann}") && entry.actor == Some(admin.session.member))
        .map(|entry| entry.action.as_str())
        .collect();
    assert_eq!(about, ["member.deactivated", "member.access_changed", "member.role_changed"], "newest first");
    assert!(!format!("{page:?}").contains("example.org"));
}
