//! The statements of an act in PostgreSQL.
//!
//! Rooms are locked by their rows, many of them in the order in which publishes lock them: an act
//! waits for publishes of its own rooms alone, and never for one that waits for it.
use domain::RoomName;
use sqlx::Postgres;
use sqlx::postgres::PgConnection;

use crate::store::statements::Value::Text;
use crate::store::statements::{Statements, Step, Value, arguments};

impl Statements for PgConnection {
    async fn change(&mut self, statement: &'static str, values: &[Value<'_>]) -> Step<u64> {
        let changed =
            sqlx::query_with(statement, arguments::<Postgres>(values)?).execute(self).await?;
        Ok(changed.rows_affected())
    }

    async fn renew_all(&mut self) -> Step<u64> {
        // It takes as long as there are rooms; nothing else is going on after a restore.
        sqlx::raw_sql("SET LOCAL statement_timeout = 0").execute(&mut *self).await?;
        self.change(
            "WITH locked AS MATERIALIZED (SELECT id FROM room ORDER BY id FOR UPDATE) \
             UPDATE room SET epoch = substr(replace(gen_random_uuid()::text, '-', ''), 1, 12) \
             FROM locked WHERE room.id = locked.id",
            &[],
        )
        .await
    }

    async fn number(&mut self, statement: &'static str, values: &[Value<'_>]) -> Step<Option<i64>> {
        sqlx::query_scalar_with(statement, arguments::<Postgres>(values)?)
            .fetch_optional(self)
            .await
    }

    async fn lock_room(&mut self, room: &RoomName) -> Step<Option<i64>> {
        let statement = "SELECT id FROM room WHERE name = $1 FOR UPDATE";
        self.number(statement, &[Text(room.as_str())]).await
    }
}
