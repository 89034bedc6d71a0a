//! Connections on loan.
//!
//! The pool's own way of taking back a connection that is in the middle of something can wait on
//! the server for ever and then loses the place in the pool. So a connection whose use did not end,
//! because it took too long or because the caller went away, is cut off here and its place is free
//! at once.
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

/// Longest wait for a free connection.
const ACQUIRE: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(10 * 60);
const LIFE: Duration = Duration::from_secs(30 * 60);

/// A pool that connects when it is first asked.
pub(super) fn open(connect: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(IDLE)
        .max_lifetime(LIFE)
        // A dead connection shows itself at its first statement, and everything here can be
        // repeated.
        .test_before_acquire(false)
        .connect_lazy_with(connect)
}

/// A connection on loan.
pub(super) struct Lent {
    conn: Option<PoolConnection<Postgres>>,
}

impl Lent {
    pub(super) async fn take(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self { conn: Some(pool.acquire().await?) })
    }

    /// Gives the connection back if its use ended in an orderly way, and passes on what came of it.
    pub(super) fn back<T>(mut self, got: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        let orderly = match &got {
            Ok(_) | Err(sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. }) => true,
            // The server answered; after a FATAL answer it closes the connection.
            Err(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| !code.starts_with("57P"))
            }
            Err(_) => false,
        };
        if orderly {
            drop(self.conn.take());
        }
        got
    }
}

/// What was not given back is cut off.
impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            drop(conn.detach());
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;
    #[expect(clippy::expect_used, reason = "the connection is taken out only by the last use")]
    fn deref(&self) -> &PgConnection {
        self.conn.as_ref().expect("lent")
    }
}

impl DerefMut for Lent {
    #[expect(clippy::expect_used, reason = "the connection is taken out only by the last use")]
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.conn.as_mut().expect("lent")
    }
}

/// Waits for a use of a connection no longer than `wait`.
pub(super) async fn bounded<T>(
    wait: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let late = || sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(wait, work).await.unwrap_or_else(|_| Err(late()))
}
