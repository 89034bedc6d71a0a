//! Members that missed far more than a page: they get all of it, once and in order, while the room
//! talks on.
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::{Shape, System};
use futures_util::future::{join_all, try_join_all};
use serde_json::json;
use testkit::client::{Client, Incoming};
use testkit::history::print_of;
use tokio::sync::{mpsc, watch};

use crate::{s, turn};

const MEMBERS: usize = 20;
const MISSED: u64 = 10_000;
const TALKERS: usize = 10;
/// Each talker says something that often: 500 a second together.
const TALK_EVERY: Duration = Duration::from_millis(20);
/// Commands that a talker has under way at most.
const PIPELINED: usize = 32;

/// A client of its own user.
async fn client(system: &System, index: usize, name: &str) -> (Client, mpsc::Receiver<Incoming>) {
    let urls = system.urls();
    let token = system.token(name, &[]).unwrap();
    let (client, incoming, _) = Client::connect(&urls[index % urls.len()], &token).await.unwrap();
    (client, incoming)
}

/// Says `count` things, as fast as they are acked.
async fn say(client: &Client, room: &str, count: u64) {
    for chunk in (0..count).collect::<Vec<_>>().chunks(PIPELINED) {
        let publish =
            |n: &u64| client.command("publish", json!({"channel": room, "data": {"n": n}}));
        for acked in join_all(chunk.iter().map(publish)).await {
            acked.unwrap();
        }
    }
}

/// Talks on at its pace until told to stop; gives the number of acked messages.
async fn talk(client: Client, room: Arc<str>, stop: watch::Receiver<bool>) -> u64 {
    let mut pace = tokio::time::interval(TALK_EVERY);
    let mut answers = Vec::new();
    while !*stop.borrow() {
        pace.tick().await;
        let data = json!({"channel": &*room, "data": {"live": answers.len()}});
        answers.push(client.begin("publish", data).await.unwrap());
    }
    let said = answers.len() as u64;
    for answer in answers {
        answer.wait().await.unwrap();
    }
    said
}

/// What a member that came back saw.
struct Back {
    /// Items in the answer of its subscribe.
    in_answer: usize,
    /// From the subscribe until all that was missed had come.
    caught_up: Duration,
    /// Prints of all payloads, in the order in which they came.
    prints: Vec<u64>,
}

/// Comes back with a position and reads until `end` tells where the room ended.
async fn come_back(
    (client, mut incoming): (Client, mpsc::Receiver<Incoming>),
    room: Arc<str>,
    epoch: Arc<str>,
    caught: mpsc::Sender<()>,
    mut end: watch::Receiver<u64>,
) -> Back {
    let begun = Instant::now();
    let position = json!({"channel": &*room, "recover": true, "epoch": &*epoch});
    client.begin_in_band("subscribe", position).await.unwrap();
    let Some(Incoming::Reply(_, Ok(result))) = incoming.recv().await else {
        panic!("a push of the room came before its subscribe's answer, or a refusal")
    };
    assert_eq!(
        (&result["was_recovering"], &result["recovered"]),
        (&json!(true), &json!(true)),
        "{result}"
    );
    assert_eq!(result["offset"].as_u64().unwrap_or(0), 0, "the offset that the client sent");
    let mut prints = Vec::new();
    for publication in result["publications"].as_array().unwrap() {
        assert_eq!(publication["offset"], json!(prints.len() + 1));
        prints.push(print_of(publication["data"].to_string().as_bytes()));
    }
    let (in_answer, mut caught_up) = (prints.len(), None);
    loop {
        let last = prints.len() as u64;
        if last >= MISSED && caught_up.is_none() {
            caught_up = Some(begun.elapsed());
            caught.send(()).await.unwrap();
        }
        let ends_at = *end.borrow_and_update();
        if ends_at != 0 && last >= ends_at {
            assert_eq!(last, ends_at);
            return Back { in_answer, caught_up: caught_up.unwrap(), prints };
        }
        tokio::select! {
            next = incoming.recv() => match next {
                Some(Incoming::Push(push)) => {
                    let publication = push.publication.expect("nothing but publications");
                    assert_eq!(publication.offset, last + 1, "a hole or a repeat");
                    prints.push(print_of(publication.data.get().as_bytes()));
                }
                other => panic!("ended after {last}: {other:?}"),
            },
            told = end.changed() => told.unwrap(),
        }
    }
}

async fn sum(system: &System, metric: &str) -> f64 {
    let of_each = system.gateways.iter().map(|gateway| gateway.metric(metric));
    try_join_all(of_each).await.unwrap().into_iter().sum()
}

