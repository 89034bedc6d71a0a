//! The bounds of what waits for a socket.
use std::task::Waker;

use super::*;
use crate::connection::frame;

fn writer(drained: &Rc<Drained>) -> Rc<Writer> {
    let limits = WriterLimits {
        feed_pause_bytes: 100,
        replies_bytes_max: 1_000,
        slow: Duration::from_secs(30),
    };
    Rc::new(Writer::new(ConnectionId::random(), limits, drained.clone()))
}

fn take(writer: &Writer) -> Option<Bytes> {
    match writer.poll_take(&Context::from_waker(Waker::noop())) {
        Poll::Ready(frame) => frame,
        Poll::Pending => None,
    }
}

fn data(bytes: usize) -> Bytes {
    Bytes::from(vec![b'x'; bytes])
}

#[tokio::test(start_paused = true)]
async fn a_feed_pauses_when_enough_waits_and_goes_on_when_it_is_half_gone() {
    let drained = Rc::<Drained>::default();
    let writer = writer(&drained);
    assert!(writer.feed_open());
    for _ in 0..4 {
        assert_eq!(writer.feed(data(30)), Pushed::Queued);
    }
    assert!(!writer.feed_open());
    take(&writer);
    assert!(!writer.feed_open(), "only a quarter is gone");
    take(&writer);
    take(&writer);
    assert_eq!(drained.next().await, [writer.id]);
    assert!(writer.feed_open());
}

#[tokio::test(start_paused = true)]
async fn a_feed_of_small_frames_pauses_by_their_number() {
    let drained = Rc::<Drained>::default();
    let writer = writer(&drained);
    for queued in 0..FEED_FRAMES_MAX {
        assert!(writer.feed_open(), "paused at {queued}");
        assert_eq!(writer.feed(Bytes::new()), Pushed::Queued);
    }
    assert!(!writer.feed_open());
    for _ in 0..FEED_FRAMES_MAX / 2 {
        assert!(!writer.feed_open());
        take(&writer);
    }
    assert_eq!(drained.next().await, [writer.id]);
    assert!(writer.feed_open());
}

#[tokio::test(start_paused = true)]
async fn replies_that_pile_up_overflow_and_a_feed_does_not_count() {
    let writer = writer(&Rc::default());
    assert_eq!(writer.feed(data(5_000)), Pushed::Queued);
    assert_eq!(writer.reply(data(1_000)), Pushed::Queued);
    assert_eq!(writer.reply(data(1)), Pushed::Overflow);
}

#[tokio::test(start_paused = true)]
async fn a_ping_goes_in_front_of_the_data() {
    let writer = writer(&Rc::default());
    writer.feed(data(50));
    writer.urgent(Bytes::from_static(b"ping"));
    assert_eq!(take(&writer).as_deref(), Some(&b"ping"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_nothing_is_stuck_after_a_while() {
    let writer = writer(&Rc::default());
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(!writer.stuck(), "nothing waits");
    writer.reply(data(1));
    writer.reply(data(1));
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(!writer.stuck());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(writer.stuck());
    take(&writer);
    assert!(!writer.stuck(), "it takes something");
}

#[tokio::test(start_paused = true)]
async fn a_close_comes_behind_what_waits_and_nothing_behind_it() {
    let writer = writer(&Rc::default());
    writer.reply(Bytes::from_static(b"answer"));
    writer.close(frame::close(3001, "shutdown"), false);
    assert_eq!(writer.reply(data(1)), Pushed::Dropped);
    assert_eq!(take(&writer).as_deref(), Some(&b"answer"[..]));
    let close = take(&writer).unwrap();
    assert_eq!((close[0], &close[2..4]), (0x88, &3001_u16.to_be_bytes()[..]));
    assert!(matches!(writer.poll_take(&Context::from_waker(Waker::noop())), Poll::Pending));
    writer.finish();
    assert!(matches!(writer.poll_take(&Context::from_waker(Waker::noop())), Poll::Ready(None)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_socket_gets_the_close_instead_of_what_waits() {
    let writer = writer(&Rc::default());
    writer.feed(data(90));
    writer.close(frame::close(3008, "slow"), true);
    assert_eq!(take(&writer).unwrap()[0], 0x88);
    assert_eq!(writer.queued(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_loss_of_the_socket_is_told_at_once() {
    let writer = writer(&Rc::default());
    let body = SocketBody::new(writer.clone(), None);
    let wait = Duration::from_secs(60);
    assert!(tokio::time::timeout(wait, writer.lost()).await.is_err(), "it is there");
    drop(body);
    assert!(tokio::time::timeout(Duration::ZERO, writer.lost()).await.is_ok());
}
