//! Promises of the reads.
use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{Body, Epoch, Position, Sender, Tags};
use rooms::store::{Act, Expel, PageWanted, RangeLimits};
use rpc::rooms::FetchRange;

use crate::given::*;

const LIMITS: RangeLimits = RangeLimits { items_max: 3, bytes_max: u64::MAX };

pub async fn pages_go_both_ways_within_their_limits(store: Stored) {
    with_rooms(&store, &["a", "empty"]).await;
    fill(&store, "a", 5).await;
    let page = async |from, reverse, items_max| {
        let wanted = PageWanted { room: room("a"), from, reverse, items_max, bytes_max: u64::MAX };
        let page = store.page(&wanted).await.unwrap().unwrap();
        assert_eq!((page.head.offset, page.oldest), (5, 1));
        page.items.iter().map(|item| item.offset).collect::<Vec<_>>()
    };
    assert_eq!(page(None, false, 2).await, [1, 2]);
    assert_eq!(page(Some(2), false, 10).await, [3, 4, 5]);
    assert_eq!(page(Some(5), false, 10).await, [0; 0]);
    assert_eq!(page(None, true, 2).await, [5, 4]);
    assert_eq!(page(Some(4), true, 10).await, [3, 2, 1]);
    assert_eq!(page(Some(u64::MAX), true, 1).await, [5]);
    assert_eq!(page(None, false, 0).await, [0; 0]);
    let empty = store.page(&forward("empty", None, 5)).await.unwrap().unwrap();
    assert_eq!((empty.head.offset, empty.oldest, empty.items.len()), (0, 0, 0));
}

pub async fn a_page_ends_at_its_bytes_but_has_one_item(store: Stored) {
    with_rooms(&store, &["a"]).await;
    let mut batch: Vec<_> = (1..=4).map(|n| item("a", "u", &format!("id-{n:05}"))).collect();
    for (n, large) in batch.iter_mut().enumerate() {
        // What is shown of the author counts as the payload does, and so do tags.
        let bytes = |count| Bytes::from(vec![b'1'; count]);
        let (data, info, room_info, tag) = match n {
            0 => (1_000, 0, 0, 0),
            // {"k":"…"} takes eight bytes beside the value.
            1 => (900, 0, 0, 92),
            2 => (200, 500, 300, 0),
            _ => (400, 0, 600, 0),
        };
        let (id, name, connection) = (who("u"), "U".to_owned(), None);
        let sender =
            Sender { id, name, info: bytes(info), room_info: bytes(room_info), connection };
        let tags = if tag == 0 { BTreeMap::new() } else { [("k".into(), "v".repeat(tag))].into() };
        let tags = Tags::new(tags).unwrap();
        large.body = Body::Message { sender: Some(sender), gateway: None, tags, data: bytes(data) };
    }
    append(&store, &batch).await;
    let page = async |bytes_max, reverse| {
        let wanted = PageWanted { room: room("a"), from: None, reverse, items_max: 9, bytes_max };
        let page = store.page(&wanted).await.unwrap().unwrap();
        page.items.iter().map(|item| item.offset).collect::<Vec<_>>()
    };
    assert_eq!(page(2_000, false).await, [1, 2]);
    assert_eq!(page(1_999, false).await, [1]);
    assert_eq!(page(2_999, true).await, [4, 3]);
    assert_eq!(page(1, false).await, [1]);
    assert_eq!(page(0, true).await, [4]);
}

