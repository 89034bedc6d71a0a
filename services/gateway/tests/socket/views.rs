//! What a member may ask of its view: a number for the room's name, patches, a part of the messages.
use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{Body, ConnectionId, Signal, Tags, Who};
use gateway::RoomNumbers;
use serde_json::{Value, json};
use testkit::fossil;

use crate::fakes::id_of;
use crate::harness::{Running, start};
use crate::speaker::{Fields, Speaker, num, part};
use crate::streamer::{Streamer, Way};

/// A payload that differs little from the one before it.
fn state(n: u64) -> String {
    json!({"match": "Ada – Grace, the long game", "goals": n / 7, "minute": n}).to_string()
}

/// Says something with a tag.
fn say(running: &Running, room: &str, team: &str, data: String) {
    let tags = Tags::new(BTreeMap::from([("team".to_owned(), team.to_owned())])).unwrap();
    running
        .rooms
        .commit(room, Body::Message { sender: None, gateway: None, tags, data: data.into() });
}

/// The next push of a stream in JSON.
async fn push(streamer: &mut Streamer) -> Value {
    streamer.json().await["push"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_stands_for_the_room_in_what_comes_often() {
    let running = start(|config| config.http.sse = true).await;
    let at = running.address;
    for way in [Way::Lines, Way::Events] {
        let room = format!("room-{way:?}");
        let (mut ann, _) = Streamer::connect(at, way, "ann").await;
        let wish = json!({"channel": room, "join_leave": true, "flag": 1});
        let (answer, _) = ann.ask(at, "subscribe", wish).await;
        let number = answer["subscribe"]["id"].as_i64().expect("a number");
        assert!(number > 0);
        let (mut bob, _) = Streamer::connect(at, way, "bob").await;
        let wish = json!({"channel": room, "join_leave": true, "flag": 2});
        let (answer, _) = bob.ask(at, "subscribe", wish).await;
        assert!(answer["subscribe"].is_object() && answer["subscribe"].get("id").is_none());
        let cid = Who {
            id: id_of("cid"),
            name: "Cid".to_owned(),
            info: Bytes::new(),
            room_info: Bytes::new(),
            connection: ConnectionId::random(),
        };
        running.rooms.signal(&room, Signal::Join(cid.clone()));
        running.rooms.signal(&room, Signal::Leave(cid));
        running.rooms.say(&room, state(1));
        for _ in ["join", "leave", "pub"] {
            let (seen, named) = (push(&mut ann).await, push(&mut bob).await);
            assert_eq!((&seen["id"], seen.get("channel")), (&json!(number), None), "{seen}");
            assert_eq!((&named["channel"], named.get("id")), (&json!(room), None), "{named}");
        }
        running.rooms.kick(&room, "ann");
        assert_eq!(push(&mut ann).await["pub"]["data"]["kind"], "kick");
        let ended = push(&mut ann).await;
        assert!(ended["unsubscribe"].is_object());
        assert_eq!((&ended["channel"], ended.get("id")), (&json!(room), None), "{ended}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_room_has_a_number_of_its_own_in_protobuf_too() {
    let running = start(|config| config.connection.room_numbers = RoomNumbers::All).await;
    let (mut ann, _) = Speaker::connect(&running, "ann").await;
    let (mut bob, _) = Speaker::connect(&running, "bob").await;
    let wish = |room: &str| [part(1, room), num(14, 1)].concat();
    let first = ann.ask(5, 6, wish("one")).await.unwrap().num(14);
    let second = ann.ask(5, 6, wish("two")).await.unwrap().num(14);
    assert!(first > 0 && second > 0 && first != second);
    let shared = bob.ask(5, 6, wish("two")).await.unwrap().num(14);
    assert_eq!(shared, second, "so that one frame does for both");
    running.rooms.say("two", state(1));
    for member in [&mut ann, &mut bob] {
        let push = member.push().await;
        assert_eq!((push.num(1), push.text(2)), (second, ""));
        assert_eq!(push.get(4).unwrap().bytes(4), state(1).as_bytes());
    }
    // A subscription by the same name begins anew with the same room.
    assert_eq!(bob.ask(6, 7, part(1, "two")).await.unwrap(), Fields::default());
    assert_eq!(bob.ask(5, 6, wish("two")).await.unwrap().num(14), second);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_numbers_are_turned_off_rooms_are_named() {
    for numbers in [RoomNumbers::Json, RoomNumbers::Off] {
        let running = start(|config| config.connection.room_numbers = numbers).await;
        let (mut ann, _) = Speaker::connect(&running, "ann").await;
        let answer = ann.ask(5, 6, [part(1, "one"), num(14, 1)].concat()).await.unwrap();
        assert_eq!(answer.num(14), 0);
        running.rooms.say("one", state(1));
        let push = ann.push().await;
        assert_eq!((push.num(1), push.text(2)), (0, "one"));
        let (mut bob, _) = Streamer::connect(running.address, Way::Lines, "bob").await;
        let wish = json!({"channel": "one", "flag": 1});
        let (answer, _) = bob.ask(running.address, "subscribe", wish).await;
        assert_eq!(answer["subscribe"]["id"].is_i64(), numbers == RoomNumbers::Json);
        running.stop().await;
    }
}

/// Who puts patches together, as an SDK does. Counts them.
#[derive(Default)]
struct Reader {
    base: Vec<u8>,
    patches: usize,
    wholes: usize,
}

impl Reader {
    fn take(&mut self, data: &[u8], delta: bool) -> String {
        if delta {
            self.patches += 1;
            self.base = fossil::apply(&self.base, data).expect("a patch on what came before");
        } else {
            self.wholes += 1;
            self.base = data.to_vec();
        }
        String::from_utf8(self.base.clone()).unwrap()
    }

    /// A publication in JSON: its payload is text that holds a value, or a patch on one.
    fn json(&mut self, publication: &Value) -> (u64, String) {
        let data = publication["data"].as_str().expect("a payload as a string").as_bytes();
        let delta = publication.get("delta") == Some(&json!(true));
        (publication["offset"].as_u64().unwrap(), self.take(data, delta))
    }

    /// A publication in Protobuf.
    fn fields(&mut self, publication: &Fields) -> (u64, String) {
        (publication.num(6), self.take(publication.bytes(4), publication.num(8) == 1))
    }
}

fn with_delta(room: &str) -> Value {
    json!({"channel": room, "delta": "fossil", "flag": 1})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_little_comes_as_patches_after_the_first() {
    let running = start(|config| config.http.sse = true).await;
    let at = running.address;
    for way in [Way::Lines, Way::Events] {
        let room = format!("delta-{way:?}");
        running.rooms.say(&room, state(0));
        let (mut ann, _) = Streamer::connect(at, way, "ann").await;
        let (answer, _) = ann.ask(at, "subscribe", with_delta(&room)).await;
        assert_eq!(answer["subscribe"]["delta"], json!(true), "{answer}");
        let mut bob = running.client("bob").await;
        bob.client.subscribe(&room, None).await.unwrap();
        let mut reader = Reader::default();
        for n in 1..=40 {
            // One is unlike the others: no patch is shorter.
            let said = if n == 20 { "[1]".to_owned() } else { state(n) };
            running.rooms.say(&room, said.clone());
            assert_eq!(reader.json(&push(&mut ann).await["pub"]), (n + 1, said.clone()));
            assert_eq!(bob.publication().await, (n + 1, said), "as it is for whom asks for none");
        }
        assert_eq!((reader.wholes, reader.patches), (3, 37), "the first, the odd one, the next");
        // A kick is an item of the log like another, and so is what follows it.
        running.rooms.kick(&room, "somebody");
        let (offset, kick) = reader.json(&push(&mut ann).await["pub"]);
        assert!(offset == 42 && kick.contains("somebody"), "{kick}");
        running.rooms.say(&room, state(41));
        assert_eq!(reader.json(&push(&mut ann).await["pub"]), (43, state(41)));
        let (history, _) = ann.ask(at, "history", json!({"channel": room, "limit": 2})).await;
        let publications = history["history"]["publications"].as_array().unwrap();
        assert!(publications.iter().all(|one| one["data"].is_object()), "whole and plain");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_is_whole_and_then_patches_that_go_on_live() {
    let running = start(|_| {}).await;
    let room = "delta-match";
    (0..20).for_each(|n| drop(running.rooms.say(room, state(n))));
    for (offset, flag) in [(5_u64, 0), (0, 1), (19, 1)] {
        let (mut ann, _) = Speaker::connect(&running, "ann").await;
        let place = [num(3, 1), num(7, offset), part(12, "fossil"), num(14, flag)].concat();
        let answer = ann.ask(5, 6, [part(1, room), place].concat()).await.unwrap();
        assert_eq!((answer.num(8), answer.num(13), answer.num(9)), (1, 1, offset));
        let mut reader = Reader::default();
        let mut heard: Vec<_> = answer.all(7).map(|one| reader.fields(&one)).collect();
        assert_eq!(reader.wholes, 1);
        let mut next = offset + heard.len() as u64;
        let head = running.rooms.say(room, state(next + 1_000)).offset;
        while next < head {
            heard.push(reader.fields(&ann.push().await.get(4).unwrap()));
            next += 1;
        }
        // The first one that the ring ever held has nothing there to be a patch on.
        assert!((1..=2).contains(&reader.wholes), "{} wholes", reader.wholes);
        assert_eq!(heard.len() as u64, head - offset);
        let offsets: Vec<_> = heard.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, (offset + 1..=head).collect::<Vec<_>>());
        let log = heard.iter().zip(offset..).filter(|((n, _), _)| *n <= 20);
        log.for_each(|((_, text), n)| assert_eq!(*text, state(n)));
    }
    // Nothing was missed, or it cannot be recovered: what comes next is whole.
    let head = running.rooms.say(room, state(99)).offset;
    for (epoch, recovered) in [("", 1), ("another", 0)] {
        let (mut ann, _) = Speaker::connect(&running, "ann").await;
        let place = [num(3, 1), part(6, epoch), num(7, head), part(12, "fossil")].concat();
        let answer = ann.ask(5, 6, [part(1, room), place].concat()).await.unwrap();
        assert_eq!((answer.num(8), answer.num(13), answer.all(7).count()), (recovered, 1, 0));
        running.rooms.say(room, state(100));
        let (mut reader, push) = (Reader::default(), ann.push().await);
        assert_eq!(reader.fields(&push.get(4).unwrap()).1, state(100));
        assert_eq!(reader.wholes, 1);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_are_not_given_where_the_kind_has_none() {
    let running = start(|_| {}).await;
    let at = running.address;
    let (mut ann, _) = Streamer::connect(at, Way::Lines, "ann").await;
    for room in ["general", "live-room"] {
        let (answer, _) = ann.ask(at, "subscribe", with_delta(room)).await;
        assert!(answer["subscribe"].is_object() && answer["subscribe"].get("delta").is_none());
        running.rooms.say(room, state(1));
        let push = push(&mut ann).await;
        assert!(push["pub"]["data"].is_object() && push["pub"].get("delta").is_none(), "{push}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_json_cannot_carry_ends_who_reads_json_with_patches_too() {
    let running = start(|_| {}).await;
    let room = "delta-raw";
    let (mut ann, _) = Streamer::connect(running.address, Way::Lines, "ann").await;
    ann.ask(running.address, "subscribe", with_delta(room)).await;
    let (mut bob, _) = Speaker::connect(&running, "bob").await;
    bob.ask(5, 6, [part(1, room), part(12, "fossil")].concat()).await.unwrap();
    for data in [&b"\xff\xfe no text"[..], b"{\"no\":\"json\"", b"{}"] {
        running.rooms.say(room, Bytes::copy_from_slice(data));
        let push = bob.push().await;
        let publication = push.get(4).unwrap();
        assert_eq!(publication.bytes(4), data, "too short for patches");
    }
    assert_eq!(ann.closed().await.0, 3506);
    running.stop().await;
}

fn sifted(room: &str, team: &str) -> Value {
    json!({"channel": room, "tf": {"key": "team", "cmp": "eq", "val": team}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_leaves_out_what_is_not_wanted_and_no_kick() {
    let running = start(|_| {}).await;
    let at = running.address;
    let room = "sift-news";
    let (mut ann, _) = Streamer::connect(at, Way::Lines, "ann").await;
    let wish =
        json!({"delta": "fossil", "flag": 1, "tf": sifted(room, "red")["tf"], "channel": room});
    let (answer, _) = ann.ask(at, "subscribe", wish).await;
    assert!(answer["subscribe"].is_object() && answer["subscribe"].get("delta").is_none());
    for n in 1..=30 {
        say(&running, room, if n % 3 == 0 { "red" } else { "blue" }, state(n));
    }
    for n in 1..=10 {
        let push = push(&mut ann).await;
        assert_eq!(push["pub"]["offset"], json!(3 * n), "{push}");
        assert_eq!(push["pub"]["tags"]["team"], "red");
    }
    // Who has seen all that it wants is not given it again, and goes on from the head.
    let (mut bob, _) = Streamer::connect(at, Way::Lines, "bob").await;
    let mut wish = sifted(room, "red");
    (wish["recover"], wish["offset"]) = (json!(true), json!(25));
    let (answer, _) = bob.ask(at, "subscribe", wish).await;
    let subscribed = &answer["subscribe"];
    let recovered = subscribed["publications"].as_array().unwrap();
    let offsets: Vec<_> = recovered.iter().map(|one| one["offset"].as_u64().unwrap()).collect();
    assert_eq!((offsets, &subscribed["recovered"]), (vec![27, 30], &json!(true)));
    let (mut cid, _) = Streamer::connect(at, Way::Lines, "cid").await;
    let mut wish = sifted(room, "green");
    (wish["recover"], wish["offset"]) = (json!(true), json!(25));
    let (answer, _) = cid.ask(at, "subscribe", wish).await;
    let subscribed = &answer["subscribe"];
    assert_eq!((&subscribed["recovered"], &subscribed["offset"]), (&json!(true), &json!(30)));
    assert_eq!(subscribed.get("publications"), None, "{subscribed}");
    say(&running, room, "green", state(31));
    say(&running, room, "red", state(32));
    for (member, offset) in [(&mut bob, 32), (&mut cid, 31)] {
        assert_eq!(push(member).await["pub"]["offset"], json!(offset));
    }
    // What concerns who is in the room is told to all in it.
    running.rooms.kick(room, "bob");
    assert_eq!(push(&mut bob).await["pub"]["data"]["user"], "bob");
    assert!(push(&mut bob).await["unsubscribe"].is_object());
    assert_eq!(push(&mut cid).await["pub"]["data"]["user"], "bob");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_holds_for_what_no_log_keeps() {
    let running = start(|_| {}).await;
    let (mut ann, _) = Streamer::connect(running.address, Way::Lines, "ann").await;
    let (answer, _) = ann.ask(running.address, "subscribe", sifted("live-news", "red")).await;
    assert!(answer["subscribe"].is_object(), "{answer}");
    for (team, n) in [("blue", 1), ("red", 2), ("blue", 3), ("red", 4)] {
        say(&running, "live-news", team, state(n));
    }
    for n in [2, 4] {
        assert_eq!(push(&mut ann).await["pub"]["data"]["minute"], json!(n));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_is_not_understood_or_not_allowed_is_refused() {
    let running = start(|_| {}).await;
    let at = running.address;
    let (mut ann, _) = Streamer::connect(at, Way::Lines, "ann").await;
    let red = sifted("sift-news", "red")["tf"].clone();
    let mut deep = red.clone();
    (0..8).for_each(|_| deep = json!({"op": "not", "nodes": [deep]}));
    let wide = json!({"op": "or", "nodes": vec![red.clone(); 64]});
    let unknown = json!({"key": "team", "cmp": "like", "val": "red"});
    for (room, filter) in
        [("general", red.clone()), ("sift-a", deep), ("sift-a", wide), ("sift-a", unknown)]
    {
        let wish = json!({"channel": room, "tf": filter});
        let (answer, _) = ann.ask(at, "subscribe", wish).await;
        assert_eq!(answer["error"]["code"], json!(107), "{room} {answer}");
    }
    let (answer, _) = ann.ask(at, "subscribe", json!({"channel": "sift-a", "tf": red})).await;
    assert!(answer["subscribe"].is_object(), "the room is free still: {answer}");
    running.stop().await;
}
