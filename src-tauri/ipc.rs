//! The one list of commands that the window may call. Each line is one call of the engine and nothing else: the list is
//! expanded into the dispatch, and into the TypeScript types of `ui/src/lib/ipc/generated.ts`.
//!
//! Promise: arguments are checked for unknown fields and wrong types; every failure is a [`Problem`] with a code.

use std::collections::BTreeSet;

use parley_client::Engine;
use parley_client::views::*;
use parley_domain::conversation::Status;
use parley_domain::permission::Role;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::Problem;
use parley_domain::protocol::access::*;
use parley_domain::protocol::device::DevicePolicyView;
use parley_domain::protocol::session::Secret;
use parley_domain::{
    Code, ConversationId, DeviceId, Email, InboxId, IntentId, InvitationId, LabelId, MemberId, MessageId, MessageText,
    OrderId, PersonName, PipelineId, StageId, TeamId, Timestamp,
};
use serde::Deserialize;
use serde_json::Value;

macro_rules! commands {
    ($engine:ident: $($name:ident { $($arg:ident: $type:ty),* } -> $result:ty = $call:expr;)*) => {
        /// Runs one command. `name` is one of the list, `args` an object with its arguments.
        pub async fn dispatch($engine: &Engine, name: &str, args: Value) -> Result<Value, Problem> {
            match name {
                $(stringify!($name) => {
                    #[derive(Deserialize)]
                    #[serde(deny_unknown_fields)]
                    struct Args { $($arg: $type),* }
                    let Args { $($arg),* } = read(args)?;
                    let result: Result<$result, parley_client::Error> = $call;
                    write(&result.map_err(|error| problem(&error))?)
                })*
                _ => Err(Problem { code: Code::NotFound, message: "no such command".into(), retry_after: None }),
            }
        }

        /// Names of all commands.
        #[cfg(test)]
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        #[cfg(all(test, feature = "bindings"))]
        pub(crate) fn commands_typescript(config: &ts_rs::Config) -> String {
            use ts_rs::TS;
            let mut text = String::from("/** Every command: its arguments and its result. */\nexport interface Commands {\n");
            $(
                {
                    let args: Vec<String> = vec![$(format!("{}: {}", stringify!($arg), <$type as TS>::name(config))),*];
                    let args = if args.is_empty() { "Record<string, never>".to_owned() } else { format!("{{ {} }}", args.join(", ")) };
                    text.push_str(&format!("  {}: [{args}, {}];\n", stringify!($name), <$result as TS>::name(config)));
                }
            )*
            text.push_str("}\n");
            text
        }

        #[cfg(all(test, feature = "bindings"))]
        pub(crate) fn visit_types(visitor: &mut impl ts_rs::TypeVisitor) {
            $(
                $(visitor.visit::<$type>();)*
                visitor.visit::<$result>();
            )*
        }
    };
}

