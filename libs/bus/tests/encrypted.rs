//! The bus over TLS, to a RabbitMQ that speaks it: who is believed, and that nothing else changes.
#[path = "support/world.rs"]
#[expect(dead_code, reason = "the other suites use the rest")]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by it")]
mod world;

use bus::{Address, BusConfig, BusEvent, BusHealth, Outbound};
use testkit::authority::Authority;
use testkit::parts::{Encrypted, Rabbit};

use world::{Gateway, config, health, message, offsets, room, room_key};

/// A config that believes the broker's authority and nobody else.
fn believing(broker: &Encrypted<Rabbit>, host: &str) -> BusConfig {
    let authority_file = Some(broker.authority_file());
    BusConfig { authority_file, ..config(&[&broker.url(host)]) }
}

#[tokio::test]
async fn messages_go_over_tls_in_order_and_come_back_after_the_broker_died() {
    let authority = Authority::new().unwrap();
    let broker = Encrypted::<Rabbit>::start(&authority, &["localhost", "127.0.0.1"]).await.unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let said = bus::doctor::check(&believing(&broker, host)).await.unwrap();
        assert_eq!(said, format!("RabbitMQ at {host}:{}", broker.port));
    }
    let mut one = Gateway::join(bus::open(&believing(&broker, "localhost")).unwrap(), "gw-1").await;
    let publisher = bus::open(&believing(&broker, "localhost")).unwrap();
    one.until(BusEvent::Up).await;
    one.bind(room_key("a")).await;
    for round in 0..2 {
        health(&publisher, BusHealth::Up).await;
        let sent: Vec<u64> = (1..=5_000).map(|offset| round * 5_000 + offset).collect();
        for offset in &sent {
            publisher.publish(Outbound::Room(message(&room("a"), *offset)));
        }
        let mut got = Vec::new();
        while got.len() < sent.len() {
            got.extend(offsets(&[one.next().await]));
        }
        assert_eq!(got, sent, "round {round}");
        if round == 0 {
            broker.part.kill9();
            one.until(BusEvent::Down).await;
            health(&publisher, BusHealth::Down).await;
            broker.part.restart().await.unwrap();
            one.until(BusEvent::Up).await;
        }
    }
    publisher.close().await;
    one.bus.close().await;
}

#[tokio::test]
async fn a_broker_that_cannot_prove_its_name_is_told_as_away() {
    let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
    let broker = Encrypted::<Rabbit>::start(&authority, &["localhost"]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("stranger.crt");
    std::fs::write(&elsewhere, stranger.pem()).unwrap();
    let believed = believing(&broker, "localhost");
    let strangers = BusConfig { authority_file: Some(elsewhere), ..believed.clone() };
    let system = BusConfig { authority_file: None, ..believed.clone() };
    let plain = format!("amqp://guest:guest@localhost:{}", broker.port);
    let plain = BusConfig { addresses: vec![Address::new(plain)], ..believed.clone() };
    let wrong_port = format!("amqps://guest:guest@localhost:{}", broker.part.port());
    let wrong_port = BusConfig { addresses: vec![Address::new(wrong_port)], ..believed.clone() };
    for (what, config, reason) in [
        ("another's authority", strangers, "invalid peer certificate"),
        ("the system's authorities", system, "UnknownIssuer"),
        ("another name", believing(&broker, "127.0.0.1"), "not valid for name"),
        ("plain text to a port of TLS", plain, ""),
        ("TLS to a port of plain text", wrong_port, ""),
    ] {
        let said = bus::doctor::check(&config).await.unwrap_err();
        assert!(said.contains(reason), "{what}: {said}");
        assert!(!said.contains("guest"), "{what}: {said}");
    }
    assert!(bus::doctor::check(&believed).await.is_ok());
}

#[test]
fn an_authority_that_cannot_be_read_is_a_problem_of_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    std::fs::write(&file, "no certificate").unwrap();
    for path in [file, folder.path().join("absent")] {
        let config = BusConfig { authority_file: Some(path), ..config(&["amqps://broker"]) };
        let problems = config.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("authority_file: "), "{problems:?}");
    }
    // Without a file the system's authorities are asked, which a machine of tests has.
    assert_eq!(config(&["amqps://broker"]).problems(), Vec::<String>::new());
}