pub async fn ranges_answer_in_order_and_honestly(store: Stored) {
    with_rooms(&store, &["a", "b"]).await;
    fill(&store, "a", 5).await;
    let epoch = store.heads_by_name(&[room("a")]).await.unwrap().remove(0).position.epoch;
    let range = |name, epoch: &Epoch, after, until| FetchRange {
        room: room(name),
        epoch: epoch.clone(),
        after,
        until,
    };
    let ranges = [
        range("a", &epoch, 3, u64::MAX),
        range("nowhere", &epoch, 0, u64::MAX),
        range("a", &Epoch::new("other"), 0, u64::MAX),
        range("a", &epoch, 1, 2),
        range("a", &epoch, 0, u64::MAX),
        range("a", &epoch, 9, u64::MAX),
    ];
    let fetched = store.ranges(&ranges, LIMITS).await.unwrap();
    let offsets: Vec<Vec<u64>> =
        fetched.iter().map(|f| f.items.iter().map(|item| item.offset).collect()).collect();
    assert_eq!(offsets, [vec![4, 5], vec![], vec![], vec![2], vec![1, 2, 3], vec![]]);
    assert_eq!(fetched[1].head, Position::default());
    for at in [0, 2, 3, 4, 5] {
        assert_eq!(fetched[at].head, Position { epoch: epoch.clone(), offset: 5 });
        assert_eq!(fetched[at].oldest, 1);
    }
    let small = RangeLimits { items_max: 9, bytes_max: 1 };
    let fetched = store.ranges(&ranges[..1], small).await.unwrap();
    assert_eq!(fetched[0].items.len(), 1, "always one item");
}

pub async fn heads_are_found_by_name_and_by_number(store: Stored) {
    with_rooms(&store, &["a", "b"]).await;
    fill(&store, "b", 2).await;
    let mut heads = store.heads_by_name(&[room("b"), room("nowhere"), room("a")]).await.unwrap();
    heads.sort_by(|a, b| a.room.cmp(&b.room));
    let told: Vec<_> = heads.iter().map(|h| (h.room.as_str(), h.position.offset)).collect();
    assert_eq!(told, [("a", 0), ("b", 2)]);
    assert_ne!(heads[0].position.epoch, heads[1].position.epoch);
    let ids: Vec<_> = heads.iter().map(|head| head.id).collect();
    let mut by_id = store.heads_by_id(&ids).await.unwrap();
    by_id.sort_by_key(|(id, _)| *id);
    heads.sort_by_key(|head| head.id);
    let expected: Vec<_> = heads.into_iter().map(|head| (head.id, head.position)).collect();
    assert_eq!(by_id, expected);
}

pub async fn a_view_tells_head_ban_and_membership(store: Stored) {
    with_rooms(&store, &["a"]).await;
    fill(&store, "a", 2).await;
    let member = who("m");
    store.act(&Act::AddMember { room: room("a"), member }, &audit("add_member")).await.unwrap();
    let expel = Expel { target: who("b"), reason: "r".into(), ban: true };
    store.act(&Act::Expel { room: room("a"), expel }, &audit("kick")).await.unwrap();
    let wanted = [
        (room("a"), who("m")),
        (room("nowhere"), who("m")),
        (room("a"), who("b")),
        (room("a"), who("x")),
    ];
    let views = store.views(&wanted).await.unwrap();
    let told: Vec<_> = views
        .iter()
        .map(|v| v.as_ref().map(|v| (v.head.offset, v.oldest, v.banned, v.member)))
        .collect();
    let expected =
        [Some((2, 1, false, true)), None, Some((2, 1, true, false)), Some((2, 1, false, false))];
    assert_eq!(told, expected);
}

pub async fn rooms_are_listed_by_prefix_in_pages(store: Stored) {
    with_rooms(&store, &["b", "a", "a-1", "a:x", "A", "a_2"]).await;
    let list = async |prefix, after: Option<&str>, limit| {
        let after = after.map(room);
        let rows = store.list_rooms(prefix, after.as_ref(), limit).await.unwrap();
        rows.into_iter().map(|row| row.room.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list("", None, 10).await, ["A", "a", "a-1", "a:x", "a_2", "b"]);
    assert_eq!(list("a", None, 2).await, ["a", "a-1"]);
    assert_eq!(list("a", Some("a-1"), 10).await, ["a:x", "a_2"]);
    assert_eq!(list("%", None, 10).await, [""; 0]);
    fill(&store, "a", 3).await;
    assert_eq!(store.totals().await.unwrap(), (6, 3));
    let file = store.describe(&room("a")).await.unwrap().unwrap();
    assert_eq!((file.row.items, file.row.oldest, file.members), (3, 1, 0));
    assert!(store.describe(&room("nowhere")).await.unwrap().is_none());
    assert!(store.members(&room("nowhere")).await.unwrap().is_none());
}
