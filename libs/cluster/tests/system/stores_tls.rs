//! Every connection that leaves a service by TLS: to RabbitMQ, Redis and PostgreSQL.
use cluster::Shape;
use testkit::authority::Authority;
use testkit::parts::{Encrypted, Postgres, Rabbit, Redis};

use crate::admin::run;
use crate::chat::two_people_chat;
use crate::turn;

/// Connections of clients that go without TLS; `psql`'s own is by TLS where the server offers it.
const PLAIN: &str = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE backend_type = 'client backend' AND NOT ssl";
const BY_TLS: &str = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                      WHERE backend_type = 'client backend' AND ssl AND pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread")]
async fn people_chat_over_stores_and_a_broker_that_are_reached_by_tls() {
    let _turn = turn().await;
    let authority = Authority::new().unwrap();
    let names = ["localhost"];
    let (rabbit, redis, postgres) = tokio::try_join!(
        Encrypted::<Rabbit>::start(&authority, &names),
        Encrypted::<Redis>::start(&authority, &names),
        Encrypted::<Postgres>::start(&authority, &names),
    )
    .unwrap();
    let database = postgres.new_database("localhost").await.unwrap();
    let system = Shape::processes()
        .with("ROOMCAST_BUS__ADDRESSES", rabbit.url("localhost"))
        .with("ROOMCAST_BUS__AUTHORITY_FILE", rabbit.authority_file().display())
        .with("ROOMCAST_PRESENCE__STORE", redis.url("localhost"))
        .with("ROOMCAST_PRESENCE__AUTHORITY_FILE", redis.authority_file().display())
        .with("ROOMCAST_ROOMS__DATABASE", &database)
        .with("ROOMCAST_AUTH__DATABASE", &database)
        .start()
        .await
        .unwrap();
    two_people_chat(&system).await;

    let by_tls = postgres.part.sql(BY_TLS).await.unwrap();
    assert!(by_tls.parse::<u32>().unwrap() > 0, "{by_tls}");
    assert_eq!(postgres.part.sql(PLAIN).await.unwrap(), "0");
    // Each service has one connection to the broker at least, and none without TLS.
    let listed = rabbit.part.ctl(&["list_connections", "name", "ssl", "--quiet"]).await.unwrap();
    let connections: Vec<_> = listed.lines().filter(|line| line.contains("->")).collect();
    assert!(
        connections.len() >= 3 && connections.iter().all(|line| line.ends_with("true")),
        "{listed}"
    );
    let clients = redis.part.command(&["CLIENT", "LIST"]).await.unwrap();
    let there = format!("laddr=127.0.0.1:{}", redis.port);
    assert!(clients.contains(&there), "{clients}");

    // None of them proves to be at an address that its certificate does not name.
    let elsewhere = database.replace("@localhost:", "@127.0.0.1:");
    let mut doctor = system.auth[0].doctor().unwrap();
    doctor.env("ROOMCAST_BUS__ADDRESSES", rabbit.url("127.0.0.1"));
    doctor.env("ROOMCAST_BUS__AUTHORITY_FILE", rabbit.authority_file());
    doctor.env("ROOMCAST_PRESENCE__STORE", redis.url("127.0.0.1"));
    doctor.env("ROOMCAST_PRESENCE__AUTHORITY_FILE", redis.authority_file());
    doctor.env("ROOMCAST_ROOMS__DATABASE", elsewhere);
    let output = run(doctor).await;
    let told = String::from_utf8_lossy(&output.stdout);
    let refused = told.lines().filter(|line| line.contains("certificate"));
    assert_eq!(refused.count(), 3, "{told}");
}
