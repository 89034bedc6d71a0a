//! How either database runs the statements of an act, inside a transaction.
//!
//! The words of a statement stand once, in `act.rs`; each database runs them with its own driver.
//! Where the databases need different words or locks, the trait has a method for that statement.
//! Only what acts need is here: reads and publishes are written for each database.
use domain::RoomName;
use sqlx::{Arguments as _, Database, Encode, Type};

/// What a step of a transaction brings, or the database's failure.
pub(super) type Step<T> = Result<T, sqlx::Error>;

/// A connection that is inside a transaction.
pub(super) trait Statements {
    /// Runs a statement; answers how many rows it wrote.
    async fn change(&mut self, statement: &'static str, values: &[Value<'_>]) -> Step<u64>;

    /// Gives every room a new epoch, each its own; answers how many rooms there are.
    async fn renew_all(&mut self) -> Step<u64>;

    /// Runs a statement whose rows are one number; answers the first row, if there is one.
    async fn number(&mut self, statement: &'static str, values: &[Value<'_>]) -> Step<Option<i64>>;

    /// The number of a room, if it exists: a publish that was under way has ended, the next one
    /// sees what this transaction does.
    async fn lock_room(&mut self, room: &RoomName) -> Step<Option<i64>>;
}

/// A value of a statement: the first is `$1`.
#[derive(Clone, Copy)]
pub(super) enum Value<'v> {
    Number(i64),
    Text(&'v str),
    Bytes(&'v [u8]),
}

/// The values as a driver takes them.
pub(super) fn arguments<'v, DB>(values: &[Value<'v>]) -> Step<DB::Arguments>
where
    DB: Database,
    i64: Encode<'v, DB> + Type<DB>,
    &'v str: Encode<'v, DB> + Type<DB>,
    &'v [u8]: Encode<'v, DB> + Type<DB>,
{
    let mut taken = DB::Arguments::default();
    for value in values {
        let added = match *value {
            Value::Number(number) => taken.add(number),
            Value::Text(text) => taken.add(text),
            Value::Bytes(bytes) => taken.add(bytes),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(taken)
}
