//! What is refused, and what a hasty application does.
use centrifuge::State;
use serde_json::json;

use super::{Hall, until};

pub(super) async fn play(hall: &Hall) {
    forbidden(hall).await;
    too_large(hall).await;
    change_of_mind(hall).await;
}

/// A room of the system's own is no room to come into; the client stays, without that subscription.
async fn forbidden(hall: &Hall) {
    let ann = hall.person(0, "ann");
    ann.connect().await;
    let ear = ann.listen("user:somebody");
    ear.subscription.subscribe();
    until("the refusal", || ear.heard.unsubscribed.all() == [103]).await;
    assert_eq!(ann.client.state(), State::Connected);
    ann.client.close().await;
}

/// More than a frame may hold ends the client for good, so that it does not send the same again.
async fn too_large(hall: &Hall) {
    let ann = hall.person(0, "ann");
    ann.connect().await;
    let room = hall.stage.system.fresh_room("large");
    ann.client.publish(&room, json!("x".repeat(70_000)).to_string()).await.unwrap_err();
    until("the end", || ann.life.disconnected.all() == [3]).await;
    ann.client.close().await;
}

/// In and out without waiting: the last word counts, for the room's members too.
async fn change_of_mind(hall: &Hall) {
    let room = hall.stage.system.fresh_room("hasty");
    let [ann, bob] = [hall.person(0, "ann"), hall.person(1, "bob")];
    tokio::join!(ann.connect(), bob.connect());
    let [here, there] = [ann.listen(&room), bob.listen(&room)];
    here.subscribe().await;
    for round in 0..10 {
        there.subscription.subscribe();
        if round % 3 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        }
        there.subscription.unsubscribe();
    }
    there.subscribe().await;
    here.say(3).await;
    here.heard_all(1, 3).await;
    there.heard_all(1, 3).await;
    let times = |names: Vec<String>| names.iter().filter(|name| *name == "bob").count();
    let (joined, left) = (&here.heard.joined, &here.heard.left);
    until("bob is here once", || times(joined.all()) == times(left.all()) + 1).await;
    assert_eq!(here.subscription.presence_stats().await.unwrap().num_clients, 2);
    ann.client.close().await;
    bob.client.close().await;
}
