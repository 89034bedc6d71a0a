//! The limits on frames, commands and publishes.
use gateway::limit::Limit;
use serde_json::{Value, json};
use testkit::client::CommandError;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use super::{bites, bitten, code, limited};
use crate::harness::{Inbound, Running};
use crate::raw::{close_code, upgraded};

async fn publish(of: &Inbound, room: &str, data: Value) -> Result<Value, CommandError> {
    of.client.command("publish", json!({"channel": room, "data": data})).await
}

pub async fn a_large_message() {
    let running = limited(|limits| limits.message_bytes_max = 2_000).await;
    let mut ann = running.client("ann").await;
    ann.client.raw(Message::text("x".repeat(2_001))).await.unwrap();
    assert_eq!(ann.closed().await, 1009);
    running.stop().await;
}

pub async fn a_message_in_many_parts() {
    let running = limited(|limits| limits.fragments_max = 2).await;
    let mut socket = upgraded(&running).await;
    for first in [0x01, 0x00, 0x00] {
        socket.write_all(&[first, 0x81, 0, 0, 0, 0, b' ']).await.unwrap();
    }
    assert_eq!(close_code(&mut socket).await, 1009);
    running.stop().await;
}

pub async fn half_a_frame() {
    let running = limited(|limits| limits.frame_timeout_ms = 300).await;
    let mut socket = upgraded(&running).await;
    socket.write_all(&[0x81]).await.unwrap();
    assert_eq!(close_code(&mut socket).await, 4001);
    running.stop().await;
}

pub async fn many_commands_in_a_frame() {
    let running = limited(|limits| limits.commands_per_frame_max = 2).await;
    let mut ann = running.client("ann").await;
    let command = |id: u32| json!({"id": id, "rpc": {"method": "x"}}).to_string();
    let frame = |ids: std::ops::Range<u32>| ids.map(command).collect::<Vec<_>>().join("\n");
    publish(&ann, "general", json!(1)).await.unwrap();
    ann.client.raw(Message::text(frame(100..103))).await.unwrap();
    assert_eq!(ann.closed().await, 3501);
    running.stop().await;
}

pub async fn many_commands_under_way() {
    let running = limited(|limits| limits.commands_in_flight_max = 1).await;
    // Each takes 50 ms and fails; nothing is refused for being one too many.
    *running.rooms.poison.lock() = Some("1".into());
    let ann = running.client("ann").await;
    let (one, two) =
        futures_util::join!(publish(&ann, "one", json!(1)), publish(&ann, "two", json!(1)));
    assert_eq!((code(one), code(two)), (100, 100));
    running.stop().await;
}

pub async fn many_commands() {
    let running =
        limited(|limits| (limits.commands_per_second, limits.commands_burst) = (1, 10)).await;
    let ann = running.client("ann").await;
    // A subscribe counts as three, a look at history as five: two are left.
    ann.client.subscribe("general", None).await.unwrap();
    ann.client.command("history", json!({"channel": "general", "limit": 1})).await.unwrap();
    for _ in 0..2 {
        publish(&ann, "general", json!(1)).await.unwrap();
    }
    assert_eq!(code(publish(&ann, "general", json!(1)).await), 111);
    // Others have a rate of their own.
    let bob = running.client("bob").await;
    publish(&bob, "general", json!(1)).await.unwrap();
    running.stop().await;
}

pub async fn many_bytes() {
    let running = limited(|limits| {
        limits.message_bytes_max = 4_096;
        (limits.bytes_per_second, limits.bytes_burst) = (1, 4_096);
    })
    .await;
    let ann = running.client("ann").await;
    publish(&ann, "general", json!("x".repeat(3_000))).await.unwrap();
    assert_eq!(code(publish(&ann, "general", json!("x".repeat(3_000))).await), 111);
    publish(&ann, "general", json!("small")).await.unwrap();
    running.stop().await;
}

