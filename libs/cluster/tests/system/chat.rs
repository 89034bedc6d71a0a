//! Two people on two gateways chat: the same behaviour on the all-in-one and on separate processes.
use cluster::{Shape, System};
use serde_json::{Value, json};
use testkit::client::{Client, CommandError, Incoming, Push};
use tokio::sync::mpsc;

use crate::{s, turn};

struct Person {
    client: Client,
    incoming: mpsc::Receiver<Incoming>,
    hello: Value,
}

impl Person {
    async fn arrive(system: &System, name: &str, gateway: usize) -> Self {
        let urls = system.urls();
        let token = system.token(name, &[]).unwrap();
        let (client, incoming, hello) =
            Client::connect(&urls[gateway % urls.len()], &token).await.unwrap();
        Self { client, incoming, hello }
    }

    /// The next push that `wanted` takes; others are passed over.
    async fn push(&mut self, wanted: impl Fn(&Push) -> bool) -> Push {
        loop {
            let message = tokio::time::timeout(s(10), self.incoming.recv()).await;
            match message.expect("a push within 10 s") {
                Some(Incoming::Push(push)) if wanted(&push) => return push,
                Some(Incoming::Closed(code, why)) => panic!("closed with {code} {why}"),
                Some(_) => {}
                None => panic!("the connection is gone"),
            }
        }
    }

    async fn publication(&mut self) -> (u64, Value) {
        let push = self.push(|push| push.publication.is_some()).await;
        let publication = push.publication.unwrap();
        (publication.offset, serde_json::from_str(publication.data.get()).unwrap())
    }

    async fn say(&self, room: &str, text: &str) {
        let data = json!({"channel": room, "data": {"kind": "text", "text": text}});
        assert_eq!(self.client.command("publish", data).await.unwrap(), json!({}));
    }
}

