//! The one list of commands that the window may call. Each line is one call of the engine and nothing else: the list is
//! expanded into the dispatch, and into the TypeScript types of `ui/src/lib/ipc/generated.ts`.
//!
//! Promise: arguments are checked for unknown fields and wrong types; every failure is a [`Problem`] with a code.

use parley_client::Engine;
use parley_client::views::*;
use parley_domain::protocol::Problem;
use parley_domain::protocol::session::Secret;
use parley_domain::conversation::Status;
use parley_domain::{Code, ConversationId, Email, IntentId, LabelId, MemberId, MessageId, MessageText, OrderId, PipelineId, StageId, Timestamp};
use serde::Deserialize;
use serde_json::Value;

macro_rules! commands {
    ($($name:ident { $($arg:ident: $type:ty),* } -> $result:ty;)*) => {
        /// Runs one command. `name` is one of the list, `args` an object with its arguments.
        pub async fn dispatch(engine: &Engine, name: &str, args: Value) -> Result<Value, Problem> {
            match name {
                $(stringify!($name) => {
                    #[derive(Deserialize)]
                    #[serde(deny_unknown_fields)]
                    struct Args { $($arg: $type),* }
                    let Args { $($arg),* } = read(args)?;
                    let result: $result = engine.$name($($arg),*).await.map_err(|error| problem(&error))?;
                    write(&result)
                })*
                _ => Err(Problem { code: Code::NotFound, message: "no such command".into(), retry_after: None }),
            }
        }

        /// Names of all commands, for tests.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

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
    };
}

commands! {
    phase {} -> Phase;
    connection {} -> Connection;
    sidebar {} -> Sidebar;
    conversations { view: View, after: Option<ListCursor>, limit: u32 } -> ConversationPage;
    conversation { id: ConversationId } -> Option<ConversationDetail>;
    timeline { conversation: ConversationId, before: Option<TimelineCursor>, limit: u32 } -> TimelinePage;
    board { pipeline: Option<PipelineId> } -> Option<Board>;
    outbox {} -> Vec<OutboxItem>;
    search { text: MessageText, limit: u32 } -> SearchResult;
    draft { conversation: ConversationId, mode: DraftMode } -> Option<MessageText>;
    sign_in { server: String, email: Email, password: Secret, device_name: String } -> Phase;
    sign_out {} -> Phase;
    retry_open {} -> Phase;
    send_reply { conversation: ConversationId, text: MessageText, reply_to: Option<MessageId>, newest_shown: Option<MessageId> } -> MessageId;
    resend { message: MessageId } -> MessageId;
    cancel_send { message: MessageId, conversation: ConversationId } -> ();
    add_note { conversation: ConversationId, text: MessageText } -> MessageId;
    assign { conversation: ConversationId, assignee: Option<MemberId> } -> ();
    set_status { conversation: ConversationId, status: Status, snoozed_until: Option<Timestamp> } -> ();
    label { conversation: ConversationId, add: Vec<LabelId>, remove: Vec<LabelId> } -> ();
    mark_read { conversation: ConversationId, upto: u64 } -> ();
    move_order { order: OrderId, stage: StageId } -> ();
    save_draft { conversation: ConversationId, mode: DraftMode, text: MessageText } -> ();
    discard_intent { id: IntentId } -> ();
    retry_intent { id: IntentId } -> ();
    focus { conversation: Option<ConversationId>, window_focused: bool } -> ();
    sync_now {} -> ();
}

fn read<T: for<'a> Deserialize<'a>>(args: Value) -> Result<T, Problem> {
    let args = if args.is_null() { Value::Object(serde_json::Map::new()) } else { args };
    // The reason is left out: it may quote the value that was wrong.
    serde_json::from_value(args)
        .map_err(|_| Problem { code: Code::BadRequest, message: "arguments do not fit the command".into(), retry_after: None })
}

fn write<T: serde::Serialize>(result: &T) -> Result<Value, Problem> {
    serde_json::to_value(result)
        .map_err(|_| Problem { code: Code::Internal, message: "the result cannot be written".into(), retry_after: None })
}

fn problem(error: &parley_client::Error) -> Problem {
    Problem { code: error.code(), message: error.to_string(), retry_after: None }
}
