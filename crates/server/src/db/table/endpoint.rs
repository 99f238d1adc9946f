//! Inboxes and the Meta apps behind them. Column meanings stand in privacy/inventory.toml; types in `db/schema.rs`.

/// Rows of `meta_app`.
pub mod meta_app {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "meta_app")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub app_id: String,
        pub secret: Vec<u8>,
        pub secret_before: Option<Vec<u8>>,
        pub verify_token: Vec<u8>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows of `inbox`.
pub mod inbox {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "inbox")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub channel: String,
        pub address: Option<String>,
        pub connected: bool,
        pub app_id: String,
        pub waba: String,
        pub phone_number_id: String,
        pub token: Vec<u8>,
        pub graph_url: Option<String>,
        pub row_seq: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
