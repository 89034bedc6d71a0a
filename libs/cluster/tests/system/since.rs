//! Every way to say "since": pages of history and first subscribes, on real rooms with retention.
//!
//! A log whose head is 25 and whose oldest item kept is 16, and pages of 4 at most.
use std::sync::Arc;

use cluster::{Shape, System};
use serde_json::{Value, json};
use testkit::client::{Client, CommandError, Incoming, Subscribed};
use testkit::poll;
use tokio::sync::mpsc;

use crate::{s, turn};

const HEAD: u64 = 25;
const OLDEST: u64 = 16;

struct Asker {
    client: Client,
    _incoming: mpsc::Receiver<Incoming>,
    room: Arc<str>,
    epoch: String,
}

async fn client(system: &System) -> (Client, mpsc::Receiver<Incoming>) {
    let token = system.token("asker", &[]).unwrap();
    let (client, incoming, _) = Client::connect(&system.urls()[0], &token).await.unwrap();
    (client, incoming)
}

async fn start() -> System {
    Shape::all_in_one()
        .with("ROOMCAST_ROOMS__JANITOR_MS", 100)
        .with("ROOMCAST_ROOMS__KINDS__SHORT__HISTORY_ITEMS_MAX", HEAD - OLDEST + 1)
        .with("ROOMCAST_ROOMS__KINDS__SHORT__HISTORY_PAGE_MAX", 4)
        .with("ROOMCAST_ROOMS__KINDS__LIVE__STORED", false)
        .with("ROOMCAST_ROOMS__KINDS__CACHE__RECOVERY", "cache")
        .start()
        .await
        .unwrap()
}

async fn say(client: &Client, room: &str, last: u64) {
    for n in 1..=last {
        let publish = json!({"channel": room, "data": {"n": n}});
        client.command("publish", publish).await.unwrap();
    }
}

impl Asker {
    /// Somebody before a log of which the beginning is not kept any more.
    async fn before_a_short_log(system: &System) -> Self {
        let (client, _incoming) = client(system).await;
        let room: Arc<str> = format!("short:{}", system.fresh_room("since")).into();
        say(&client, &room, HEAD).await;
        let oldest = async || {
            let page = json!({"channel": &*room, "limit": 1});
            let page = client.command("history", page).await.unwrap();
            (page["publications"][0]["offset"].as_u64(), page["epoch"].as_str().unwrap().to_owned())
        };
        let kept = || async { oldest().await.0 == Some(OLDEST) };
        poll::until(s(10), "the beginning is trimmed", kept).await.unwrap();
        let epoch = oldest().await.1;
        Self { client, _incoming, room, epoch }
    }

    /// The offsets of a page, and its head; the code of a refusal.
    async fn page(&self, more: Value) -> Result<(Vec<u64>, u64), u32> {
        let mut arguments = json!({"channel": &*self.room});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let page = match self.client.command("history", arguments).await {
            Err(CommandError::Refused(refusal)) => return Err(refusal.code),
            page => page.unwrap(),
        };
        assert_eq!(page["epoch"], json!(self.epoch));
        let items = page["publications"].as_array().unwrap();
        for item in items {
            assert_eq!(item["data"]["n"], item["offset"], "an item is whole: {item}");
        }
        let offsets = items.iter().map(|item| item["offset"].as_u64().unwrap()).collect();
        Ok((offsets, page["offset"].as_u64().unwrap()))
    }

