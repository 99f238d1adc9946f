//! Orders and their lines. Column meanings stand in privacy/inventory.toml; types in `db/schema.rs`.

/// Rows of `sales_order`.
pub mod sales_order {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "sales_order")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub contact: String,
        pub conversation: String,
        pub number: i64,
        pub stage: String,
        pub stage_by: Option<String>,
        pub fulfilment: String,
        pub payment: String,
        pub currency: String,
        pub total_minor: i64,
        pub placed_at: i64,
        pub staged_at: i64,
        pub row_seq: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows of `order_item`.
pub mod order_item {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "order_item")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub sales_order: String,
        pub place: i64,
        pub sku: String,
        pub name: Option<String>,
        pub quantity: i64,
        pub price_minor: i64,
        pub row_seq: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows of `fact`.
pub mod fact {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "fact")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub inbox: String,
        pub kind: String,
        pub at: i64,
        pub conversation: String,
        pub contact: String,
        pub member: Option<String>,
        pub sales_order: Option<String>,
        pub stage: Option<String>,
        pub amount_minor: Option<i64>,
        pub currency: Option<String>,
        pub took_ms: Option<i64>,
        pub row_seq: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
