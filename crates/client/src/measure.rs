//! The store without a network, for benchmarks: rows go in as sync puts them in, and come out as the window gets them.

use std::path::Path;

use parley_domain::entity::Entity;
use parley_domain::limits::SLICE_ROWS;
use parley_domain::permission::Role;
use parley_domain::protocol::change::Row;
use parley_domain::{ConversationId, DeviceId, MemberId, PersonName, WorkspaceId};
use uuid::Uuid;

use crate::Result;
use crate::desk::{DirLock, make_dir};
use crate::keyfile::StoreKeys;
use crate::store::apply::{self, Advance, Slice};
use crate::store::pool::{Durability, Urgency};
use crate::store::session::{self, SignedIn};
use crate::store::{Stores, search, timeline};
use crate::views::{SearchResult, TimelinePage};

const DESK: &str = "measured";

/// A desk's files with fixed keys and nobody behind them.
pub struct BareStore {
    stores: Stores,
    upto: u64,
}

impl BareStore {
    /// New files.
    pub async fn create(dir: &Path) -> Result<Self> {
        make_dir(dir)?;
        let stores = Stores::create(dir, DESK, &keys(), DirLock::take(dir)?, None)?;
        stores.replica.write_durable(Urgency::Person, Durability::Full, |tx| session::save(tx, &nobody())).await?;
        Ok(Self { stores, upto: 0 })
    }

    /// The files of an earlier [`BareStore::create`].
    pub fn open(dir: &Path) -> Result<Self> {
        let (stores, _) = Stores::open(dir, DESK, &keys(), DirLock::take(dir)?, None)?;
        Ok(Self { stores, upto: 0 })
    }

    /// Stores rows as a snapshot does: a transaction for each slice.
    pub async fn store(&mut self, entities: Vec<Entity>) -> Result<()> {
        let mut rows = Vec::with_capacity(SLICE_ROWS);
        for entity in entities {
            self.upto += 1;
            let root = entity.root(WorkspaceId(Uuid::nil()));
            rows.push(Row { key: entity.key(), root, seq: self.upto, entity: Some(entity) });
            if rows.len() == SLICE_ROWS {
                self.slice(std::mem::take(&mut rows)).await?;
            }
        }
        self.slice(rows).await
    }

    async fn slice(&self, rows: Vec<Row>) -> Result<()> {
        let slice = Slice {
            rows,
            enter: Vec::new(),
            gone: Vec::new(),
            outcomes: Vec::new(),
            advance: Advance::Cursor { cursor: self.upto.to_string(), upto: self.upto },
            live: false,
        };
        self.stores
            .replica
            .write(Urgency::Background, move |tx| apply::apply(tx, &slice, &[], &nobody()).map(drop))
            .await
    }

    /// The newest entries of a conversation, as the window gets them.
    pub async fn timeline(&self, conversation: ConversationId, limit: u32) -> Result<TimelinePage> {
        self.stores.replica.read(move |c| timeline::page(c, conversation, None, limit)).await
    }

    /// A search, as the window gets it.
    pub async fn search(&self, text: &str, limit: u32) -> Result<SearchResult> {
        let text = text.to_owned();
        self.stores.replica.read(move |c| search::search(c, &text, limit, nobody().member)).await
    }
}

fn keys() -> StoreKeys {
    StoreKeys { replica: [7; 32], outbox: [8; 32], media: [9; 32] }
}

fn nobody() -> SignedIn {
    SignedIn {
        server: "https://nobody.example".into(),
        workspace: WorkspaceId(Uuid::nil()),
        workspace_name: String::new(),
        member: MemberId(Uuid::nil()),
        member_name: PersonName::new(""),
        role: Role::Admin,
        inboxes: Default::default(),
        device: DeviceId(Uuid::nil()),
        holds: None,
    }
}
