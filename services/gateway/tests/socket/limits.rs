//! Every limit, walked by its table: that it bites, what the client is told, and that its figure
//! rises. A limit that is added without a case fails here.
mod commands;
mod doors;
mod peers;

use futures_util::future::BoxFuture;
use gateway::limit::{Limit, LimitsConfig};
use testkit::client::CommandError;
use testkit::poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Running, SOON, figure, start};

/// A limit and the story in which it bites.
type Case = (Limit, fn() -> BoxFuture<'static, ()>);

const CASES: &[Case] = &[
    (Limit::Connections, || Box::pin(doors::a_full_gateway())),
    (Limit::ConnectionsPerUser, || Box::pin(doors::a_user_with_many_connections())),
    (Limit::ConnectionsPerAddress, || Box::pin(doors::an_address_with_many_connections())),
    (Limit::UnauthenticatedPerAddress, || Box::pin(doors::an_address_that_never_connects())),
    (Limit::Upgrades, || Box::pin(doors::a_herd())),
    (Limit::UpgradesPerAddress, || Box::pin(doors::a_herd_from_one_address())),
    (Limit::Offences, || Box::pin(doors::one_that_breaks_rules_again_and_again())),
    (Limit::OffendersWaiting, || Box::pin(doors::offenders_without_end())),
    (Limit::ConnectTimeout, || Box::pin(doors::one_that_says_nothing())),
    (Limit::ConnectsInFlight, || Box::pin(doors::connects_that_wait_their_turn())),
    (Limit::BytesBeforeConnect, || Box::pin(doors::much_before_the_connect())),
    (Limit::Requests, || Box::pin(doors::calls_without_end())),
    (Limit::RequestsInFlight, || Box::pin(doors::too_many_calls_at_once())),
    (Limit::BodyBytes, || Box::pin(doors::a_large_body())),
    (Limit::BodyTimeout, || Box::pin(doors::a_body_that_does_not_come())),
    (Limit::MessageBytes, || Box::pin(commands::a_large_message())),
    (Limit::Fragments, || Box::pin(commands::a_message_in_many_parts())),
    (Limit::FrameTimeout, || Box::pin(commands::half_a_frame())),
    (Limit::CommandsPerFrame, || Box::pin(commands::many_commands_in_a_frame())),
    (Limit::CommandsInFlight, || Box::pin(commands::many_commands_under_way())),
    (Limit::Commands, || Box::pin(commands::many_commands())),
    (Limit::Bytes, || Box::pin(commands::many_bytes())),
    (Limit::Refusals, || Box::pin(commands::one_who_does_not_stop())),
    (Limit::Subscriptions, || Box::pin(commands::many_rooms_of_one())),
    (Limit::Rooms, || Box::pin(commands::many_rooms_of_all())),
    (Limit::UserPublishes, || Box::pin(commands::publishes_of_a_user())),
    (Limit::UserBytes, || Box::pin(commands::bytes_of_a_user())),
    (Limit::AddressPublishes, || Box::pin(commands::publishes_from_an_address())),
    (Limit::AddressBytes, || Box::pin(commands::bytes_from_an_address())),
    (Limit::RoomPublishes, || Box::pin(commands::publishes_into_a_room())),
    (Limit::RoomBytes, || Box::pin(commands::bytes_into_a_room())),
    (Limit::RateKeys, || Box::pin(commands::more_users_than_rates())),
    (Limit::FeedPause, || Box::pin(peers::a_feed_that_waits())),
    (Limit::Replies, || Box::pin(peers::pushes_that_pile_up())),
    (Limit::Slow, || Box::pin(peers::one_that_reads_nothing())),
    (Limit::Pong, || Box::pin(peers::one_that_is_half_open())),
    (Limit::Close, || Box::pin(peers::one_that_answers_no_close())),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_bites_says_so_and_is_counted() {
    for limit in Limit::ALL {
        let cases = CASES.iter().filter(|(of, _)| of == limit).count();
        assert_eq!(cases, 1, "{} has no case", limit.key());
    }
    let mut failed = Vec::new();
    for (limit, case) in CASES {
        println!("{}", limit.key());
        let before = bites(*limit);
        // A task of its own, so that the others are tried too.
        let done = tokio::spawn(case()).await;
        if done.is_err() || bites(*limit) == before {
            failed.push((limit.key(), done, bites(*limit) - before));
        }
    }
    assert!(failed.is_empty(), "not as it should be, with the bites counted: {failed:?}");
}

/// How often a limit bit in this process.
fn bites(limit: Limit) -> u64 {
    figure(&format!("roomcast_gateway_limited_total{{limit=\"{}\"}}", limit.key()))
}

/// Waits until a limit bit once more than `before`.
async fn bitten(limit: Limit, before: u64) {
    poll::until(SOON, limit.key(), || async { bites(limit) > before }).await.unwrap();
}

/// A gateway with other limits than by default.
async fn limited(change: impl FnOnce(&mut LimitsConfig)) -> Running {
    start(|config| change(&mut config.limits)).await
}

/// The code with which a command was refused.
fn code<T: std::fmt::Debug>(answer: Result<T, CommandError>) -> u32 {
    match answer {
        Err(CommandError::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// The head of the answer to a request, and the socket with what follows.
async fn ask(running: &Running, request: &str) -> (String, TcpStream) {
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(SOON, socket.read_u8()).await.unwrap().unwrap());
    }
    (String::from_utf8(head).unwrap().to_ascii_lowercase(), socket)
}

/// The status of an answer; refusals for a moment say when to come back.
fn status(head: &str) -> u16 {
    let status = head[9..12].parse().unwrap();
    if matches!(status, 429 | 503) {
        assert!(head.contains("\r\nretry-after: "), "{head}");
    }
    status
}