commands! {
    engine:
    phase {} -> Phase = Ok(engine.phase());
    connection {} -> Connection = Ok(engine.connection());
    sidebar {} -> Sidebar = engine.sidebar().await;
    conversations { view: View, after: Option<ListCursor>, limit: u32 } -> ConversationPage
        = engine.conversations(view, after, limit).await;
    conversation { id: ConversationId } -> Option<ConversationDetail> = engine.conversation(id).await;
    timeline { conversation: ConversationId, before: Option<TimelineCursor>, limit: u32 } -> TimelinePage
        = engine.timeline(conversation, before, limit).await;
    board { pipeline: Option<PipelineId> } -> Option<Board> = engine.board(pipeline).await;
    outbox {} -> Vec<OutboxItem> = engine.outbox().await;
    search { text: MessageText, limit: u32 } -> SearchResult = engine.search(text.expose(), limit).await;
    draft { conversation: ConversationId, mode: DraftMode } -> Option<MessageText> = engine.draft(conversation, mode).await;
    sign_in { server: String, email: Email, password: Secret, device_name: String, code: Option<Secret> } -> Phase
        = engine.sign_in(&server, email.expose(), password.expose(), &device_name, code).await;
    invitation_offer { server: String, token: Secret } -> InvitationOffer
        = engine.invitation_offer(&server, token.expose()).await;
    accept_invitation { server: String, token: Secret, name: PersonName, password: Secret, device_name: String } -> Phase
        = engine.accept_invitation(&server, token.expose(), name, password, &device_name).await;
    own_access {} -> OwnAccess = engine.own_access().await;
    step_up { password: Secret, code: Option<Secret> } -> SteppedUp = engine.step_up(password, code).await;
    change_password { password: Secret } -> () = engine.change_password(password).await;
    begin_two_factor {} -> TwoFactorOffer = engine.begin_two_factor().await;
    confirm_two_factor { code: Secret } -> RecoveryCodes = engine.confirm_two_factor(code).await;
    remove_two_factor {} -> () = engine.remove_two_factor().await;
    devices { member: Option<MemberId> } -> Vec<DeviceEntry> = engine.devices(member).await;
    revoke_device { device: DeviceId } -> () = engine.revoke_device(device).await;
    access_overview {} -> AccessOverview = engine.access_overview().await;
    invite { email: Email, role: Role, inboxes: Vec<InboxId>, teams: Vec<TeamId> } -> Invited
        = engine.invite(email, role, inboxes, teams).await;
    cancel_invitation { invitation: InvitationId } -> () = engine.cancel_invitation(invitation).await;
    update_member { member: MemberId, role: Role, active: bool, inboxes: Vec<InboxId>, teams: Vec<TeamId> } -> ()
        = engine.update_member(member, role, active, inboxes, teams).await;
    reset_two_factor { member: MemberId } -> () = engine.reset_two_factor(member).await;
    put_team { team: Option<TeamId>, name: String, members: Vec<MemberId>, inboxes: Vec<InboxId> } -> TeamId
        = engine.put_team(team, name, members, inboxes).await;
    delete_team { team: TeamId } -> () = engine.delete_team(team).await;
    set_access_rules { rules: AccessRules } -> () = engine.set_access_rules(rules).await;
    lock {} -> Phase = engine.lock().await;
    unlock { secret: Option<Secret> } -> Phase = engine.unlock(secret).await;
    app_lock {} -> AppLock = engine.app_lock().await;
    set_pin { current: Option<Secret>, pin: Secret } -> AppLock = engine.set_pin(current, pin).await;
    remove_pin { current: Secret } -> AppLock = engine.remove_pin(current).await;
    set_up_passphrase { passphrase: Secret } -> Phase = engine.set_up_passphrase(passphrase).await;
    sign_in_again { email: Email, password: Secret, code: Option<Secret> } -> SignedInAgain
        = engine.sign_in_again(email.expose(), password.expose(), code).await;
    active {} -> () = { engine.active(); Ok(()) };
    lease {} -> LeaseView = engine.lease().await;
    storage {} -> StorageView = engine.storage().await;
    clear_storage { what: Clearable } -> StorageView = engine.clear_storage(what).await;
    device_policy {} -> DevicePolicyView = engine.device_policy().await;
    set_device_policy { policy: Option<DevicePolicy> } -> () = engine.set_device_policy(policy).await;
    remote_timeline { conversation: ConversationId, before: Option<TimelineCursor>, limit: u32 } -> TimelinePage
        = engine.remote_timeline(conversation, before, limit).await;
    audit { before: Option<u64>, limit: u32 } -> AuditPage = engine.audit(before, limit).await;
    sign_out {} -> Phase = engine.sign_out().await;
    retry_open {} -> Phase = engine.retry_open().await;
    send_reply { conversation: ConversationId, text: MessageText, reply_to: Option<MessageId>, newest_shown: Option<MessageId> } -> MessageId
        = engine.send_reply(conversation, text.expose(), reply_to, newest_shown).await;
    resend { message: MessageId } -> MessageId = engine.resend(message).await;
    cancel_send { message: MessageId, conversation: ConversationId } -> () = engine.cancel_send(message, conversation).await;
    add_note { conversation: ConversationId, text: MessageText } -> MessageId = engine.add_note(conversation, text.expose()).await;
    assign { conversation: ConversationId, assignee: Option<MemberId> } -> () = engine.assign(conversation, assignee).await;
    set_status { conversation: ConversationId, status: Status, snoozed_until: Option<Timestamp> } -> ()
        = engine.set_status(conversation, status, snoozed_until).await;
    label { conversation: ConversationId, add: BTreeSet<LabelId>, remove: BTreeSet<LabelId> } -> ()
        = engine.label(conversation, add, remove).await;
    mark_read { conversation: ConversationId, upto: u64 } -> () = engine.mark_read(conversation, upto).await;
    move_order { order: OrderId, stage: StageId } -> () = engine.move_order(order, stage).await;
    save_draft { conversation: ConversationId, mode: DraftMode, text: MessageText } -> ()
        = engine.save_draft(conversation, mode, text.expose()).await;
    discard_intent { id: IntentId } -> () = engine.discard_intent(id).await;
    retry_intent { id: IntentId } -> () = engine.retry_intent(id).await;
    focus { conversation: Option<ConversationId>, window_focused: bool } -> () = engine.focus(conversation, window_focused).await;
    sync_now {} -> () = engine.sync_now().await;
}