fn refusal(result: Result<Value, CommandError>) -> u32 {
    match result {
        Err(CommandError::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// The whole story, on whichever system.
pub async fn two_people_chat(system: &System) {
    let room = system.fresh_room("general");
    let mut ann = Person::arrive(system, "ann", 0).await;
    let mut bob = Person::arrive(system, "bob", 1).await;
    assert_eq!(ann.hello["ping"], 25);
    assert_eq!(ann.hello["pong"], true);
    assert!(ann.hello["ttl"].as_u64().unwrap() > 3_000, "{}", ann.hello);
    assert!(ann.hello["data"]["gateway"].is_string(), "{}", ann.hello);
    assert!(ann.hello["subs"].get("system").is_some(), "{}", ann.hello);

    let joined = ann.client.subscribe(&room, None).await.unwrap();
    assert_eq!((joined.offset, joined.recoverable), (0, true));
    assert!(!joined.epoch.is_empty());
    bob.client.subscribe(&room, None).await.unwrap();
    let join = ann
        .push(|push| push.join.as_ref().is_some_and(|j| j["info"]["conn_info"]["name"] == "bob"))
        .await;
    assert_eq!(&*join.channel, &*room);

    ann.say(&room, "hello").await;
    for person in [&mut ann, &mut bob] {
        let push = person.push(|push| push.publication.is_some()).await;
        let publication = push.publication.unwrap();
        assert_eq!(publication.offset, 1);
        assert_eq!(publication.info.unwrap()["conn_info"]["name"], "ann");
        assert_eq!(publication.tags.unwrap()["gateway"], "gateway-0");
        assert!(publication.time > 1_700_000_000_000);
    }
    bob.say(&room, "hi").await;
    assert_eq!(ann.publication().await, (2, json!({"kind": "text", "text": "hi"})));
    assert_eq!(bob.publication().await.0, 2);

    safe_retry(&mut ann, &mut bob, &room).await;
    history(&ann, &room).await;
    presence(&ann, &bob, &room).await;
    recovery(system, bob, &mut ann, &room, &joined.epoch).await;
    mistakes(&ann, &room).await;
}

async fn safe_retry(ann: &mut Person, bob: &mut Person, room: &str) {
    let call = |text: &str| {
        json!({"method": "room.send", "data": {"room": room, "id": "retry-me-1",
            "data": {"id": "retry-me-1", "kind": "text", "text": text}}})
    };
    let first = ann.client.command("rpc", call("once")).await.unwrap();
    assert_eq!(first["data"]["offset"], 3, "{first}");
    let again = ann.client.command("rpc", call("once")).await.unwrap();
    assert_eq!(again["data"]["offset"], 3);
    assert_eq!(again["data"]["duplicate"], true);
    assert_eq!(refusal(ann.client.command("rpc", call("other")).await), 409);
    // Another person's ids are another person's.
    let bobs = bob.client.command("rpc", call("other")).await.unwrap();
    assert_eq!(bobs["data"]["offset"], 4);
    assert_eq!(ann.publication().await.0, 3);
    assert_eq!(ann.publication().await.0, 4);
}

async fn history(ann: &Person, room: &str) {
    let ask = |arguments: Value| ann.client.command("history", arguments);
    let head = ask(json!({"channel": room})).await.unwrap();
    assert_eq!((head["offset"].as_u64(), &head["publications"]), (Some(4), &json!([])));
    let newest = ask(json!({"channel": room, "limit": 2, "reverse": true})).await.unwrap();
    let offsets = |page: &Value| -> Vec<u64> {
        let list = page["publications"].as_array().unwrap();
        list.iter().map(|publication| publication["offset"].as_u64().unwrap()).collect()
    };
    assert_eq!(offsets(&newest), [4, 3]);
    let since =
        json!({"channel": room, "limit": 10, "since": {"offset": 1, "epoch": head["epoch"]}});
    assert_eq!(offsets(&ask(since).await.unwrap()), [2, 3, 4]);
    let wrong = json!({"channel": room, "limit": 10, "since": {"offset": 1, "epoch": "other"}});
    assert_eq!(refusal(ask(wrong).await), 112);
}

async fn presence(ann: &Person, bob: &Person, room: &str) {
    let here = ann.client.command("presence", json!({"channel": room})).await.unwrap();
    let here = here["presence"].as_object().unwrap();
    assert_eq!(here.len(), 2, "{here:?}");
    let id = bob.hello["client"].as_str().unwrap();
    assert_eq!(here[id]["conn_info"]["name"], "bob");
    let stats = ann.client.command("presence_stats", json!({"channel": room})).await.unwrap();
    assert_eq!((stats["num_clients"].as_u64(), stats["num_users"].as_u64()), (Some(2), Some(2)));
}

async fn recovery(system: &System, bob: Person, ann: &mut Person, room: &str, epoch: &str) {
    bob.client.cut();
    drop(bob);
    for text in ["while", "you", "were away"] {
        ann.say(room, text).await;
    }
    let mut bob = Person::arrive(system, "bob", 2).await;
    let back = bob.client.subscribe(room, Some((epoch, 4))).await.unwrap();
    assert!(back.was_recovering && back.recovered);
    assert_eq!(back.offset, 4, "the offset that the client sent");
    let missed: Vec<u64> = back.publications.iter().map(|publication| publication.offset).collect();
    assert_eq!(missed, [5, 6, 7]);
    ann.say(room, "welcome back").await;
    assert_eq!(bob.publication().await.0, 8);

    assert_eq!(
        bob.client.command("unsubscribe", json!({"channel": room})).await.unwrap(),
        json!({})
    );
    let lost = bob.client.subscribe(room, Some(("another", 4))).await.unwrap();
    assert!(lost.was_recovering && !lost.recovered);
    assert_eq!((lost.offset, lost.publications.len()), (8, 0));
}

async fn mistakes(ann: &Person, room: &str) {
    let command = |verb: &'static str, arguments: Value| ann.client.command(verb, arguments);
    assert_eq!(refusal(command("subscribe", json!({"channel": room})).await), 105);
    assert_eq!(refusal(command("subscribe", json!({"channel": "a.b"})).await), 107);
    assert_eq!(refusal(command("publish", json!({"channel": room})).await), 107);
    assert_eq!(refusal(command("rpc", json!({"method": "no.such"})).await), 104);
    assert!(command("unsubscribe", json!({"channel": "never-joined"})).await.is_ok());
    for reserved in ["system", "user:abc"] {
        assert_eq!(refusal(command("subscribe", json!({"channel": reserved})).await), 103);
    }
    let refused = command("publish", json!({"channel": "system", "data": {"text": "fake"}})).await;
    assert_eq!(refusal(refused), 103);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_chat_on_one_machine() {
    let _turn = turn().await;
    two_people_chat(&Shape::all_in_one().start().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_on_two_gateways_chat() {
    let _turn = turn().await;
    two_people_chat(&Shape::processes().start().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_closes_the_connection_unless_it_is_refreshed() {
    let _turn = turn().await;
    let mut shape = Shape::processes().with("ROOMCAST_GATEWAY__CONNECTION__EXPIRY_GRACE_MS", 1_000);
    shape.gateways = 1;
    let system = shape.start().await.unwrap();
    let issuer = &system.outside().unwrap().issuer;
    // The leeway of 30 s concerns the check; the socket's own clock runs from the token's end.
    let short = || issuer.token("ann").ttl_s(2).sign();
    let (client, mut incoming, _) = Client::connect(&system.urls()[0], &short()).await.unwrap();
    let (kept, mut kept_incoming, hello) =
        Client::connect(&system.urls()[0], &short()).await.unwrap();
    let fresh = system.token("ann", &[]).unwrap();
    let refreshed = kept.command("refresh", json!({"token": fresh})).await.unwrap();
    assert_eq!(refreshed["client"], hello["client"]);
    let stranger = system.token("bob", &[]).unwrap();

    let closed = tokio::time::timeout(s(10), async {
        loop {
            if let Some(Incoming::Closed(code, _)) = incoming.recv().await {
                return code;
            }
        }
    });
    assert_eq!(closed.await.expect("closed in time"), 3005);
    drop(client);
    let me = kept.command("presence_stats", json!({"channel": "general"})).await;
    assert!(!matches!(me, Err(CommandError::Unanswered(_))), "the refreshed one lives");
    // A token of somebody else is no refresh.
    let _ = kept.command("refresh", json!({"token": stranger})).await;
    let closed = tokio::time::timeout(s(5), async {
        loop {
            if let Some(Incoming::Closed(code, _)) = kept_incoming.recv().await {
                return code;
            }
        }
    });
    assert_eq!(closed.await.expect("closed"), 3500);
}
