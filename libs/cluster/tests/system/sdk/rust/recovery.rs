//! Bob loses his connection, or his gateway, in each way there is, and hears everything once all the same.
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use centrifuge::StreamPosition;
use futures_util::future::try_join_all;

use super::{Ear, Hall, Person, until};

pub(super) async fn play(hall: &Hall) {
    let room = hall.stage.system.fresh_room("recovery");
    let [ann, bob] = [hall.person(0, "ann"), hall.person(1, "bob")];
    tokio::join!(ann.connect(), bob.connect());
    let [here, there] = [ann.listen(&room), bob.listen(&room)];
    let epoch = here.subscribe().await.stream_position.unwrap().epoch;
    there.subscribe().await;
    here.say(3).await;
    there.heard_all(1, 3).await;

    let (door, gateway) = (&hall.stage.doors[1], &hall.stage.system.gateways[1]);
    let cast = Cast { bob: &bob, here: &here, there: &there };
    cast.lose(|| door.cut(), 1, 7).await;
    cast.lose(|| door.cut_twice(), 2, 11).await;
    cast.lose(|| gateway.kill9(), 1, 15).await;
    there.say(1).await;
    here.heard_all(1, 16).await;
    there.heard_all(1, 16).await;
    gateway.restart().await.unwrap();
    cast.lose(|| door.cut(), 1, 20).await;

    long_absence(hall).await;
    wrong_epoch(hall, &room).await;
    state(hall, &room, &epoch).await;
    ann.client.close().await;
    bob.client.close().await;
}

struct Cast<'a> {
    bob: &'a Person,
    here: &'a Ear,
    there: &'a Ear,
}

impl Cast<'_> {
    /// What takes bob away so often while ann goes on; both have heard `last` messages in the end.
    async fn lose(&self, how: impl FnOnce(), times: usize, last: u64) {
        let before = self.there.heard.subscribed.count();
        let away = self.bob.life.connecting.count() + times;
        how();
        self.here.say(3).await;
        until("bob is away", || self.bob.life.connecting.count() == away).await;
        until("bob is back", || self.there.heard.subscribed.count() > before).await;
        for event in &self.there.heard.subscribed.all()[before..] {
            assert!(event.was_recovering && event.recovered, "{event:?}");
        }
        self.here.say(1).await;
        self.here.heard_all(1, last).await;
        self.there.heard_all(1, last).await;
    }
}

/// A position of another life of the room: told honestly, and what is said from now on is heard.
async fn wrong_epoch(hall: &Hall, room: &str) {
    let carol = hall.person(1, "carol");
    carol.connect().await;
    let ear = carol.listen_with(room, |options| options.since(StreamPosition::new(2, "wrong")));
    let subscribed = ear.subscribe().await;
    assert!(subscribed.was_recovering && !subscribed.recovered);
    assert_eq!(subscribed.stream_position.unwrap().offset, 20);
    ear.say(1).await;
    ear.heard_all(21, 21).await;
    carol.client.close().await;
}

/// The application keeps the position itself. It is asked once more when the first one leads nowhere.
async fn state(hall: &Hall, room: &str, epoch: &str) {
    let dave = hall.person(1, "dave");
    dave.connect().await;
    let positions = ["wrong", epoch].map(|epoch| StreamPosition::new(2, epoch));
    let positions = Arc::new(Mutex::new(VecDeque::from(positions)));
    let left = Arc::clone(&positions);
    let ear = dave.listen_with(room, |options| {
        options.get_state(move |_| {
            let next = positions.lock().unwrap().pop_front();
            std::future::ready(next.ok_or_else(|| "asked too often".into()))
        })
    });
    let subscribed = ear.subscribe().await;
    assert!(subscribed.was_recovering && subscribed.recovered);
    assert!(left.lock().unwrap().is_empty());
    ear.heard_all(3, 21).await;
    dave.client.close().await;
}

/// More was said than fits into one answer: the rest comes after it, in order, and then what is said now.
async fn long_absence(hall: &Hall) {
    let room = hall.stage.system.fresh_room("absence");
    let [ann, bob] = [hall.person(0, "ann"), hall.person(1, "bob")];
    let [here, there] = [ann.listen(&room), bob.listen(&room)];
    for (person, ear) in [(&ann, &here), (&bob, &there)] {
        person.connect().await;
        ear.subscribe().await;
    }
    hall.stage.doors[1].shut();
    until("the loss", || bob.life.connecting.count() == 2).await;
    for _ in 0..8 {
        try_join_all((0..100).map(|index| here.subscription.publish(format!("{index}"))))
            .await
            .unwrap();
    }
    hall.stage.doors[1].reopen();
    until("the return", || there.heard.subscribed.count() == 2).await;
    here.say(3).await;
    here.heard_all(1, 803).await;
    there.heard_all(1, 803).await;
    let back = there.heard.subscribed.all().pop().unwrap();
    assert!(back.was_recovering && back.recovered);
    ann.client.close().await;
    bob.client.close().await;
}
