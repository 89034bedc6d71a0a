//! Stores, items and names for the promises.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{Body, ErrorReason, MessageId, PrincipalId, RoomName, Sender, Tags};
use rooms::config::SynchronousCommit;
use rooms::store::postgres::{PostgresOptions, PostgresStore};
use rooms::store::sqlite::SqliteStore;
use rooms::store::{Append, Appended, Audit, Needs, PageWanted, Store};
use rpc::Deadline;
use testkit::parts::shared_postgres;

pub type Stored = Arc<dyn Store>;

pub async fn sqlite(folder: &tempfile::TempDir) -> Stored {
    Arc::new(SqliteStore::open(&folder.path().join("rooms.db")).await.unwrap())
}

pub async fn postgres() -> Stored {
    let address = shared_postgres().await.unwrap().new_database().await.unwrap();
    let options = PostgresOptions {
        publish_connections: 4,
        history_connections: 2,
        heads_connections: 2,
        statement: Duration::from_secs(20),
        commit: Duration::from_secs(20),
        synchronous_commit: SynchronousCommit::On,
        accept_unsafe: false,
    };
    Arc::new(PostgresStore::open(&address, &options).await.unwrap())
}

pub fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

pub fn who(subject: &str) -> PrincipalId {
    PrincipalId::new("https://issuer", subject)
}

/// A store in which these rooms exist.
pub async fn with_rooms(store: &Stored, names: &[&str]) {
    for name in names {
        store.ensure_room(&room(name)).await.unwrap();
    }
}

/// An item whose id and payload are both `id`.
pub fn item(place: &str, owner: &str, id: &str) -> Append {
    let mut digest = [0; 32];
    digest[..id.len().min(32)].copy_from_slice(&id.as_bytes()[..id.len().min(32)]);
    let sender = Sender {
        id: who(owner),
        name: owner.to_uppercase(),
        info: Bytes::new(),
        room_info: Bytes::new(),
        connection: None,
    };
    Append {
        room: room(place),
        make_room: false,
        owner: who(owner),
        needs: Needs::NoBan,
        message_id: MessageId::parse(id).unwrap(),
        digest,
        body: Body::Message {
            sender: Some(sender),
            gateway: None,
            tags: Tags::default(),
            data: Bytes::from(id.to_owned()),
        },
        deadline: Deadline::after(Duration::from_secs(60)),
        along: Vec::new(),
    }
}

pub fn audit(act: &'static str) -> Audit {
    Audit { by: who("admin"), act, target: "room=a".into() }
}

/// Appends a batch that the store must take.
pub async fn append(store: &Stored, batch: &[Append]) -> Vec<Result<Appended, ErrorReason>> {
    let results = store.append(batch).await.unwrap();
    results.into_iter().map(|result| result.map_err(|error| error.reason)).collect()
}

/// The offsets of a batch that the store must take, reasons for those refused.
pub async fn offsets(store: &Stored, batch: &[Append]) -> Vec<Result<u64, ErrorReason>> {
    let results = append(store, batch).await;
    results.into_iter().map(|result| result.map(|appended| appended.position.offset)).collect()
}

/// Fills a room with `count` items, ids `id-00001` and so on.
pub async fn fill(store: &Stored, place: &str, count: usize) {
    let batch: Vec<_> = (1..=count).map(|n| item(place, "u", &format!("id-{n:05}"))).collect();
    assert!(append(store, &batch).await.iter().all(Result::is_ok));
}

pub fn forward(place: &str, from: Option<u64>, items_max: u32) -> PageWanted {
    PageWanted { room: room(place), from, reverse: false, items_max, bytes_max: u64::MAX }
}

/// The offsets and ids of everything in a room.
pub async fn log(store: &Stored, place: &str) -> Vec<(u64, String)> {
    let page = store.page(&forward(place, None, 100_000)).await.unwrap().unwrap();
    page.items.iter().map(|item| (item.offset, item.message_id.to_string())).collect()
}