fn read<T: for<'a> Deserialize<'a>>(args: Value) -> Result<T, Problem> {
    let args = if args.is_null() { Value::Object(serde_json::Map::new()) } else { args };
    // The reason is left out: it may quote the value that was wrong.
    serde_json::from_value(args).map_err(|_| Problem {
        code: Code::BadRequest,
        message: "arguments do not fit the command".into(),
        retry_after: None,
    })
}

fn write<T: serde::Serialize>(result: &T) -> Result<Value, Problem> {
    serde_json::to_value(result).map_err(|_| Problem {
        code: Code::Internal,
        message: "the result cannot be written".into(),
        retry_after: None,
    })
}

fn problem(error: &parley_client::Error) -> Problem {
    Problem { code: error.code(), message: error.to_string(), retry_after: None }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parley_client::keys::MemoryVault;
    use parley_client::{EngineConfig, os};
    use serde_json::json;

    use super::*;

    /// Attack 26: a page that was taken over calls everything with whatever it likes.
    #[tokio::test]
    async fn junk_is_refused_with_a_code_and_never_echoed() {
        let folder = std::env::temp_dir().join(format!("parley-ipc-{}", std::process::id()));
        let engine = Engine::start(EngineConfig {
            base_dir: folder.clone(),
            vault: Arc::new(MemoryVault::default()),
            clock: Arc::new(os::SystemClock),
            randomness: Arc::new(os::OsRandomness),
        })
        .await;
        let canary = "a secret that must not come back";
        let junk = [
            json!(null),
            json!([]),
            json!(canary),
            json!({"id": canary}),
            json!({"conversation": canary, "text": canary, "reply_to": null, "newest_shown": null}),
            json!({"conversation": "../../etc/passwd", "limit": -1, "before": {"position": 1e300}}),
            json!({"limit": u64::MAX, "text": canary}),
            json!({"server": canary, "email": canary, "password": canary, "device_name": canary, "more": 1}),
        ];
        for name in NAMES.iter().filter(|name| {
            !matches!(**name, "phase" | "connection" | "sign_out" | "retry_open" | "lock" | "unlock" | "active")
        }) {
            for args in &junk {
                let Err(problem) = dispatch(&engine, name, args.clone()).await else {
                    panic!("{name} took {args}");
                };
                assert!(!format!("{problem:?}").contains(canary), "{name} echoes its arguments");
            }
        }
        for name in ["", "Phase", "plugin:updater|check", "phase "] {
            let refused = dispatch(&engine, name, json!({})).await;
            assert!(refused.is_err_and(|problem| problem.code == Code::NotFound), "{name}");
        }
        engine.close().await;
        let _ = std::fs::remove_dir_all(folder);
    }
}
