//! JSON and Protobuf in one room: the same messages for both, and what JSON cannot say.
use bytes::Bytes;
use centrifuge::{HistoryOptions, Protocol};
use serde_json::json;

use super::{Hall, refusal, until, value};

pub(super) async fn play(hall: &Hall) {
    let (json, protobuf) = (hall.speaking(Protocol::Json), hall.speaking(Protocol::Protobuf));
    one_room(&json, &protobuf).await;
    bytes(&json, &protobuf).await;
}

/// Each reads what the other wrote. A Protobuf reader gets the very bytes, spaces and all.
async fn one_room(json: &Hall, protobuf: &Hall) {
    let room = json.stage.system.fresh_room("formats");
    let [ann, bob, carol] =
        [json.person(0, "ann"), protobuf.person(1, "bob"), protobuf.person(0, "carol")];
    let ears = [ann.listen(&room), bob.listen(&room), carol.listen(&room)];
    for (person, ear) in [&ann, &bob, &carol].into_iter().zip(&ears) {
        person.connect().await;
        ear.subscribe().await;
    }
    let spaced = "{\n \"figure\": 1.0, \"word\": \"a\\nb \u{e9} \u{1f600}\" }";
    ears[0].subscription.publish(json!({"from": "ann"}).to_string()).await.unwrap();
    ears[1].subscription.publish(spaced).await.unwrap();
    // What a chat room keeps must be readable for all.
    assert_eq!(refusal(ears[1].subscription.publish(vec![0, 159, 146, 150]).await), 107);
    for ear in &ears {
        ear.heard_all(1, 2).await;
        let heard = ear.heard.publications.all();
        assert_eq!(value(&heard[0].data), json!({"from": "ann"}));
        assert_eq!(value(&heard[1].data), value(spaced.as_bytes()));
    }
    assert_eq!(ears[2].heard.publications.all()[1].data, spaced.as_bytes());
    assert!(!ears[0].heard.publications.all()[1].data.contains(&b'\n'), "one line a message");
    for person in [&ann, &bob, &carol] {
        person.client.close().await;
    }
}

/// A kind of room without an envelope takes any bytes; who came with JSON is told that it cannot read them.
async fn bytes(json: &Hall, protobuf: &Hall) {
    let room = format!("raw:{}", json.stage.system.fresh_room("bytes"));
    let [ann, bob, carol] =
        [json.person(0, "ann"), protobuf.person(1, "bob"), protobuf.person(0, "carol")];
    let [here, there, beside] = [ann.listen(&room), bob.listen(&room), carol.listen(&room)];
    for (person, ear) in [(&ann, &here), (&bob, &there), (&carol, &beside)] {
        person.connect().await;
        ear.subscribe().await;
    }
    let every: Bytes = (0..=255).collect();
    there.subscription.publish(every.clone()).await.unwrap();
    for ear in [&there, &beside] {
        ear.heard_all(1, 1).await;
        assert_eq!(ear.heard.publications.all()[0].data, every);
    }
    let page = beside.subscription.history(HistoryOptions::new().all()).await.unwrap();
    assert_eq!(page.publications[0].data, every);
    until("the close", || ann.life.disconnected.all() == [3506]).await;
    assert_eq!(here.heard.publications.count(), 0);
    for person in [&ann, &bob, &carol] {
        person.client.close().await;
    }
}
