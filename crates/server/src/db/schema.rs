//! The schema as a list of migrations, the same on every database.
//!
//! Promise: each migration is one step (one table or one index) and may be run again; `workspace` leads every key; composite
//! foreign keys make the database itself refuse references across workspaces. Times are BIGINT milliseconds, ids CHAR(36).

use sea_orm::DbErr;
use sea_orm::sea_query::{Alias, ColumnDef, ForeignKey, ForeignKeyAction, Index, Table};
use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

use super::dialect;

/// Runs the steps.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        steps().into_iter().map(|step| Box::new(step) as Box<dyn MigrationTrait>).collect()
    }
}

enum Type {
    /// A UUID as text.
    Id,
    /// Short text of a fixed alphabet or of Meta's, at most so many characters.
    Key(u32),
    /// Text that people write: a name, a title.
    Text,
    /// JSON or a long text.
    Long,
    /// Sealed bytes.
    Bytes,
    /// A whole number; times too.
    Whole,
    /// Yes or no.
    Flag,
}

struct Column {
    name: &'static str,
    r#type: Type,
    null: bool,
}

struct Reference {
    columns: &'static [&'static str],
    to: &'static str,
    keys: &'static [&'static str],
}

enum Kind {
    Table {
        columns: Vec<Column>,
        key: &'static [&'static str],
        references: Vec<Reference>,
    },
    Index {
        name: &'static str,
        columns: &'static [&'static str],
        unique: bool,
    },
    /// A column of a table that stands already: nullable, or a flag that is off.
    Column(Column),
}

struct Step {
    name: String,
    table: &'static str,
    kind: Kind,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match &self.kind {
            Kind::Table { columns, key, references } => {
                let mut table = Table::create();
                table.table(Alias::new(self.table)).if_not_exists();
                for column in columns {
                    table.col(definition(column));
                }
                let mut primary = Index::create();
                for column in *key {
                    primary.col(Alias::new(*column));
                }
                table.primary_key(&mut primary);
                for (place, reference) in references.iter().enumerate() {
                    let mut foreign = ForeignKey::create();
                    foreign.name(format!("fk_{}_{place}", self.table));
                    foreign.from_tbl(Alias::new(self.table)).to_tbl(Alias::new(reference.to));
                    for (from, to) in reference.columns.iter().zip(reference.keys) {
                        foreign.from_col(Alias::new(*from)).to_col(Alias::new(*to));
                    }
                    foreign.on_delete(ForeignKeyAction::Restrict);
                    table.foreign_key(&mut foreign);
                }
                dialect::table_options(manager.get_database_backend(), &mut table);
                manager.create_table(table).await
            }
            Kind::Index { name, columns, unique } => {
                if manager.has_index(self.table, *name).await? {
                    return Ok(());
                }
                let mut index = Index::create();
                index.name(*name).table(Alias::new(self.table));
                for column in *columns {
                    index.col(Alias::new(*column));
                }
                if *unique {
                    index.unique();
                }
                manager.create_index(index).await
            }
            Kind::Column(column) => {
                if manager.has_column(self.table, column.name).await? {
                    return Ok(());
                }
                let mut definition = definition(column);
                if !column.null {
                    definition.default(false);
                }
                let mut table = Table::alter();
                manager.alter_table(table.table(Alias::new(self.table)).add_column(definition).to_owned()).await
            }
        }
    }
}

fn definition(column: &Column) -> ColumnDef {
    let mut definition = ColumnDef::new(Alias::new(column.name));
    match column.r#type {
        Type::Id => definition.char_len(36),
        Type::Key(length) => definition.string_len(length),
        Type::Text => definition.string_len(512),
        Type::Long => dialect::long_text(&mut definition),
        Type::Bytes => dialect::long_bytes(&mut definition),
        Type::Whole => definition.big_integer(),
        Type::Flag => definition.boolean(),
    };
    if column.null {
        definition.null()
    } else {
        definition.not_null()
    };
    definition
}

