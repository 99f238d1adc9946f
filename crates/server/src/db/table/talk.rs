//! Contacts, conversations and what is said in them. Column meanings stand in privacy/inventory.toml; types in `db/schema.rs`.

/// Rows of `contact`.
pub mod contact {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "contact")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: Option<String>,
        pub phone: Option<String>,
        pub username: Option<String>,
        pub blocked: bool,
        pub reachable: bool,
        pub row_seq: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows of `contact_identity`.
pub mod contact_identity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "contact_identity")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub contact: String,
        pub channel: String,
        pub scope: String,
        pub bsuid: Option<String>,
        pub active_bsuid: Option<String>,
        pub parent_bsuid: Option<String>,
        pub phone: Option<String>,
        pub username: Option<String>,
        pub since: i64,
        pub until: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows of `conversation`.
pub mod conversation {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "conversation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub inbox: String,
        pub contact: String,
        pub status: String,
        pub assignee: Option<String>,
        pub labels: String,
        pub snoozed_until: Option<i64>,
        pub customer_wrote_at: Option<i64>,
        pub entry_point_until: Option<i64>,
        pub active_at: i64,
        pub read_upto: i64,
        pub row_seq: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows of `message`.
pub mod message {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "message")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub conversation: String,
        pub inbox: String,
        pub direction: String,
        pub author: Option<String>,
        pub content: String,
        pub sent_at: i64,
        pub position: i64,
        pub delivery: Option<String>,
        pub reply_to: Option<String>,
        pub resend_of: Option<String>,
        pub forwarded: bool,
        pub edited: bool,
        pub revoked: bool,
        pub wamid: Option<String>,
        pub row_seq: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
