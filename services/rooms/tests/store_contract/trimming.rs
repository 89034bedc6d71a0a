//! Promises of the janitor's removals: always the beginning of a log, never a hole.
use rooms::store::{Keep, RangeLimits};
use rpc::rooms::FetchRange;

use crate::given::*;

fn keep(kind: &str, items_max: u64, since_ms: i64) -> Keep {
    Keep { kind: kind.into(), items_max, since_ms }
}

pub async fn a_log_loses_its_beginning_by_count(store: Stored) {
    with_rooms(&store, &["a", "other:a"]).await;
    fill(&store, "a", 10).await;
    fill(&store, "other:a", 10).await;
    assert_eq!(store.trim_items(&keep("default", 4, 0)).await.unwrap(), 6);
    assert_eq!(store.trim_items(&keep("default", 4, 0)).await.unwrap(), 0);
    let offsets: Vec<_> = log(&store, "a").await.into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(offsets, [7, 8, 9, 10]);
    assert_eq!(log(&store, "other:a").await.len(), 10, "another kind's room was trimmed");
    let page = store.page(&forward("a", None, 1)).await.unwrap().unwrap();
    assert_eq!((page.head.offset, page.oldest), (10, 7));
    let file = store.describe(&room("a")).await.unwrap().unwrap();
    assert_eq!((file.row.items, file.row.oldest), (4, 7));
    // A range that begins below what is kept is not answered with a jump.
    let range = |after| FetchRange {
        room: room("a"),
        epoch: page.head.epoch.clone(),
        after,
        until: u64::MAX,
    };
    let limits = RangeLimits { items_max: 9, bytes_max: u64::MAX };
    let fetched = store.ranges(&[range(5), range(6)], limits).await.unwrap();
    assert_eq!((fetched[0].items.len(), fetched[0].oldest), (0, 7));
    assert_eq!(fetched[1].items.first().map(|item| item.offset), Some(7));
}

pub async fn a_log_loses_its_beginning_by_age(store: Stored) {
    with_rooms(&store, &["a"]).await;
    fill(&store, "a", 3).await;
    let page = store.page(&forward("a", None, 9)).await.unwrap().unwrap();
    let newest = page.items.iter().map(|item| item.time_ms).max().unwrap();
    assert_eq!(store.trim_items(&keep("default", 100, page.items[0].time_ms)).await.unwrap(), 0);
    assert_eq!(store.trim_items(&keep("default", 100, newest + 1)).await.unwrap(), 3);
    let page = store.page(&forward("a", None, 9)).await.unwrap().unwrap();
    assert_eq!((page.head.offset, page.oldest, page.items.len()), (3, 0, 0));
    assert_eq!(offsets(&store, &[item("a", "u", "id-after")]).await, [Ok(4)]);
    let page = store.page(&forward("a", None, 9)).await.unwrap().unwrap();
    assert_eq!((page.oldest, page.items.len()), (4, 1));
}

pub async fn a_forgotten_message_id_may_be_used_again(store: Stored) {
    with_rooms(&store, &["a"]).await;
    fill(&store, "a", 3).await;
    assert_eq!(store.trim_message_ids(0).await.unwrap(), 0);
    assert_eq!(offsets(&store, &[item("a", "u", "id-00001")]).await, [Ok(1)]);
    assert_eq!(store.trim_message_ids(i64::MAX).await.unwrap(), 3);
    assert_eq!(offsets(&store, &[item("a", "u", "id-00001")]).await, [Ok(4)]);
}
