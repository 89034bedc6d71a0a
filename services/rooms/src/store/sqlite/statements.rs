//! The statements of an act in SQLite.
//!
//! A room needs no lock of its own: the transaction began with BEGIN IMMEDIATE, so it holds the
//! file's one write lock, and no publish can be under way.
use domain::RoomName;
use sqlx::Sqlite;
use sqlx::sqlite::SqliteConnection;

use crate::store::statements::Value::Text;
use crate::store::statements::{Statements, Step, Value, arguments};

impl Statements for SqliteConnection {
    async fn change(&mut self, statement: &'static str, values: &[Value<'_>]) -> Step<u64> {
        let changed =
            sqlx::query_with(statement, arguments::<Sqlite>(values)?).execute(self).await?;
        Ok(changed.rows_affected())
    }

    async fn renew_all(&mut self) -> Step<u64> {
        self.change("UPDATE room SET epoch = lower(hex(randomblob(6)))", &[]).await
    }

    async fn number(&mut self, statement: &'static str, values: &[Value<'_>]) -> Step<Option<i64>> {
        sqlx::query_scalar_with(statement, arguments::<Sqlite>(values)?).fetch_optional(self).await
    }

    async fn lock_room(&mut self, room: &RoomName) -> Step<Option<i64>> {
        self.number("SELECT id FROM room WHERE name = $1", &[Text(room.as_str())]).await
    }
}
