//! Redis flushed and killed: messages are unaffected, presence is "unavailable" and never zero
//! meanwhile, and right within 12 s after it is back.
use std::time::Duration;

use cluster::{Shape, System};
use serde_json::{Value, json};
use testkit::client::{Client, CommandError, Incoming};
use tokio::sync::mpsc;

use crate::{head_count, s, turn};

struct People(Vec<(Client, mpsc::Receiver<Incoming>)>, std::sync::Arc<str>);

impl People {
    async fn join(system: &System) -> Self {
        let room = system.fresh_room("redis");
        let mut people = Vec::new();
        for index in 0..5 {
            let token = system.token(&format!("p{index}"), &[]).unwrap();
            let url = &system.urls()[index % 3];
            let (client, incoming, _) = Client::connect(url, &token).await.unwrap();
            client.subscribe(&room, None).await.unwrap();
            people.push((client, incoming));
        }
        Self(people, room)
    }

    async fn count(&self) -> Result<u64, CommandError> {
        head_count::ask(&self.0[0].0, &self.1).await
    }

    /// Waits until every pod says so.
    async fn all_here(&self, wait: Duration) {
        head_count::settles(&self.0[0].0, &self.1, 5, wait).await;
    }

    async fn chat_works(&mut self) {
        let data = json!({"channel": &*self.1, "data": {"text": "still here"}});
        self.0[0].0.command("publish", data).await.expect("messages need no presence");
        loop {
            let message = tokio::time::timeout(s(5), self.0[4].1.recv()).await.expect("delivered");
            if matches!(message, Some(Incoming::Push(push)) if push.publication.is_some()) {
                return;
            }
        }
    }
}

async fn stats(system: &System) -> Value {
    let url = format!("{}/stats", system.http_url(0));
    cluster::service::http().unwrap().get(url).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_redis_is_filled_again_within_12_s() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let mut people = People::join(&system).await;
    people.all_here(s(10)).await;
    system.outside().unwrap().redis.command(&["FLUSHALL"]).await.unwrap();
    people.chat_works().await;
    people.all_here(s(12)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_makes_presence_unavailable_and_never_zero() {
    let _turn = turn().await;
    let system = Shape::processes().start().await.unwrap();
    let mut people = People::join(&system).await;
    people.all_here(s(10)).await;
    let redis = &system.outside().unwrap().redis;
    redis.kill9();
    people.chat_works().await;
    let dead = tokio::time::Instant::now();
    let mut refused = 0;
    while dead.elapsed() < s(15) {
        match people.count().await {
            Ok(count) => assert_eq!(count, 5, "an answer that is older than the crash, never less"),
            Err(CommandError::Refused(refusal)) => {
                assert!(refusal.temporary, "{refusal}");
                refused += 1;
            }
            Err(CommandError::Unanswered(why)) => panic!("presence must answer: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(refused > 0, "it was told that presence is unavailable");
    assert!(stats(&system).await["principals"].is_null(), "unknown is not zero");
    people.chat_works().await;

    redis.restart().await.unwrap();
    people.all_here(s(12)).await;
}
