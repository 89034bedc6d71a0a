//! Rooms: order, recovery, kicks, another life of the log, and a bus that brings nothing.
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use testkit::client::{CommandError, Incoming};
use testkit::poll;

use crate::harness::{SOON, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_reaches_every_member_once_and_in_order() {
    let running = start(|_| {}).await;
    let mut members = Vec::new();
    for n in 0..6 {
        let member = running.client(&format!("user-{n}")).await;
        member.client.subscribe("general", None).await.unwrap();
        members.push(member);
    }
    for n in 1..=50 {
        let data = json!({"channel": "general", "data": {"text": format!("message {n}")}});
        members[n % 6].client.command("publish", data).await.unwrap();
    }
    for member in &mut members {
        for n in 1..=50 {
            let (offset, data) = member.publication().await;
            assert_eq!((offset, data), (n, format!("{{\"text\":\"message {n}\"}}")));
        }
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscribe_is_answered_before_the_first_push_of_its_room() {
    let running = start(|_| {}).await;
    for n in 0..200 {
        running.rooms.say("general", format!("{n}"));
    }
    let mut member = running.client("ann").await;
    let rooms = running.rooms.clone();
    let talk = tokio::spawn(async move {
        for n in 200..400 {
            rooms.say("general", format!("{n}"));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let epoch = "";
    let recover = json!({"channel": "general", "recover": true, "epoch": epoch, "offset": 0});
    let id = member.client.begin_in_band("subscribe", recover).await.unwrap();
    let Incoming::Reply(answered, Ok(result)) = member.next().await else { panic!("a push first") };
    assert_eq!(answered, id);
    assert_eq!((&result["recovered"], &result["was_recovering"]), (&json!(true), &json!(true)));
    let recovered = result["publications"].as_array().unwrap();
    for (index, publication) in recovered.iter().enumerate() {
        assert_eq!(publication["offset"], json!(index + 1));
    }
    // More than a page was missed: the rest follows as pushes, then what is said now.
    for offset in recovered.len() as u64 + 1..=400 {
        assert_eq!(member.publication().await.0, offset);
    }
    talk.await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_room_comes_after_its_unsubscribe_is_answered() {
    let running = start(|_| {}).await;
    let mut member = running.client("ann").await;
    member.client.subscribe("general", None).await.unwrap();
    for n in 0..20 {
        running.rooms.say("general", format!("{n}"));
    }
    let leave = json!({"channel": "general"});
    let id = member.client.begin_in_band("unsubscribe", leave.clone()).await.unwrap();
    for n in 20..40 {
        running.rooms.say("general", format!("{n}"));
    }
    loop {
        if let Incoming::Reply(answered, result) = member.next().await {
            assert_eq!((answered, result.unwrap()), (id, json!({})));
            break;
        }
    }
    // A second time, and a room that was never read: the same empty answer.
    assert_eq!(member.client.command("unsubscribe", leave).await.unwrap(), json!({}));
    assert!(member.incoming.try_recv().is_err());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bus_does_not_bring_comes_by_the_heads() {
    let running = start(|_| {}).await;
    let mut member = running.client("ann").await;
    member.client.subscribe("general", None).await.unwrap();
    running.rooms.hints.store(false, Ordering::SeqCst);
    for n in 1..=5 {
        running.rooms.say("general", format!("{n}"));
    }
    for n in 1..=5 {
        assert_eq!(member.publication().await, (n, format!("{n}")));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_gets_what_was_missed_or_is_told_that_it_is_gone() {
    let running = start(|_| {}).await;
    let member = running.client("ann").await;
    let first = member.client.subscribe("general", None).await.unwrap();
    assert!(first.recoverable && !first.was_recovering);
    member.client.cut();
    for n in 1..=10 {
        running.rooms.say("general", format!("{n}"));
    }
    let epoch: &str = &first.epoch;
    let back = running.client("ann").await;
    let result = back.client.subscribe("general", Some((epoch, 4))).await.unwrap();
    assert!(result.recovered);
    assert_eq!(result.offset, 4, "the client's own offset");
    let offsets: Vec<u64> = result.publications.iter().map(|p| p.offset).collect();
    assert_eq!(offsets, [5, 6, 7, 8, 9, 10]);

    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recovered_is_never_recovered_in_part() {
    let running = start(|_| {}).await;
    for n in 1..=10 {
        running.rooms.say("general", format!("{n}"));
    }
    running.rooms.forget("general", 8);
    let first = running.client("ann").await.client.subscribe("general", None).await.unwrap();
    let epoch: &str = &first.epoch;
    // Beyond what is kept, of another epoch, above the head: nothing, and the head is told.
    for (epoch, offset) in [(epoch, 4), ("", 0), ("_", 0), (epoch, 99)] {
        let late = running.client("bob").await;
        let result = late.client.subscribe("general", Some((epoch, offset))).await.unwrap();
        assert!(result.was_recovering && !result.recovered, "{epoch} {offset}");
        assert_eq!((result.offset, result.publications.len()), (10, 0));
    }
    // From the last place that still has its next item, and from the head.
    for (offset, missed) in [(7, 3), (10, 0)] {
        let late = running.client("bob").await;
        let result = late.client.subscribe("general", Some((epoch, offset))).await.unwrap();
        assert!(result.recovered, "{offset}");
        assert_eq!((result.offset, result.publications.len()), (offset, missed));
    }
    // Who wants an error instead gets one.
    let strict = running.client("bob").await;
    let wish = json!({"channel": "general", "recover": true, "epoch": "_", "offset": 1, "flag": 2});
    let refused = strict.client.command("subscribe", wish).await;
    assert!(matches!(refused, Err(CommandError::Refused(refusal)) if refusal.code == 112));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cache_room_the_newest_item_alone_is_recovered() {
    let running = start(|_| {}).await;
    let empty =
        running.client("ann").await.client.subscribe("cache-1", Some(("", 0))).await.unwrap();
    assert!(empty.was_recovering && !empty.recovered, "there is no newest one");
    for n in 1..=400 {
        running.rooms.say("cache-1", format!("{n}"));
    }
    let epoch: &str = &empty.epoch;
    let came = async |position| {
        let mut late = running.client("bob").await;
        let result = late.client.subscribe("cache-1", position).await.unwrap();
        let given: Vec<_> = result.publications.iter().map(|p| p.offset).collect();
        (late.incoming.try_recv().is_err(), result.recovered, result.offset, given)
    };
    // Whatever it had, and even of another life of the log: the newest, unless it has that already.
    for position in [("", 0), (epoch, 4), ("_", 0), ("other", 400), (epoch, 399), (epoch, 999)] {
        assert_eq!(came(Some(position)).await, (true, true, 399, vec![400]), "{position:?}");
    }
    assert_eq!(came(Some((epoch, 400))).await, (true, true, 400, vec![]));
    assert_eq!(came(None).await, (true, false, 400, vec![]), "who asks for nothing gets nothing");
    // What is said from now on comes as ever.
    let mut live = running.client("eve").await;
    live.client.subscribe("cache-1", Some(("", 0))).await.unwrap();
    running.rooms.say("cache-1", "401");
    assert_eq!(live.publication().await, (401, "401".to_owned()));
    // The newest one may not be kept any more.
    running.rooms.say("cache-2", "1");
    running.rooms.forget("cache-2", 2);
    let gone =
        running.client("bob").await.client.subscribe("cache-2", Some(("", 0))).await.unwrap();
    assert_eq!((gone.recovered, gone.offset, gone.publications.len()), (false, 1, 0));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_ends_the_subscriptions_that_are_older_than_it() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    let mut bob = running.client("bob").await;
    for member in [&ann, &bob] {
        member.client.subscribe("general", None).await.unwrap();
    }
    running.rooms.kick("general", "ann");
    running.rooms.say("general", "\"after\"");
    let (offset, data) = ann.publication().await;
    assert!(offset == 1 && data.contains("\"kick\""), "{data}");
    assert_eq!(ann.unsubscribed().await, 2000);
    // Others see it in its place, and go on.
    assert_eq!(bob.publication().await.0, 1);
    assert_eq!(bob.publication().await, (2, "\"after\"".to_owned()));
    // The kicked may come back and recover: the old kick does not end the new subscription.
    let result = ann.client.subscribe("general", Some(("", 0))).await.unwrap();
    assert_eq!(result.publications.len(), 2);
    running.rooms.say("general", "\"more\"");
    assert_eq!(ann.publication().await, (3, "\"more\"".to_owned()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_log_that_was_begun_anew_are_told_to_start_over() {
    let running = start(|_| {}).await;
    let mut member = running.client("ann").await;
    let first = member.client.subscribe("general", None).await.unwrap();
    running.rooms.say("general", "1");
    assert_eq!(member.publication().await.0, 1);
    running.rooms.renew("general");
    running.rooms.say("general", "2");
    assert_eq!(member.unsubscribed().await, 2500);
    let again = member.client.subscribe("general", Some((&first.epoch, 1))).await.unwrap();
    assert!(again.was_recovering && !again.recovered);
    assert_ne!(again.epoch, first.epoch);
    running.rooms.say("general", "3");
    assert_eq!(member.publication().await, (2, "3".to_owned()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_room_delivers_without_positions() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    let joined = ann.client.subscribe("live-1", None).await.unwrap();
    assert!(!joined.recoverable && joined.offset == 0);
    // Bound a moment after the subscribe: what is said before that is gone.
    poll::until(SOON, "a delivery", || {
        let data = json!({"channel": "live-1", "data": 7});
        async {
            ann.client.command("publish", data).await.unwrap();
            !ann.incoming.is_empty()
        }
    })
    .await
    .unwrap();
    assert_eq!(ann.publication().await, (0, "7".to_owned()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_again_is_one_message_with_one_place() {
    let running = start(|_| {}).await;
    let mut ann = running.client("ann").await;
    ann.client.subscribe("general", None).await.unwrap();
    let send = json!({"method": "room.send", "data": {"room": "general", "id": "message-0001", "data": {"text": "hi"}}});
    let first = ann.client.command("rpc", send.clone()).await.unwrap();
    let again = ann.client.command("rpc", send).await.unwrap();
    assert_eq!(first["data"]["offset"], json!(1));
    assert_eq!((&again["data"]["offset"], &again["data"]["duplicate"]), (&json!(1), &json!(true)));
    // The same id in a plain publish's envelope is the same message.
    let plain = json!({"channel": "general", "data": {"id": "message-0001", "text": "hi"}});
    ann.client.command("publish", plain).await.unwrap();
    running.rooms.say("general", "\"next\"");
    assert_eq!(ann.publication().await.0, 1);
    assert_eq!(ann.publication().await, (2, "\"next\"".to_owned()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_publishes_keep_their_order_and_break_together() {
    let running = start(|_| {}).await;
    let ann = running.client("ann").await;
    let mut answers = Vec::new();
    for n in 1..=20 {
        let data = json!({"channel": "general", "data": n});
        answers.push(ann.client.begin("publish", data).await.unwrap());
    }
    for answer in answers {
        answer.wait().await.unwrap();
    }
    let page = json!({"channel": "general", "limit": 100});
    let page = ann.client.command("history", page).await.unwrap();
    let said: Vec<_> = page["publications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["data"].as_u64().unwrap())
        .collect();
    assert_eq!(said, (1..=20).collect::<Vec<_>>());

    // The one that fails without a clear outcome takes those with it that wait behind it.
    *running.rooms.poison.lock() = Some("22".into());
    let mut answers = Vec::new();
    for n in 21..=24 {
        let data = json!({"channel": "general", "data": n});
        answers.push(ann.client.begin("publish", data).await.unwrap());
    }
    let mut outcomes = Vec::new();
    for answer in answers {
        outcomes.push(match answer.wait().await {
            Ok(_) => "ok",
            Err(CommandError::Refused(refusal)) if refusal.temporary => "again",
            Err(error) => panic!("{error}"),
        });
    }
    assert_eq!(outcomes, ["ok", "again", "again", "again"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_is_refused_with_the_protocols_codes() {
    let running = start(|config| config.limits.subscriptions_max = 3).await;
    let ann = running.client("ann").await;
    let code = |result: Result<serde_json::Value, CommandError>| match result {
        Err(CommandError::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    };
    let subscribe = |channel: &str| {
        let arguments = json!({"channel": channel});
        let client = &ann.client;
        async move { client.command("subscribe", arguments).await }
    };
    subscribe("general").await.unwrap();
    assert_eq!(code(subscribe("general").await), 105);
    assert_eq!(code(subscribe("secret-1").await), 103);
    assert_eq!(code(subscribe("system").await), 103);
    assert_eq!(code(subscribe("user:abc").await), 103);
    for bad in ["a.b", "#", "*", "é", &"x".repeat(129)] {
        assert_eq!(code(subscribe(bad).await), 107, "{bad}");
    }
    subscribe("room-2").await.unwrap();
    subscribe("room-3").await.unwrap();
    assert_eq!(code(subscribe("room-4").await), 106);
    let rpc = ann.client.command("rpc", json!({"method": "no.such"})).await;
    assert_eq!(code(rpc), 104);
    let stats = ann.client.command("presence_stats", json!({"channel": "elsewhere"})).await;
    assert_eq!(code(stats), 103, "one who is not in it may not look");
    let map = json!({"channel": "room-5", "type": 1});
    assert_eq!(code(ann.client.command("subscribe", map).await), 108);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_does_not_wait_for_a_count_that_is_not_answered() {
    let running = start(|_| {}).await;
    let mut member = running.client("ann").await;
    member.client.subscribe("general", None).await.unwrap();
    let room = json!({"channel": "general"});
    let frozen = running.presence.frozen.lock().await;
    let asked = member.client.begin_in_band("presence_stats", room).await.unwrap();
    let data = json!({"channel": "general", "data": {"text": "hi"}});
    let sent = member.client.begin_in_band("publish", data).await.unwrap();
    loop {
        if let Incoming::Reply(id, result) = member.next().await {
            assert_eq!(id, sent, "the count was answered: {result:?}");
            break;
        }
    }
    drop(frozen);
    loop {
        if let Incoming::Reply(id, result) = member.next().await {
            assert_eq!((id, &result.unwrap()["num_clients"]), (asked, &json!(1)));
            break;
        }
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_an_author_come_with_the_message_live_recovered_and_in_history() {
    let running = start(|_| {}).await;
    let (ann, mut bob) = (running.client("ann").await, running.client("bob").await);
    bob.client.subscribe("general", None).await.unwrap();
    let send = |tags: serde_json::Value| {
        let data = json!({"room": "general", "tags": tags, "data": {"text": "hi"}});
        ann.client.command("rpc", json!({"method": "room.send", "data": data}))
    };
    send(json!({"lang": "de", "urgent": ""})).await.unwrap();
    let expected = json!({"gateway": "g1", "lang": "de", "urgent": ""});
    let live = loop {
        if let Some(publication) = bob.push().await.publication {
            break publication;
        }
    };
    assert_eq!(live.tags.as_ref(), Some(&expected));
    let late =
        running.client("eve").await.client.subscribe("general", Some(("", 0))).await.unwrap();
    assert_eq!(late.publications[0].tags.as_ref(), Some(&expected));
    let page = json!({"channel": "general", "limit": 9});
    let page = ann.client.command("history", page).await.unwrap();
    assert_eq!(page["publications"][0]["tags"], expected);
    // Who wrote it is not for the author to say by which gateway; a bad map is a bad request.
    for bad in [json!({"gateway": "g7"}), json!({"": "v"}), json!({"n": 1}), json!([])] {
        match send(bad.clone()).await {
            Err(CommandError::Refused(refusal)) => assert_eq!(refusal.code, 107, "{bad}"),
            other => panic!("{bad}: {other:?}"),
        }
    }
    running.stop().await;
}
