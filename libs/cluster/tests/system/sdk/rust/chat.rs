//! Two people talk in a room, each on a gateway of their own.
use centrifuge::{HistoryOptions, StreamPosition, Subscription};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::{Ear, Hall, Person, name_of, refusal, until, value};

pub(super) async fn play(hall: &Hall) {
    let room = hall.stage.system.fresh_room("chat");
    let [ann, bob] = [hall.person(0, "ann"), hall.person(1, "bob")];
    tokio::join!(ann.connect(), bob.connect());
    assert_ne!(ann.life.connected.all(), bob.life.connected.all());
    until("system", || ann.life.server_side.all().contains(&"system".to_owned())).await;

    let [here, there] = [ann.listen(&room), bob.listen(&room)];
    let bob_joined = |times: usize| {
        move |names: Vec<String>| names.iter().filter(|name| *name == "bob").count() == times
    };
    here.subscribe().await;
    let subscribed = there.subscribe().await;
    assert!(subscribed.recoverable && subscribed.positioned && !subscribed.was_recovering);
    until("bob's join", || bob_joined(1)(here.heard.joined.all())).await;

    publish(&here, &there).await;
    call(&ann, &room).await;
    history(&there.subscription).await;

    let presence = here.subscription.presence().await.unwrap();
    let mut names: Vec<String> = presence.clients.values().map(name_of).collect();
    names.sort();
    assert_eq!(names, ["ann", "bob"]);
    let stats = there.subscription.presence_stats().await.unwrap();
    assert_eq!((stats.num_clients, stats.num_users), (2, 2));

    there.subscription.unsubscribe();
    until("bob's leave", || here.heard.left.all() == ["bob"]).await;
    assert_eq!(here.subscription.presence_stats().await.unwrap().num_clients, 1);
    here.say(2).await;
    let again = there.subscribe().await;
    until("bob's second join", || bob_joined(2)(here.heard.joined.all())).await;

    // Who comes back to a room hears what was said meanwhile, and nothing twice.
    assert!(again.was_recovering && again.recovered);
    here.say(1).await;
    here.heard_all(1, 44).await;
    there.heard_all(1, 44).await;
    ann.client.close().await;
    bob.client.close().await;
}

/// Both at once and without waiting for answers: one order for all, in which each author's own is kept.
async fn publish(here: &Ear, there: &Ear) {
    let texts = |name: &str| -> Vec<Value> {
        (0..20).map(|index| json!({"name": name, "index": index})).collect()
    };
    let [ann, bob] = ["ann", "bob"].map(texts);
    let said = ann.iter().map(|text| here.subscription.publish(text.to_string()));
    let said = said.chain(bob.iter().map(|text| there.subscription.publish(text.to_string())));
    try_join_all(said).await.unwrap();
    for ear in [here, there] {
        ear.heard_all(1, 40).await;
        let heard = ear.heard.publications.all();
        for (name, texts) in [("ann", &ann), ("bob", &bob)] {
            let own = heard.iter().filter(|one| name_of(one.info.as_ref().unwrap()) == name);
            assert_eq!(own.map(|one| value(&one.data)).collect::<Vec<_>>(), *texts);
        }
    }
    let data = |ear: &Ear| {
        ear.heard.publications.all().into_iter().map(|one| one.data).collect::<Vec<_>>()
    };
    assert_eq!(data(here), data(there));
}

async fn call(person: &Person, room: &str) {
    let message = json!({"room": room, "id": "message-of-ann", "data": {"text": "by rpc"}});
    for duplicate in [false, true] {
        let sent = person.client.rpc("room.send", message.to_string()).await.unwrap();
        let sent = value(&sent.data);
        assert_eq!((&sent["offset"], &sent["duplicate"]), (&json!(41), &json!(duplicate)));
    }
    assert_eq!(refusal(person.client.rpc("room.nonsense", "{}").await), 104);
}

async fn history(subscription: &Subscription) {
    let offsets = async |options: HistoryOptions| -> Vec<u64> {
        let page = subscription.history(options).await.unwrap();
        page.publications.iter().map(|publication| publication.offset).collect()
    };
    let top = subscription.history(HistoryOptions::new()).await.unwrap();
    assert_eq!((top.offset, top.publications.len()), (41, 0));
    let three = || HistoryOptions::new().limit(3);
    let since = || three().since(StreamPosition::new(5, &top.epoch));
    assert_eq!(offsets(three()).await, [1, 2, 3]);
    assert_eq!(offsets(since()).await, [6, 7, 8]);
    assert_eq!(offsets(three().reverse(true)).await, [41, 40, 39]);
    assert_eq!(offsets(since().reverse(true)).await, [4, 3, 2]);
    assert_eq!(offsets(HistoryOptions::new().all()).await.len(), 41);
    let wrong = three().since(StreamPosition::new(5, "wrong"));
    assert_eq!(refusal(subscription.history(wrong).await), 112);
}
