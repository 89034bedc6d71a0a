//! The config files under `docs/config` as somebody starts them: who gets in, and what they can do.
mod sdk;

use std::path::{Path, PathBuf};
use std::process::Command;

use cluster::service::{Ports, http};
use cluster::{Service, binaries};
use serde_json::{Value, json};
use testkit::client::{Client, CommandError, Incoming, Push};
use testkit::issuer::{TestIssuer, TestToken};
use tokio::sync::mpsc;

use crate::{s, turn};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config").join(name)
}

/// `roomcast serve` with that file, on ports and in a folder of its own.
async fn serve(name: &str, grace_ms: u64) -> Service {
    let grace = ("ROOMCAST_GATEWAY__CONNECTION__EXPIRY_GRACE_MS", grace_ms.to_string());
    serve_with(name, &[grace]).await
}

/// The same with other settings over those of the file.
pub async fn serve_with(name: &str, more: &[(&'static str, String)]) -> Service {
    let config = file(name);
    let config = config.to_str().unwrap();
    let binary = binaries::find("roomcast").unwrap();
    let check = Command::new(&binary).args(["config", "check", "--config", config]).output();
    let check = check.unwrap();
    assert!(check.status.success(), "{name}: {}", String::from_utf8_lossy(&check.stderr));
    let ports = Ports::choose().unwrap();
    let at = |port: u16| format!("127.0.0.1:{port}");
    let mut env = more.to_vec();
    env.extend([
        ("ROOMCAST_GATEWAY__LISTEN", at(ports.main)),
        ("ROOMCAST_ROOMS__ADMIN_LISTEN", at(ports.admin)),
        ("ROOMCAST_OPS__LISTEN", at(ports.ops)),
    ]);
    let arguments = ["serve", "--config", config];
    let service = Service::start(name, &binary, &arguments, &[], &env, ports).await;
    let service = service.unwrap();
    service.ready().await.unwrap();
    service
}

/// A client on a socket, and what came for it.
pub struct Visitor {
    pub client: Client,
    incoming: mpsc::Receiver<Incoming>,
    /// The connect's result.
    pub hello: Value,
}

impl Visitor {
    async fn open(service: &Service) -> Self {
        let url = format!("ws://127.0.0.1:{}/connection/websocket", service.port);
        let (client, incoming) = Client::open(&url).await.unwrap();
        Self { client, incoming, hello: Value::Null }
    }

    pub async fn arrive(service: &Service, connect: Value) -> Self {
        let mut visitor = Self::open(service).await;
        visitor.hello = visitor.client.command("connect", connect).await.unwrap();
        visitor
    }

    /// The code with which a connect ends the connection.
    pub async fn turned_away(service: &Service, connect: Value) -> u16 {
        let mut visitor = Self::open(service).await;
        visitor.client.begin_in_band("connect", connect).await.unwrap();
        visitor.closed().await
    }

    async fn next(&mut self) -> Incoming {
        let next = tokio::time::timeout(s(20), self.incoming.recv()).await;
        next.expect("something comes in time").expect("the connection is there")
    }

    pub async fn push(&mut self, wanted: impl Fn(&Push) -> bool) -> Push {
        loop {
            match self.next().await {
                Incoming::Push(push) if wanted(&push) => return push,
                Incoming::Closed(code, why) => panic!("closed with {code} {why}"),
                _ => {}
            }
        }
    }

    async fn closed(&mut self) -> u16 {
        loop {
            if let Incoming::Closed(code, _) = self.next().await {
                return code;
            }
        }
    }

    pub async fn ask(&self, verb: &str, arguments: Value) -> Value {
        let answer = self.client.command(verb, arguments.clone()).await;
        answer.unwrap_or_else(|error| panic!("{verb} {arguments}: {error}"))
    }

    pub async fn refused(&self, verb: &str, arguments: Value) -> u32 {
        match self.client.command(verb, arguments).await {
            Err(CommandError::Refused(refusal)) => refusal.code,
            other => panic!("not refused: {other:?}"),
        }
    }
}

fn offsets(list: &Value) -> Vec<u64> {
    let list = list.as_array().unwrap();
    list.iter().map(|publication| publication["offset"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_signing_in_everybody_may_do_everything() {
    let _turn = turn().await;
    let service = serve("anonymous.toml", 1_000).await;
    let mut one = Visitor::arrive(&service, json!({})).await;
    let mut other = Visitor::arrive(&service, json!({"token": ""})).await;
    assert_eq!(one.hello["data"]["user"], "");
    assert!(one.hello.get("subs").is_none() && one.hello.get("expires").is_none(), "{}", one.hello);

    let room = "square";
    let subscribe = json!({"channel": room, "join_leave": true});
    let joined = one.ask("subscribe", subscribe.clone()).await;
    assert_eq!((&joined["recoverable"], &joined["positioned"]), (&json!(true), &json!(true)));
    other.ask("subscribe", subscribe).await;
    let id = other.hello["client"].clone();
    let join = one.push(|push| push.join.as_ref().is_some_and(|j| j["info"]["client"] == id)).await;
    assert_eq!(join.join.unwrap()["info"], json!({"user": "", "client": id}));

    // Any payload, from each under the same message id: neither stands for the other's.
    let say = |id: &str| json!({"method": "room.send", "data": {"room": room, "id": id, "data": ["any", id]}});
    assert_eq!(one.ask("rpc", say("message-0001")).await["data"]["offset"], 1);
    assert_eq!(other.ask("rpc", say("message-0001")).await["data"]["offset"], 2);
    let again = one.ask("rpc", say("message-0001")).await;
    assert_eq!((&again["data"]["offset"], &again["data"]["duplicate"]), (&json!(1), &json!(true)));
    one.ask("publish", json!({"channel": room, "data": {"id": "message-0001", "x": 1}})).await;
    for offset in 1..=3 {
        let push = other.push(|push| push.publication.is_some()).await;
        let publication = push.publication.unwrap();
        assert_eq!(publication.offset, offset);
        assert_eq!(publication.info.unwrap()["user"], "");
    }

    let channel = json!({"channel": room});
    let here = one.ask("presence", channel.clone()).await;
    assert_eq!(here["presence"].as_object().unwrap().len(), 2);
    let stats = one.ask("presence_stats", channel).await;
    assert_eq!((&stats["num_clients"], &stats["num_users"]), (&json!(2), &json!(1)));
    let past = one.ask("history", json!({"channel": room, "limit": -1})).await;
    assert_eq!(offsets(&past["publications"]), [1, 2, 3]);

    other.client.cut();
    let mut back = Visitor::arrive(&service, json!({})).await;
    let since = json!({"channel": room, "recover": true, "epoch": joined["epoch"], "offset": 1});
    let recovered = back.ask("subscribe", since).await;
    assert_eq!((&recovered["recovered"], &recovered["offset"]), (&json!(true), &json!(1)));
    assert_eq!(offsets(&recovered["publications"]), [2, 3]);
    one.ask("publish", json!({"channel": room, "data": "hello again"})).await;
    assert_eq!(back.push(|p| p.publication.is_some()).await.publication.unwrap().offset, 4);

    // A token is no way in here: nobody's is believed.
    assert_eq!(Visitor::turned_away(&service, json!({"token": "x"})).await, 3500);
    assert!(!service.program.log().contains("dev-issuer"), "{}", service.program.log());
}

/// Tokens as a backend makes them with the file's secret.
struct Backend(TestIssuer);

impl Backend {
    fn token(&self, user: &str) -> TestToken {
        let token = self.0.token(user).claim("sub", json!(user));
        let foreign = ["iss", "aud", "azp", "typ", "sid", "scope", "realm_access"];
        foreign.into_iter().fold(token, TestToken::without)
    }

    fn connect(&self, user: &str) -> Value {
        json!({"token": self.token(user).hs256(b"secret")})
    }

    fn room(&self, user: &str, room: &str) -> TestToken {
        self.token(user).claim("channel", json!(room))
    }
}

fn with_token(room: &str, token: TestToken) -> Value {
    json!({"channel": room, "token": token.hs256(b"secret")})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backends_tokens_say_who_comes_in_and_where() {
    let _turn = turn().await;
    let service = serve("hmac.toml", 1_000).await;
    let backend = Backend(TestIssuer::start().await.unwrap());
    assert_eq!(Visitor::turned_away(&service, json!({})).await, 3501);
    for bad in [
        backend.token("ann").hs256(b"other"),
        backend.token("ann").sign(),
        backend.token("").hs256(b"secret"),
        backend.room("ann", "private:1").hs256(b"secret"),
        "x".to_owned(),
    ] {
        assert_eq!(Visitor::turned_away(&service, json!({"token": bad})).await, 3500, "{bad}");
    }
    let ended = backend.token("ann").ttl_s(-1).hs256(b"secret");
    let late = Visitor::open(&service).await;
    assert_eq!(late.refused("connect", json!({"token": ended})).await, 109);

    let ann = Visitor::arrive(&service, backend.connect("ann")).await;
    let ttl = ann.hello["ttl"].as_u64().unwrap();
    assert!(ann.hello["expires"] == true && (290..=300).contains(&ttl), "{}", ann.hello);
    let shown = backend.token("bob").claim("info", json!({"age": 7})).hs256(b"secret");
    let mut bob = Visitor::arrive(&service, json!({"token": shown})).await;
    bob.ask("subscribe", json!({"channel": "hall"})).await;
    ann.ask("subscribe", json!({"channel": "hall"})).await;
    ann.ask("publish", json!({"channel": "hall", "data": 1})).await;
    let push = bob.push(|push| push.publication.is_some()).await;
    assert_eq!(push.publication.unwrap().info.unwrap()["conn_info"], json!({"name": "ann"}));
    let here = ann.ask("presence", json!({"channel": "hall"})).await;
    let bobs = &here["presence"][bob.hello["client"].as_str().unwrap()];
    assert_eq!((&bobs["user"], &bobs["conn_info"]), (&json!("bob"), &json!({"age": 7})));
    bob.ask("publish", json!({"channel": "hall", "data": 2})).await;
    let past = ann.ask("history", json!({"channel": "hall", "limit": 1, "reverse": true})).await;
    assert_eq!(past["publications"][0]["info"]["conn_info"], json!({"age": 7}), "{past}");

    private_rooms(&backend, &ann, &mut bob, &service).await;

    let me = format!("http://127.0.0.1:{}/api/v1/me", service.port);
    let token = backend.token("ann").hs256(b"secret");
    let me: Value =
        http().unwrap().get(me).bearer_auth(token).send().await.unwrap().json().await.unwrap();
    assert_eq!((&me["subject"], &me["issuer"]), (&json!("ann"), &json!("static")));
    assert!(service.program.log().contains("can be guessed"), "{}", service.program.log());
}

async fn private_rooms(backend: &Backend, ann: &Visitor, bob: &mut Visitor, service: &Service) {
    let room = "private:1";
    let good = || backend.room("ann", room).claim("info", json!({"seat": 5}));
    assert_eq!(ann.refused("subscribe", json!({"channel": room})).await, 103);
    assert_eq!(ann.refused("publish", json!({"channel": room, "data": 1})).await, 103);
    assert_eq!(ann.refused("subscribe", with_token(room, good().ttl_s(-1))).await, 109);
    let forged = json!({"channel": room, "token": good().hs256(b"other")});
    assert_eq!(ann.refused("subscribe", forged).await, 103);
    let joined = ann.ask("subscribe", with_token(room, good())).await;
    assert!(joined["expires"] == true && joined["ttl"].as_u64().unwrap() > 290, "{joined}");
    ann.ask("publish", json!({"channel": room, "data": {"text": "psst"}})).await;
    let past = ann.ask("history", json!({"channel": room, "limit": 5})).await;
    assert_eq!(offsets(&past["publications"]), [1]);
    assert_eq!(past["publications"][0]["info"]["chan_info"], json!({"seat": 5}), "{past}");
    assert_eq!(bob.refused("history", json!({"channel": room, "limit": 5})).await, 103);
    for token in [good(), backend.room("bob", "private:2")] {
        let mut thief = Visitor::arrive(service, backend.connect("bob")).await;
        thief.client.begin_in_band("subscribe", with_token(room, token)).await.unwrap();
        assert_eq!(thief.closed().await, 3500);
    }

    // The same by the server, and recovered like any other.
    let token = || backend.token("bob").claim("channels", json!([room, "hall", "no:such"]));
    let connect = json!({"token": token().hs256(b"secret")});
    let carried = Visitor::arrive(service, connect).await;
    let subs = carried.hello["subs"].as_object().unwrap();
    assert_eq!(subs.keys().collect::<Vec<_>>(), ["hall", room]);
    assert_eq!(subs[room]["offset"], 1);
    ann.ask("publish", json!({"channel": room, "data": {"text": "again"}})).await;
    let position = json!({"recover": true, "epoch": subs[room]["epoch"], "offset": 1});
    carried.client.cut();
    let connect = json!({"token": token().hs256(b"secret"), "subs": {room: position}});
    let mut back = Visitor::arrive(service, connect).await;
    let sub = &back.hello["subs"][room];
    assert_eq!((&sub["recovered"], offsets(&sub["publications"])), (&json!(true), vec![2]));
    ann.ask("publish", json!({"channel": room, "data": {"text": "live"}})).await;
    let push = back.push(|push| &*push.channel == room && push.publication.is_some()).await;
    assert_eq!(push.publication.unwrap().offset, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backends_token_opened_ends_with_it() {
    let _turn = turn().await;
    let service = serve("hmac.toml", 500).await;
    let backend = Backend(TestIssuer::start().await.unwrap());
    let short = || json!({"token": backend.token("ann").ttl_s(2).hs256(b"secret")});
    let mut ending = Visitor::arrive(&service, short()).await;
    let mut kept = Visitor::arrive(&service, short()).await;
    assert_eq!(kept.hello["expires"], true);
    let refreshed = kept.ask("refresh", backend.connect("ann")).await;
    assert_eq!(refreshed["client"], kept.hello["client"]);
    for room in ["private:1", "private:2"] {
        let token = backend.room("ann", room).ttl_s(2);
        kept.ask("subscribe", with_token(room, token)).await;
    }
    let fresh = with_token("private:2", backend.room("ann", "private:2"));
    assert_eq!(kept.ask("sub_refresh", fresh).await["expires"], true);
    assert_eq!(ending.closed().await, 3005);
    let push = kept.push(|push| push.unsubscribe.is_some()).await;
    assert_eq!((&*push.channel, &push.unsubscribe.unwrap()["code"]), ("private:1", &json!(2501)));
    kept.ask("publish", json!({"channel": "private:2", "data": "still here"})).await;
    let ended = with_token("private:2", backend.room("ann", "private:2").ttl_s(-1));
    kept.client.begin_in_band("sub_refresh", ended).await.unwrap();
    let push = kept.push(|push| push.unsubscribe.is_some()).await;
    assert_eq!((&*push.channel, &push.unsubscribe.unwrap()["code"]), ("private:2", &json!(2501)));

    let options = json!({"private:3": {"expire_at": now_s() + 2}});
    let token = backend.token("ann").claim("subs", options).hs256(b"secret");
    let mut carried = Visitor::arrive(&service, json!({"token": token})).await;
    assert_eq!(carried.hello["subs"]["private:3"]["expires"], true);
    assert_eq!(carried.closed().await, 3006);
    // Somebody else's token is no refresh.
    kept.client.begin_in_band("refresh", backend.connect("bob")).await.unwrap();
    assert_eq!(kept.closed().await, 3500);
}

fn now_s() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs()
}