    async fn subscribe(&self, system: &System, more: Value) -> Result<Subscribed, u32> {
        let (client, _incoming) = client(system).await;
        let mut arguments = json!({"channel": &*self.room});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match client.command("subscribe", arguments).await {
            Err(CommandError::Refused(refusal)) => Err(refusal.code),
            result => Ok(serde_json::from_value(result.unwrap()).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_read_from_wherever_it_is_asked_and_what_is_not_kept_is_told() {
    let _turn = turn().await;
    let system = start().await;
    let asker = Asker::before_a_short_log(&system).await;
    let epoch = asker.epoch.as_str();
    let since = |offset: u64, epoch: &str| json!({"offset": offset, "epoch": epoch});
    let none = Vec::new();
    let cases = [
        // The head alone.
        (json!({}), Ok(none.clone())),
        (json!({"limit": 0}), Ok(none.clone())),
        (json!({"limit": 0, "reverse": true}), Ok(none.clone())),
        (json!({"limit": 0, "since": since(20, epoch)}), Ok(none.clone())),
        // From either end, as many as asked for, or as a page may have.
        (json!({"limit": 2}), Ok(vec![16, 17])),
        (json!({"limit": -1}), Ok(vec![16, 17, 18, 19])),
        (json!({"limit": 1_000}), Ok(vec![16, 17, 18, 19])),
        (json!({"limit": 2, "reverse": true}), Ok(vec![25, 24])),
        (json!({"limit": -7, "reverse": true}), Ok(vec![25, 24, 23, 22])),
        // Since a place, without it; an empty epoch counts as equal.
        (json!({"limit": 2, "since": since(20, epoch)}), Ok(vec![21, 22])),
        (json!({"limit": 2, "since": since(20, "")}), Ok(vec![21, 22])),
        (json!({"limit": -1, "since": since(24, epoch)}), Ok(vec![25])),
        (json!({"limit": -1, "since": since(HEAD, epoch)}), Ok(none.clone())),
        (json!({"limit": 3, "reverse": true, "since": since(20, epoch)}), Ok(vec![19, 18, 17])),
        (json!({"limit": 9, "reverse": true, "since": since(18, "")}), Ok(vec![17, 16])),
        (json!({"limit": 9, "reverse": true, "since": since(OLDEST, epoch)}), Ok(none.clone())),
        (json!({"limit": 1, "reverse": true, "since": since(HEAD, epoch)}), Ok(vec![24])),
        // At the edge of what is kept, and beyond it. Backwards nothing is jumped over.
        (json!({"limit": 2, "since": since(OLDEST - 1, epoch)}), Ok(vec![16, 17])),
        (json!({"limit": 2, "since": since(OLDEST - 2, epoch)}), Err(112)),
        (json!({"limit": 2, "since": since(0, "")}), Err(112)),
        (json!({"limit": 0, "since": since(3, epoch)}), Err(112)),
        (json!({"limit": 2, "reverse": true, "since": since(3, epoch)}), Ok(none.clone())),
        // Another life of the log.
        (json!({"limit": 2, "since": since(20, "other")}), Err(112)),
        (json!({"limit": 2, "since": since(0, "_")}), Err(112)),
        (json!({"limit": 0, "since": since(20, "other")}), Err(112)),
        (json!({"limit": 2, "reverse": true, "since": since(20, "other")}), Err(112)),
    ];
    for (arguments, expected) in cases {
        let expected = expected.map(|offsets| (offsets, HEAD));
        assert_eq!(asker.page(arguments.clone()).await, expected, "{arguments}");
    }
    for (room, code) in [("live:x", 108), ("system", 103), ("unknown:x", 103), ("a.b", 107)] {
        let arguments = json!({"channel": room, "limit": 1});
        if room == "live:x" {
            asker.client.subscribe(room, None).await.unwrap();
        }
        match asker.client.command("history", arguments).await {
            Err(CommandError::Refused(refusal)) => assert_eq!(refusal.code, code, "{room}"),
            other => panic!("{room}: {other:?}"),
        }
    }
    // Above the head in the same epoch: the log lost its end, and begins a new life.
    let above = json!({"limit": 2, "since": since(HEAD + 1, epoch)});
    assert_eq!(asker.page(above).await, Err(112));
    let head = asker.client.command("history", json!({"channel": &*asker.room})).await.unwrap();
    assert_ne!(head["epoch"], json!(epoch));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_subscribe_reads_on_from_wherever_it_can_and_says_so_where_it_cannot() {
    let _turn = turn().await;
    let system = start().await;
    let asker = Asker::before_a_short_log(&system).await;
    let epoch = asker.epoch.as_str();
    let ask = |epoch: &str, offset: u64| json!({"recover": true, "epoch": epoch, "offset": offset});
    // A wish, whether it was recovered, the offset told, and what stands in the answer.
    let missed = |from: u64| (from..=HEAD).collect::<Vec<_>>();
    let cases = [
        (ask(epoch, 20), true, 20, missed(21)),
        (ask("", 20), true, 20, missed(21)),
        (ask(epoch, HEAD), true, HEAD, Vec::new()),
        (ask("", HEAD), true, HEAD, Vec::new()),
        (ask(epoch, OLDEST - 1), true, OLDEST - 1, missed(OLDEST)),
        (ask(epoch, OLDEST - 2), false, HEAD, Vec::new()),
        (ask("", 0), false, HEAD, Vec::new()),
        (ask("_", 0), false, HEAD, Vec::new()),
        (ask("other", 20), false, HEAD, Vec::new()),
        (ask("other", HEAD), false, HEAD, Vec::new()),
    ];
    for (arguments, recovered, offset, given) in cases {
        let result = asker.subscribe(&system, arguments.clone()).await.unwrap();
        let offsets: Vec<_> = result.publications.iter().map(|p| p.offset).collect();
        let told = (result.was_recovering, result.recovered, result.offset, offsets);
        assert_eq!(told, (true, recovered, offset, given), "{arguments}");
        assert_eq!((&*result.epoch, result.recoverable), (epoch, true));
    }
    let fresh = json!({"epoch": epoch, "offset": 20});
    let fresh = asker.subscribe(&system, fresh).await.unwrap();
    let told = (fresh.was_recovering, fresh.recovered, fresh.offset, fresh.publications.len());
    assert_eq!(told, (false, false, HEAD, 0), "a position is no wish to recover");
    // Who wants an error for what cannot be recovered gets one, and only then.
    let strict = |epoch: &str, offset: u64| json!({"recover": true, "epoch": epoch, "offset": offset, "flag": 2});
    let refused = asker.subscribe(&system, strict("_", 0)).await;
    assert_eq!(refused.map(|_| ()), Err(112));
    assert!(asker.subscribe(&system, strict(epoch, 20)).await.unwrap().recovered);

    // A room in which nothing was said, one without a log, and one of which the newest counts.
    let elsewhere = async |room: &str, arguments: Value| {
        let (room, epoch) = (room.into(), String::new());
        let (client, _incoming) = client(&system).await;
        let other = Asker { client, _incoming, room, epoch };
        let result = other.subscribe(&system, arguments).await.unwrap();
        let offsets: Vec<_> = result.publications.iter().map(|p| p.offset).collect();
        (result.recoverable, result.recovered, result.offset, offsets)
    };
    assert_eq!(elsewhere("silent", ask("", 0)).await, (true, true, 0, vec![]));
    assert_eq!(elsewhere("live:x", ask("", 0)).await, (false, false, 0, vec![]));
    say(&asker.client, "cache:x", 3).await;
    assert_eq!(elsewhere("cache:x", json!({"recover": true})).await, (true, true, 2, vec![3]));
    assert_eq!(elsewhere("cache:x", ask("other", 9)).await, (true, true, 2, vec![3]));

    // Above the head in the same epoch: the log lost its end, and begins a new life.
    let above = asker.subscribe(&system, ask(epoch, HEAD + 1)).await.unwrap();
    assert!(above.was_recovering && !above.recovered);
}
