//! Asks the database whether this service could work with it, and changes nothing.
//!
//! For `roomcast doctor`. A sentence says what is there, or what is wrong; it never holds the
//! address, which may hold a password.
use std::path::Path;
use std::str::FromStr as _;

use secrecy::ExposeSecret as _;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::config::{Database, RoomsConfig};
use crate::store::postgres::unsafe_settings;

/// Looks at the configured database.
pub async fn check(config: &RoomsConfig) -> Result<String, String> {
    match config.database().map_err(|error| format!("{error:#}"))? {
        Database::Sqlite(path) => sqlite(&path).await.map_err(|error| format!("{error:#}")),
        Database::Postgres(address) => {
            postgres(address.expose_secret(), config).await.map_err(|error| format!("{error:#}"))
        }
    }
}

async fn postgres(address: &str, config: &RoomsConfig) -> anyhow::Result<String> {
    let options = PgConnectOptions::from_str(address)
        .map_err(|_| anyhow::anyhow!("the database's address cannot be read"))?
        .application_name("roomcast-doctor");
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let mut conn = PgConnection::connect_with(&options)
        .await
        .map_err(|error| anyhow::anyhow!("cannot connect to {place}: {error}"))?;
    let problems = unsafe_settings(&mut conn, config.synchronous_commit).await?;
    let (version, may_create, has_schema): (String, bool, bool) = sqlx::query_as(
        "SELECT current_setting('server_version'), \
         has_database_privilege(current_database(), 'CREATE'), \
         EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'rooms')",
    )
    .fetch_one(&mut conn)
    .await?;
    conn.close().await?;
    anyhow::ensure!(
        may_create || has_schema,
        "{place}: the user may not create the schema rooms, and there is none"
    );
    let unsafe_and_refused = !problems.is_empty() && !config.accept_unsafe_database;
    anyhow::ensure!(!unsafe_and_refused, "{place}: {}", problems.join("; "));
    let schema =
        if has_schema { "the schema is there" } else { "the schema is made at the first start" };
    Ok(format!("PostgreSQL {version} at {place}; {schema}"))
}

async fn sqlite(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    if !path.exists() {
        return Ok(format!("SQLite; {shown} is made at the first start"));
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| anyhow::anyhow!("cannot open {shown}: {error}"))?;
    let (version, tables): (String, i64) =
        sqlx::query_as("SELECT sqlite_version(), (SELECT count(*) FROM sqlite_master)")
            .fetch_one(&mut conn)
            .await
            .map_err(|error| anyhow::anyhow!("cannot read {shown}: {error}"))?;
    conn.close().await?;
    Ok(format!("SQLite {version}, {shown}, {tables} tables and indexes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::config::Secret;

    fn config(database: String) -> RoomsConfig {
        RoomsConfig { database: Some(Secret::new(database)), ..RoomsConfig::default() }
    }

    #[tokio::test]
    async fn a_database_that_does_not_answer_is_told_without_its_password() {
        let config = config("postgres://user:hunter2@127.0.0.1:1/chat".to_owned());
        let text = check(&config).await.unwrap_err();
        assert!(text.starts_with("cannot connect to 127.0.0.1:1: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn a_file_is_looked_at_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rooms.db");
        let config = config(format!("sqlite://{}", path.display()));
        assert!(check(&config).await.unwrap().contains("is made at the first start"));
        assert!(!path.exists());
        std::fs::write(&path, "this is no database, whatever its name says".repeat(50)).unwrap();
        let text = check(&config).await.unwrap_err();
        assert!(text.contains("cannot read"), "{text}");
    }
}
