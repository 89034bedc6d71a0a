//! What must hold before the service starts: a database that keeps what it has acked.
//!
//! Each problem is a sentence. `accept_unsafe_database` starts in spite of them, and says so in the
//! log each time.
use anyhow::bail;
use sqlx::postgres::PgConnection;

use super::PostgresOptions;
use crate::config::SynchronousCommit;

/// Unique indexes without which a second line of defence is missing: table and columns by name.
const UNIQUE: [(&str, &[&str]); 3] = [
    ("item", &["item_offset", "room"]),
    ("message_id", &["issuer", "message_id", "room", "subject"]),
    ("room", &["name"]),
];

/// Looks at the server's settings: each sentence is a promise that it would not keep.
pub(crate) async fn server(
    conn: &mut PgConnection,
    wanted: SynchronousCommit,
) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    let (fsync, full_page_writes, synchronous, standby): (String, String, String, bool) =
        sqlx::query_as(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'), \
             current_setting('synchronous_commit'), pg_is_in_recovery()",
        )
        .fetch_one(conn)
        .await?;
    if fsync != "on" {
        problems.push(format!("fsync is {fsync}: an acked message is lost in a power failure"));
    }
    if full_page_writes != "on" {
        problems
            .push(format!("full_page_writes is {full_page_writes}: a torn page damages the log"));
    }
    if strength(&synchronous).is_none_or(|strength| strength < wanted) {
        let wanted = wanted_word(wanted);
        problems.push(format!("synchronous_commit is {synchronous}, weaker than {wanted}"));
    }
    if standby {
        problems
            .push("the database is a standby: the log is read and written on the primary".into());
    }
    Ok(problems)
}

/// Looks at the schema.
pub(super) async fn schema(conn: &mut PgConnection) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    for (table, columns) in UNIQUE {
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_index i \
             JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'rooms' AND c.relname = $1 \
             AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL \
             AND ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid \
                       AND a.attnum = ANY (i.indkey::int2[]) \
                           ORDER BY a.attname::text COLLATE \"C\") = $2)",
        )
        .bind(table)
        .bind(columns.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>())
        .fetch_one(&mut *conn)
        .await?;
        if !there {
            problems
                .push(format!("rooms.{table} lacks its unique index on {}", columns.join(", ")));
        }
    }
    Ok(problems)
}

/// Refuses, or goes on loudly.
pub(super) fn verdict(problems: Vec<String>, options: &PostgresOptions) -> anyhow::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let text = problems.join("; ");
    if options.accept_unsafe {
        tracing::error!("UNSAFE DATABASE ACCEPTED, acked messages may be lost: {text}");
        return Ok(());
    }
    bail!("the database does not keep what it acks: {text}")
}

/// `None` for `off` and for words that this version does not know.
fn strength(word: &str) -> Option<SynchronousCommit> {
    match word {
        "local" => Some(SynchronousCommit::Local),
        "remote_write" => Some(SynchronousCommit::RemoteWrite),
        "on" => Some(SynchronousCommit::On),
        "remote_apply" => Some(SynchronousCommit::RemoteApply),
        _ => None,
    }
}

fn wanted_word(wanted: SynchronousCommit) -> &'static str {
    match wanted {
        SynchronousCommit::Local => "local",
        SynchronousCommit::RemoteWrite => "remote_write",
        SynchronousCommit::On => "on",
        SynchronousCommit::RemoteApply => "remote_apply",
    }
}