pub async fn one_who_does_not_stop() {
    let running = limited(|limits| {
        (limits.commands_per_second, limits.commands_burst) = (1, 5);
        limits.refusals_max = 3;
    })
    .await;
    let mut ann = running.client("ann").await;
    for _ in 0..30 {
        let publish = json!({"channel": "general", "data": 1});
        ann.client.begin_in_band("publish", publish).await.unwrap();
    }
    assert_eq!(ann.closed().await, 3013);
    // Native pings are commands as well: who floods with them is closed too.
    let before = bites(Limit::Refusals);
    let mut bob = running.client("bob").await;
    for _ in 0..30 {
        bob.client.raw(Message::Ping(vec![1].into())).await.unwrap();
    }
    assert_eq!(bob.closed().await, 3013);
    bitten(Limit::Refusals, before).await;
    running.stop().await;
}

pub async fn many_rooms_of_one() {
    let running = limited(|limits| limits.subscriptions_max = 1).await;
    let ann = running.client("ann").await;
    ann.client.subscribe("one", None).await.unwrap();
    assert_eq!(code(ann.client.subscribe("two", None).await), 106);
    running.stop().await;
}

pub async fn many_rooms_of_all() {
    let running = limited(|limits| limits.rooms_max = 1).await;
    let (ann, bob) = (running.client("ann").await, running.client("bob").await);
    ann.client.subscribe("one", None).await.unwrap();
    assert_eq!(code(bob.client.subscribe("two", None).await), 111);
    bob.client.subscribe("one", None).await.unwrap();
    running.stop().await;
}

/// Publishes as much as may be, twice; then who of the others may still.
async fn publish_twice(running: &Running, data: &Value, others: [(&str, &str); 2]) -> [u32; 2] {
    let ann = running.client("ann").await;
    publish(&ann, "general", data.clone()).await.unwrap();
    let mut codes = [0; 2];
    for ((user, room), found) in others.into_iter().zip(&mut codes) {
        let other = running.client(user).await;
        match publish(&other, room, data.clone()).await {
            Ok(_) => {}
            refused => *found = code(refused),
        }
    }
    codes
}

/// Text of which a burst of bytes holds one and not two.
fn half() -> Value {
    json!("x".repeat(40_000))
}

pub async fn publishes_of_a_user() {
    let running = limited(|limits| {
        (limits.user_publishes_per_second, limits.user_publishes_burst) = (1, 1);
    })
    .await;
    let codes = publish_twice(&running, &json!(1), [("ann", "other"), ("bob", "general")]).await;
    assert_eq!(codes, [111, 0]);
    running.stop().await;
}

pub async fn bytes_of_a_user() {
    let running = limited(|limits| {
        (limits.user_bytes_per_second, limits.user_bytes_burst) = (1, 65_536);
    })
    .await;
    let codes = publish_twice(&running, &half(), [("ann", "other"), ("bob", "general")]).await;
    assert_eq!(codes, [111, 0]);
    running.stop().await;
}

pub async fn publishes_from_an_address() {
    let running = limited(|limits| {
        (limits.address_publishes_per_second, limits.address_publishes_burst) = (1, 1);
    })
    .await;
    let codes = publish_twice(&running, &json!(1), [("bob", "other"), ("cid", "more")]).await;
    assert_eq!(codes, [111, 111]);
    running.stop().await;
}

pub async fn bytes_from_an_address() {
    let running = limited(|limits| {
        (limits.address_bytes_per_second, limits.address_bytes_burst) = (1, 65_536);
    })
    .await;
    let codes = publish_twice(&running, &half(), [("bob", "other"), ("cid", "more")]).await;
    assert_eq!(codes, [111, 111]);
    running.stop().await;
}

pub async fn publishes_into_a_room() {
    let running = limited(|limits| {
        (limits.room_publishes_per_second, limits.room_publishes_burst) = (1, 1);
    })
    .await;
    let codes = publish_twice(&running, &json!(1), [("bob", "general"), ("cid", "other")]).await;
    assert_eq!(codes, [111, 0]);
    running.stop().await;
}

pub async fn bytes_into_a_room() {
    let running = limited(|limits| {
        (limits.room_bytes_per_second, limits.room_bytes_burst) = (1, 65_536);
    })
    .await;
    let codes = publish_twice(&running, &half(), [("bob", "general"), ("cid", "other")]).await;
    assert_eq!(codes, [111, 0]);
    running.stop().await;
}

pub async fn more_users_than_rates() {
    let running = limited(|limits| limits.rate_keys_max = 0).await;
    let ann = running.client("ann").await;
    publish(&ann, "general", json!(1)).await.unwrap();
    running.stop().await;
}
