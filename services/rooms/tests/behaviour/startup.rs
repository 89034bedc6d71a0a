//! The service starts only on a database that keeps what it acks.
use rooms::RoomsConfig;
use testkit::parts::{Postgres, shared_postgres};

use crate::given::*;

async fn refusal(config: RoomsConfig) -> String {
    let bus = std::sync::Arc::new(bus::MemoryBus::new(&bus::BusConfig::default()));
    match try_with(config, bus).await {
        Ok(()) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn it_refuses_a_server_that_may_lose_commits_unless_told_to_accept_it() {
    let careless = [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")];
    let postgres = Postgres::start_with(&careless).await.unwrap();
    let address = postgres.new_database().await.unwrap();
    let text = refusal(config(&address)).await;
    for setting in ["fsync is off", "full_page_writes is off", "synchronous_commit is off"] {
        assert!(text.contains(setting), "{setting} is not in {text}");
    }
    let accepting = RoomsConfig { accept_unsafe_database: true, ..config(&address) };
    with(accepting, None).await.fill("general", 1).await;
}

#[tokio::test]
async fn it_refuses_a_synchronous_commit_weaker_than_configured() {
    let address = shared_postgres().await.unwrap().new_database().await.unwrap();
    let mut config = config(&address);
    config.synchronous_commit = rooms::config::SynchronousCommit::RemoteApply;
    assert!(refusal(config).await.contains("weaker than remote_apply"));
}

#[tokio::test]
async fn it_refuses_a_schema_without_its_unique_indexes() {
    let postgres = shared_postgres().await.unwrap();
    let address = postgres.new_database().await.unwrap();
    with(config(&address), None).await.fill("general", 1).await;
    let drop = "ALTER TABLE rooms.message_id DROP CONSTRAINT message_id_unique";
    postgres.sql_in(&address, drop).await.unwrap();
    let text = refusal(config(&address)).await;
    assert!(text.contains("rooms.message_id lacks its unique index"), "{text}");
}

#[tokio::test]
async fn pods_that_start_at_once_migrate_once() {
    let address = shared_postgres().await.unwrap().new_database().await.unwrap();
    let configs: Vec<_> = (0..4).map(|_| with(config(&address), None)).collect();
    let pods = futures_util::future::join_all(configs).await;
    pods[0].fill("general", 1).await;
    assert_eq!(pods[3].log("general").await.len(), 1);
}

#[tokio::test]
async fn one_version_back_goes_on_with_a_schema_of_a_newer_one() {
    let postgres = shared_postgres().await.unwrap();
    let address = postgres.new_database().await.unwrap();
    with(config(&address), None).await.fill("general", 1).await;
    // What the next version will leave in the list of migrations, and what the first one writes.
    let newer = "INSERT INTO rooms._sqlx_migrations (version, description, success, checksum, \
        execution_time) VALUES (9999, 'newer', true, '', 0)";
    let older = "INSERT INTO rooms.item (room, item_offset, message_id, time_ms, kind, data) \
        SELECT id, 2, 'by-older-pod', 1, 1, '\\x6869' FROM rooms.room; \
        UPDATE rooms.room SET head = 2";
    for statement in [newer, older] {
        postgres.sql_in(&address, statement).await.unwrap();
    }
    let given = with(config(&address), None).await;
    let log = given.log("general").await;
    assert_eq!(log.iter().map(|item| item.offset).collect::<Vec<_>>(), [1, 2]);
    assert!(log.iter().all(|item| tags_of(item).is_empty()));
}

#[tokio::test]
async fn the_database_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("address");
    let database = folder.path().join("rooms.db");
    std::fs::write(&file, format!("sqlite://{}\n", database.display())).unwrap();
    let config = RoomsConfig { database: None, database_file: Some(file), ..config("") };
    assert_eq!(config.problems(), [""; 0]);
    with(config, None).await.fill("general", 1).await;
    assert!(database.exists());
}

/// Failpoints are no part of a binary that is built without their feature.
#[cfg(not(feature = "failpoints"))]
#[test]
fn the_binary_has_no_failpoints() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_roomcast-rooms")).unwrap();
    let has = |text: &str| binary.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("roomcast_rooms_commit_seconds"), "this looks at the wrong file");
    assert!(!has("roomcast-failpoint"));
}