macro_rules! table {
    ($name:literal, key $key:expr, { $($column:ident: $type:expr $(, $null:ident)?;)* } $(, $from:expr => $to:literal $keys:expr)*) => {
        Step {
            name: concat!("table_", $name).to_owned(),
            table: $name,
            kind: Kind::Table {
                columns: vec![$(Column { name: stringify!($column), r#type: $type, null: false $(|| stringify!($null) == "null")? }),*],
                key: &$key,
                references: vec![$(Reference { columns: &$from, to: $to, keys: &$keys }),*],
            },
        }
    };
}

fn index(table: &'static str, name: &'static str, columns: &'static [&'static str]) -> Step {
    Step { name: format!("index_{name}"), table, kind: Kind::Index { name, columns, unique: false } }
}

fn unique(table: &'static str, name: &'static str, columns: &'static [&'static str]) -> Step {
    Step { name: format!("index_{name}"), table, kind: Kind::Index { name, columns, unique: true } }
}

fn flag(table: &'static str, name: &'static str) -> Step {
    let column = Column { name, r#type: Type::Flag, null: false };
    Step { name: format!("column_{table}_{name}"), table, kind: Kind::Column(column) }
}

fn maybe(table: &'static str, name: &'static str, r#type: Type) -> Step {
    let column = Column { name, r#type, null: true };
    Step { name: format!("column_{table}_{name}"), table, kind: Kind::Column(column) }
}

/// How a column's values look from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Text,
    Bytes,
    Whole,
    Flag,
}

/// Every table with its columns, parents before children.
pub(super) fn tables() -> Vec<(&'static str, Vec<(&'static str, Form)>)> {
    let form = |column: &Column| match column.r#type {
        Type::Id | Type::Key(_) | Type::Text | Type::Long => Form::Text,
        Type::Bytes => Form::Bytes,
        Type::Whole => Form::Whole,
        Type::Flag => Form::Flag,
    };
    let mut found: Vec<(&'static str, Vec<(&'static str, Form)>)> = Vec::new();
    for step in steps() {
        match &step.kind {
            Kind::Table { columns, .. } => {
                found.push((step.table, columns.iter().map(|column| (column.name, form(column))).collect()));
            }
            Kind::Column(column) => {
                if let Some((_, columns)) = found.iter_mut().find(|(table, _)| *table == step.table) {
                    columns.push((column.name, form(column)));
                }
            }
            Kind::Index { .. } => {}
        }
    }
    found
}