/// Two gateways, a log that keeps all of it, and no limits for publishers: what is tried is the way back.
fn shape() -> Shape {
    let mut shape = Shape::processes()
        .with("ROOMCAST_ROOMS__KINDS__DEFAULT__HISTORY_ITEMS_MAX", 100_000)
        .with("ROOMCAST_GATEWAY__LIMITS__COMMANDS_PER_SECOND", 100_000)
        .with("ROOMCAST_GATEWAY__LIMITS__COMMANDS_BURST", 100_000)
        .with("ROOMCAST_GATEWAY__LIMITS__BYTES_PER_SECOND", 100_000_000)
        .with("ROOMCAST_GATEWAY__LIMITS__BYTES_BURST", 100_000_000)
        .with("ROOMCAST_GATEWAY__LIMITS__USER_PUBLISHES_PER_SECOND", 0)
        .with("ROOMCAST_GATEWAY__LIMITS__USER_BYTES_PER_SECOND", 0)
        .with("ROOMCAST_GATEWAY__LIMITS__ROOM_PUBLISHES_PER_SECOND", 0)
        .with("ROOMCAST_GATEWAY__LIMITS__ROOM_BYTES_PER_SECOND", 0);
    shape.gateways = 2;
    shape
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_members_who_each_missed_ten_thousand_messages_get_them_while_the_room_talks_on() {
    let _turn = turn().await;
    let system = shape().start().await.unwrap();
    let room = system.fresh_room("absence");
    let names: Vec<_> = (0..TALKERS).map(|n| format!("talker-{n}")).collect();
    let talkers =
        join_all(names.iter().enumerate().map(|(n, name)| client(&system, n, name))).await;
    let (reader, _incoming) = client(&system, 0, "reader").await;
    let epoch = reader.subscribe(&room, None).await.unwrap().epoch;
    reader.command("unsubscribe", json!({"channel": &*room})).await.unwrap();

    let begun = Instant::now();
    let each = MISSED / TALKERS as u64;
    join_all(talkers.iter().map(|(client, _)| say(client, &room, each))).await;
    println!("{MISSED} messages were said in {:?}", begun.elapsed());

    let (stop, stopped) = watch::channel(false);
    let talking: Vec<_> = talkers
        .into_iter()
        .map(|(client, incoming)| {
            let talk = talk(client, room.clone(), stopped.clone());
            tokio::spawn(async move { (talk.await, incoming) })
        })
        .collect();
    let (caught, mut all_caught) = mpsc::channel(MEMBERS);
    let (end, ends_at) = watch::channel(0);
    let names: Vec<_> = (0..MEMBERS).map(|n| format!("member-{n}")).collect();
    let members =
        join_all(names.iter().enumerate().map(|(n, name)| client(&system, n, name))).await;
    let pages = sum(&system, "roomcast_gateway_pages_total").await;
    let begun = Instant::now();
    let back: Vec<_> = members
        .into_iter()
        .map(|own| {
            let (room, epoch) = (room.clone(), epoch.clone());
            tokio::spawn(come_back(own, room, epoch, caught.clone(), ends_at.clone()))
        })
        .collect();
    for _ in 0..MEMBERS {
        let one = tokio::time::timeout(s(60), all_caught.recv()).await;
        one.expect("all caught up within 60 s").expect("nobody failed");
    }
    let took = begun.elapsed();
    let pages = sum(&system, "roomcast_gateway_pages_total").await - pages;
    stop.send(true).unwrap();
    let live: u64 = join_all(talking).await.into_iter().map(|said| said.unwrap().0).sum();
    end.send(MISSED + live).unwrap();
    let back = tokio::time::timeout(s(30), try_join_all(back)).await;
    let back = back.expect("all at the end within 30 s").unwrap();

    let log = testkit::log::read(&reader, &room).await.unwrap();
    let said: Vec<u64> = log.iter().map(|entry| entry.print).collect();
    assert_eq!(said.len() as u64, MISSED + live);
    assert!(back.iter().all(|one| one.prints == said), "somebody saw another log");
    assert!(back.iter().all(|one| one.in_answer > 0 && (one.in_answer as u64) < MISSED));
    let lost = sum(&system, "roomcast_gateway_members_lost_total").await;
    assert!(lost.abs() < f64::EPSILON, "{lost} members were told to start over");
    let slowest = back.iter().map(|one| one.caught_up).max().unwrap();
    println!(
        "{MEMBERS} members caught up with {MISSED} messages in {took:?} (slowest {slowest:?}), \
         {} in an answer, {pages} pages read; {live} more were said meanwhile and after",
        back[0].in_answer
    );
    // Members share what is read: alone each would read every page.
    let alone = MEMBERS as f64 * (MISSED as f64 / 256.0);
    assert!(pages > 0.0 && pages < alone, "{pages} pages, {alone} without sharing");
}
