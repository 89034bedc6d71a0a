//! The parts themselves: they start, survive what tests do to them, and leave nothing behind.
use std::path::Path;
use std::time::{Duration, Instant};

use testkit::parts::{Postgres, Rabbit, Redis};

fn ended(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn postgres_keeps_its_data_over_a_kill_and_ends_when_dropped() {
    let postgres = Postgres::start().await.unwrap();
    let url = postgres.new_database().await.unwrap();
    postgres.sql_in(&url, "CREATE TABLE t (x int); INSERT INTO t VALUES (7)").await.unwrap();
    assert_eq!(postgres.sql("SHOW fsync").await.unwrap(), "on");
    postgres.kill9();
    assert!(postgres.sql("SELECT 1").await.is_err());
    postgres.restart().await.unwrap();
    assert_eq!(postgres.sql_in(&url, "SELECT x FROM t").await.unwrap(), "7");
    let pid = postgres.process().pid().unwrap();
    let dir = postgres.data_dir();
    drop(postgres);
    assert!(ended(pid));
    assert!(!dir.exists());
}

#[tokio::test]
async fn a_frozen_redis_is_silent_until_thawed_and_a_restarted_one_is_empty() {
    let redis = Redis::start().await.unwrap();
    assert_eq!(redis.command(&["SET", "k", "v"]).await.unwrap(), "+OK\r\n");
    redis.freeze();
    assert!(redis.command(&["GET", "k"]).await.is_err());
    redis.thaw();
    assert!(redis.command(&["GET", "k"]).await.unwrap().contains('v'));
    redis.restart().await.unwrap();
    assert_eq!(redis.command(&["GET", "k"]).await.unwrap(), "$-1\r\n");
}

#[tokio::test]
async fn rabbit_keeps_vhosts_over_a_kill_and_answers_an_operator() {
    let rabbit = Rabbit::start().await.unwrap();
    let vhost = rabbit.new_vhost().await.unwrap();
    assert!(rabbit.ctl(&["list_vhosts"]).await.unwrap().contains(&vhost.name));
    assert_eq!(rabbit.queues(&vhost.name).await.unwrap(), []);
    assert_eq!(rabbit.bindings(&vhost.name).await.unwrap(), []);
    rabbit.memory_alarm(true).await.unwrap();
    let begun = Instant::now();
    while !rabbit.eval("rabbit_alarm:get_alarms().").await.unwrap().contains("memory") {
        assert!(begun.elapsed() < Duration::from_secs(20), "no alarm was raised");
    }
    rabbit.kill9();
    rabbit.restart().await.unwrap();
    assert!(rabbit.ctl(&["list_vhosts"]).await.unwrap().contains(&vhost.name));
    let pid = rabbit.process().pid().unwrap();
    drop(rabbit);
    assert!(ended(pid));
}