/// Names are recorded in the database: a step is never changed once released, only followed by others.
fn steps() -> Vec<Step> {
    use Type::*;
    const OWN: [&str; 2] = ["workspace", "id"];
    vec![
        table!("workspace", key ["id"], {
            id: Id; name: Text; seq: Whole; orders: Whole; lineage: Key(64); created_at: Whole; row_seq: Whole;
        }),
        table!("member", key OWN, {
            workspace: Id; id: Id; name: Text; email: Key(320); role: Key(16); active: Flag; password: Text; epoch: Whole;
            row_seq: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        unique("member", "member_email", &["email"]),
        table!("device", key OWN, {
            workspace: Id; id: Id; member: Id; name: Text; access_hash: Key(64), null; access_expires_at: Whole;
            refresh_hash: Key(64), null; previous_hash: Key(64), null; nonce: Key(64); rotated_at: Whole;
            created_at: Whole; last_seen_at: Whole; revoked_at: Whole, null;
        }, ["workspace", "member"] => "member" OWN),
        unique("device", "device_access", &["access_hash"]),
        index("device", "device_id", &["id"]),
        table!("meta_app", key ["app_id"], {
            app_id: Key(64); secret: Bytes; secret_before: Bytes, null; verify_token: Bytes; created_at: Whole;
        }),
        table!("inbox", key OWN, {
            workspace: Id; id: Id; name: Text; channel: Key(16); address: Key(64), null; connected: Flag; app_id: Key(64);
            waba: Key(64); phone_number_id: Key(64); token: Bytes; graph_url: Text, null; row_seq: Whole;
        }, ["workspace"] => "workspace" ["id"], ["app_id"] => "meta_app" ["app_id"]),
        unique("inbox", "inbox_number", &["phone_number_id"]),
        table!("member_inbox", key ["workspace", "member", "inbox"], {
            workspace: Id; member: Id; inbox: Id;
        }, ["workspace", "member"] => "member" OWN, ["workspace", "inbox"] => "inbox" OWN),
        table!("label", key OWN, {
            workspace: Id; id: Id; name: Text; colour: Key(16); row_seq: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        table!("pipeline", key OWN, {
            workspace: Id; id: Id; name: Text; row_seq: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        table!("stage", key OWN, {
            workspace: Id; id: Id; pipeline: Id; name: Text; place: Whole; closed: Flag; row_seq: Whole;
        }, ["workspace", "pipeline"] => "pipeline" OWN),
        table!("contact", key OWN, {
            workspace: Id; id: Id; name: Text, null; phone: Key(64), null; username: Key(255), null; blocked: Flag; reachable: Flag;
            row_seq: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        table!("contact_identity", key OWN, {
            workspace: Id; id: Id; contact: Id; channel: Key(16); scope: Key(64); bsuid: Key(160), null;
            active_bsuid: Key(160), null; parent_bsuid: Key(160), null; phone: Key(64), null; username: Key(255), null;
            since: Whole; until: Whole, null;
        }, ["workspace", "contact"] => "contact" OWN),
        unique("contact_identity", "contact_identity_bsuid", &["workspace", "scope", "active_bsuid"]),
        index("contact_identity", "contact_identity_parent", &["workspace", "scope", "parent_bsuid"]),
        index("contact_identity", "contact_identity_phone", &["workspace", "scope", "phone"]),
        table!("conversation", key OWN, {
            workspace: Id; id: Id; inbox: Id; contact: Id; status: Key(16); assignee: Id, null; labels: Long;
            snoozed_until: Whole, null; customer_wrote_at: Whole, null; entry_point_until: Whole, null; active_at: Whole;
            read_upto: Whole; row_seq: Whole;
        }, ["workspace", "inbox"] => "inbox" OWN, ["workspace", "contact"] => "contact" OWN,
           ["workspace", "assignee"] => "member" OWN),
        unique("conversation", "conversation_contact", &["workspace", "contact", "inbox"]),
        index("conversation", "conversation_active", &["workspace", "active_at", "id"]),
        index("conversation", "conversation_status", &["workspace", "status", "active_at", "id"]),
        index("conversation", "conversation_inbox", &["workspace", "inbox", "status", "active_at", "id"]),
        index("conversation", "conversation_assignee", &["workspace", "assignee", "status", "active_at", "id"]),
        table!("message", key OWN, {
            workspace: Id; id: Id; conversation: Id; inbox: Id; direction: Key(16); author: Id, null; content: Long;
            sent_at: Whole; position: Whole; delivery: Long, null; reply_to: Id, null; resend_of: Id, null; forwarded: Flag;
            edited: Flag; revoked: Flag; wamid: Key(255), null; row_seq: Whole;
        }, ["workspace", "conversation"] => "conversation" OWN),
        unique("message", "message_wamid", &["workspace", "inbox", "wamid"]),
        index("message", "message_position", &["workspace", "conversation", "position"]),
        table!("sales_order", key OWN, {
            workspace: Id; id: Id; contact: Id; conversation: Id; number: Whole; stage: Id; stage_by: Id, null;
            fulfilment: Key(16); payment: Key(16); currency: Key(8); total_minor: Whole; placed_at: Whole; staged_at: Whole;
            row_seq: Whole;
        }, ["workspace", "conversation"] => "conversation" OWN, ["workspace", "contact"] => "contact" OWN,
           ["workspace", "stage"] => "stage" OWN),
        index("sales_order", "sales_order_conversation", &["workspace", "conversation"]),
        table!("order_item", key OWN, {
            workspace: Id; id: Id; sales_order: Id; place: Whole; sku: Text; name: Text, null; quantity: Whole; price_minor: Whole;
            row_seq: Whole;
        }, ["workspace", "sales_order"] => "sales_order" OWN),
        index("order_item", "order_item_order", &["workspace", "sales_order"]),
        table!("change", key ["workspace", "kind", "id"], {
            workspace: Id; kind: Key(16); id: Id; root_kind: Key(16); root_id: Id; inbox: Id, null; seq: Whole;
            scope_seq: Whole; deleted: Flag; at: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        index("change", "change_scope", &["workspace", "seq", "inbox"]),
        table!("fact", key OWN, {
            workspace: Id; id: Id; inbox: Id; kind: Key(32); at: Whole; conversation: Id; contact: Id; member: Id, null;
            sales_order: Id, null; stage: Id, null; amount_minor: Whole, null; currency: Key(8), null; took_ms: Whole, null;
            row_seq: Whole;
        }, ["workspace", "inbox"] => "inbox" OWN),
        index("fact", "fact_at", &["workspace", "at"]),
        index("fact", "fact_contact", &["workspace", "contact"]),
        table!("intent", key OWN, {
            workspace: Id; id: Id; device: Id; outcome: Key(16); code: Key(64), null; at_seq: Whole; at: Whole;
        }, ["workspace", "device"] => "device" OWN),
        index("intent", "intent_device", &["workspace", "device", "at_seq"]),
        table!("intent_write", key ["workspace", "intent", "kind", "id"], {
            workspace: Id; intent: Id; kind: Key(16); id: Id;
        }, ["workspace", "intent"] => "intent" OWN),
        table!("outbox", key ["workspace", "message"], {
            workspace: Id; message: Id; conversation: Id; inbox: Id; contact: Id; resend_of: Id, null; place: Whole; state: Key(16);
            node: Key(64), null; lease_until: Whole, null; attempt: Whole; started_at: Whole, null; not_before: Whole;
            settle_by: Whole, null;
        }, ["workspace", "message"] => "message" OWN),
        index("outbox", "outbox_state", &["state", "not_before"]),
        index("outbox", "outbox_lane", &["workspace", "inbox", "contact", "place"]),
        table!("orphan_status", key OWN, {
            workspace: Id; id: Id; inbox: Id; wamid: Key(255); body: Long; expires_at: Whole;
        }, ["workspace", "inbox"] => "inbox" OWN),
        index("orphan_status", "orphan_status_wamid", &["workspace", "inbox", "wamid"]),
        index("orphan_status", "orphan_status_expiry", &["expires_at"]),
        table!("raw_event", key ["id"], {
            id: Id; app_id: Key(64); received_at: Whole; body: Bytes; state: Key(16);
        }),
        index("raw_event", "raw_event_state", &["state", "id"]),
        table!("item", key ["body", "place"], {
            body: Id; place: Whole; workspace: Id, null; phone_number_id: Key(64), null; state: Key(16); attempts: Whole;
            reason: Key(64), null; expires_at: Whole;
        }, ["body"] => "raw_event" ["id"]),
        index("item", "item_state", &["state", "phone_number_id"]),
        table!("dedupe", key ["hash"], {
            hash: Key(64); expires_at: Whole;
        }),
        index("dedupe", "dedupe_expiry", &["expires_at"]),
        table!("audit", key ["workspace", "place"], {
            workspace: Id; place: Whole; at: Whole; actor: Id, null; action: Key(64); target: Key(128); details: Long;
            prev: Key(64); hash: Key(64);
        }, ["workspace"] => "workspace" ["id"]),
        table!("audit_head", key ["workspace"], {
            workspace: Id; place: Whole; hash: Key(64); sealed_upto: Whole; sealed_at: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        table!("audit_checkpoint", key ["workspace", "place"], {
            workspace: Id; place: Whole; at: Whole; hash: Key(64); signature: Key(128);
        }, ["workspace"] => "workspace" ["id"]),
        table!("workspace_key", key ["workspace", "version"], {
            workspace: Key(36); version: Whole; kek: Key(36); wrapped: Bytes; created_at: Whole;
        }),
        table!("egress_record", key ["id"], {
            id: Id; workspace: Id, null; sub_processor: Key(32); purpose: Key(64); fields: Text; calls: Whole; bytes: Whole;
            at: Whole;
        }),
        index("egress_record", "egress_record_at", &["sub_processor", "at"]),
        flag("workspace", "two_factor_required"),
        flag("workspace", "mask_contacts"),
        flag("member", "two_factor"),
        maybe("device", "device_key", Key(64)),
        maybe("device", "signed_in_at", Whole),
        maybe("device", "stepped_up_until", Whole),
        index("device", "device_member", &["workspace", "member"]),
        table!("team", key OWN, {
            workspace: Id; id: Id; name: Text; created_at: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        table!("team_member", key ["workspace", "team", "member"], {
            workspace: Id; team: Id; member: Id;
        }, ["workspace", "team"] => "team" OWN, ["workspace", "member"] => "member" OWN),
        index("team_member", "team_member_member", &["workspace", "member"]),
        table!("team_inbox", key ["workspace", "team", "inbox"], {
            workspace: Id; team: Id; inbox: Id;
        }, ["workspace", "team"] => "team" OWN, ["workspace", "inbox"] => "inbox" OWN),
        table!("invitation", key OWN, {
            workspace: Id; id: Id; email: Key(320); role: Key(16); token_hash: Key(64); invited_by: Id, null; mailed: Flag;
            created_at: Whole; expires_at: Whole;
        }, ["workspace"] => "workspace" ["id"], ["workspace", "invited_by"] => "member" OWN),
        unique("invitation", "invitation_token", &["token_hash"]),
        unique("invitation", "invitation_email", &["workspace", "email"]),
        table!("invitation_inbox", key ["workspace", "invitation", "inbox"], {
            workspace: Id; invitation: Id; inbox: Id;
        }, ["workspace", "invitation"] => "invitation" OWN, ["workspace", "inbox"] => "inbox" OWN),
        table!("invitation_team", key ["workspace", "invitation", "team"], {
            workspace: Id; invitation: Id; team: Id;
        }, ["workspace", "invitation"] => "invitation" OWN, ["workspace", "team"] => "team" OWN),
        table!("second_factor", key ["workspace", "member"], {
            workspace: Id; member: Id; seed: Bytes, null; pending: Bytes, null; last_step: Whole;
        }, ["workspace", "member"] => "member" OWN),
        table!("recovery_code", key ["workspace", "member", "hash"], {
            workspace: Id; member: Id; hash: Key(64);
        }, ["workspace", "member"] => "member" OWN),
        table!("sign_in_try", key ["subject"], {
            subject: Key(64); wrong: Whole; at: Whole;
        }),
        index("sign_in_try", "sign_in_try_at", &["at"]),
        table!("job", key ["name"], {
            name: Key(128); kind: Key(32); workspace: Id, null; priority: Whole; state: Key(16); run_at: Whole; every_ms: Whole, null;
            lease_until: Whole, null; node: Key(64), null; attempts: Whole; claims: Whole; reason: Key(64), null; body: Long;
        }),
        index("job", "job_due", &["state", "priority", "run_at"]),
        table!("device_policy", key ["workspace"], {
            workspace: Id; epoch: Whole; policy: Long, null; set_by: Id, null; at: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        table!("device_copy", key ["workspace", "device"], {
            workspace: Id; device: Id; heard_at: Whole; unsent: Whole; drafts: Whole; lease_serial: Whole; leased_at: Whole;
            lease: Bytes, null; previous_lease: Bytes, null; outbox_key: Bytes, null;
        }, ["workspace", "device"] => "device" OWN),
        table!("device_receipt", key ["workspace", "device", "subject"], {
            workspace: Id; device: Id; subject: Key(36); at: Whole; removed: Whole; unsent: Whole; drafts: Whole;
            signature: Key(128); received_at: Whole;
        }, ["workspace", "device"] => "device" OWN),
        table!("erasure", key ["workspace", "place"], {
            workspace: Id; place: Whole; id: Id; contact: Id; conversations: Long; at: Whole;
        }, ["workspace"] => "workspace" ["id"]),
        index("erasure", "erasure_contact", &["workspace", "contact"]),
    ]
}
