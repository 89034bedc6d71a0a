//! What every bus keeps: one suite, run on the in-process bus and on a real RabbitMQ.
#[path = "contract/suite.rs"]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by it")]
mod suite;
#[path = "support/world.rs"]
#[expect(dead_code, reason = "the other suite uses the rest")]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by it")]
mod world;

macro_rules! contract {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::suite::$name(super::world::World::memory().await).await;
            })*
        }
        mod rabbitmq {
            $(#[tokio::test]
            async fn $name() {
                let rabbit = testkit::parts::shared_rabbit().await.unwrap();
                let vhost = rabbit.new_vhost().await.unwrap();
                super::suite::$name(super::world::World::broker(&vhost.url).await).await;
            })*
        }
    };
}

contract! {
    a_bound_room_brings_its_events_and_no_other_room_does
    an_unbound_room_is_silent
    a_bound_shard_brings_each_of_its_rooms
    a_room_bound_by_name_and_by_shard_comes_once
    a_room_of_the_longest_name_is_bound
    wanting_twice_is_wanting_once
    a_wish_taken_back_at_once_ends_unbound
    an_order_reaches_every_gateway_and_a_direct_event_one
    every_kind_of_event_arrives_as_it_was_sent
    publishing_never_waits_for_a_gateway_that_does_not_read
    a_closed_bus_flushes_and_ends_its_events
}
