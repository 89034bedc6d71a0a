//! The guard against a second, plainer reading of the same rules, over any chunking.
use super::*;
use futures_util::{FutureExt, StreamExt};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: GuardLimits = GuardLimits {
    message_bytes_max: 300,
    fragments_max: 4,
    greeting_bytes_max: usize::MAX,
    frame_timeout: Duration::from_secs(10),
};

/// A frame as a client writes it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = declared(first, payload.len() as u64);
    out.extend([1, 2, 3, 4]);
    out.extend(payload);
    out
}

/// A masked header up to the declared length, which may be a lie.
fn declared(first: u8, length: u64) -> Vec<u8> {
    let mut out = vec![first];
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xffff => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend(length.to_be_bytes());
        }
    }
    out
}

/// Runs a guard over chunks: what passed, and its verdict.
fn run(chunks: Vec<Bytes>, limits: GuardLimits) -> (Vec<u8>, Option<CloseCode>) {
    let stream = futures_util::stream::iter(chunks.into_iter().map(Ok));
    let (guard, report) = Guard::new(stream, limits);
    let passed = guard.map(Result::unwrap).collect::<Vec<_>>().now_or_never().unwrap();
    (passed.concat(), report.close_code())
}

fn judged(bytes: Vec<u8>) -> (Vec<u8>, Option<CloseCode>) {
    run(vec![bytes.into()], LIMITS)
}

fn cut(bytes: &[u8], sizes: &[usize]) -> Vec<Bytes> {
    let mut rest = bytes;
    let mut chunks = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*size).min(rest.len()));
        chunks.push(Bytes::copy_from_slice(now));
        rest = later;
    }
    chunks
}

/// The same rules read frame by frame from the whole input: bytes that may pass, and the verdict.
fn model(bytes: &[u8], limits: GuardLimits) -> (usize, Option<CloseCode>) {
    let (mut at, mut fragments, mut sum) = (0, 0u32, 0u64);
    loop {
        let rest = &bytes[at..];
        let [first, second, more @ ..] = rest else { return (at, None) };
        let (code, short) = (first & 15, u64::from(second & 127));
        let control = matches!(code, 8..=10);
        let wrong = first & 0x70 != 0
            || second & 0x80 == 0
            || !(matches!(code, 0..=2) || control)
            || (control && (first & 0x80 == 0 || short > 125 || (code == 8 && short == 1)))
            || (code == 0 && fragments == 0)
            || (matches!(code, 1 | 2) && fragments > 0);
        if wrong {
            return (at, Some(CloseCode::Protocol));
        }
        let width = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(digits) = more.get(..width) else { return (at, None) };
        let length = if width == 0 {
            short
        } else {
            digits.iter().fold(0, |all, digit| all << 8 | u64::from(*digit))
        };
        let most = limits.message_bytes_max as u64 - sum;
        if !control && (length > most || fragments == limits.fragments_max) {
            return (at, Some(CloseCode::TooBig));
        }
        let header = 2 + width + 4;
        if rest.len() < header {
            return (at, None);
        }
        if (rest.len() as u64) < header as u64 + length {
            return (bytes.len(), None);
        }
        at += header + length as usize;
        match (control, first & 0x80 != 0) {
            (true, _) if code == 8 => return (at, None),
            (true, _) => {}
            (false, true) => (fragments, sum) = (0, 0),
            (false, false) => (fragments, sum) = (fragments + 1, sum + length),
        }
    }
}

/// Frames that are legal more often than not.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let legal = (
        prop_oneof![
            Just(0x81u8),
            Just(0x82),
            Just(0x01),
            Just(0x00),
            Just(0x80),
            Just(0x89),
            Just(0x8a)
        ],
        0..130usize,
    )
        .prop_map(|(first, length)| frame(first, &vec![b'x'; length]));
    let odd = (any::<u8>(), 0..360usize, any::<bool>()).prop_map(|(first, length, masked)| {
        let mut bytes = frame(first, &vec![b'x'; length]);
        if !masked {
            bytes[1] &= 0x7f;
        }
        bytes
    });
    let lie = (any::<u8>(), any::<u64>()).prop_map(|(first, length)| declared(first, length));
    let close = Just(frame(0x88, b"\x03\xe8"));
    vec(
        prop_oneof![20 => legal, 2 => odd, 1 => lie, 1 => close, 1 => vec(any::<u8>(), 0..20)],
        0..12,
    )
    .prop_map(|frames| frames.concat())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_verdict_of_the_whole(bytes in traffic(), sizes in vec(1..40usize, 1..8)) {
        let (passed, verdict) =
            run(cut(&bytes, &sizes), LIMITS);
        let (legal, expected) = model(&bytes, LIMITS);
        prop_assert_eq!(verdict, expected);
        prop_assert_eq!(&passed[..], &bytes[..legal]);
    }

    #[test]
    fn legal_traffic_passes_byte_for_byte(texts in vec(vec(any::<u8>(), 0..200), 0..10), size in 1..30usize) {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(0x81, text)).collect();
        let (passed, verdict) =
            run(cut(&bytes, &[size]), LIMITS);
        prop_assert_eq!(verdict, None);
        prop_assert_eq!(passed, bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300), size in 1..30usize) {
        let (passed, _) =
            run(cut(&bytes, &[size]), GuardLimits::default());
        prop_assert!(bytes.starts_with(&passed));
    }
}

#[test]
fn a_length_is_refused_when_it_is_declared() {
    for length in [301, 65_535, 65_536, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX] {
        for first in [0x81, 0x82, 0x01] {
            assert_eq!(
                judged(declared(first, length)),
                (vec![], Some(CloseCode::TooBig)),
                "{length}"
            );
        }
    }
    assert_eq!(judged(frame(0x82, &[0; 300])).1, None);
}

#[test]
fn what_was_legal_before_still_passes() {
    let good = frame(0x81, b"{}");
    let bytes = [good.clone(), declared(0x81, 1 << 40)].concat();
    assert_eq!(judged(bytes), (good, Some(CloseCode::TooBig)));
}

#[test]
fn what_the_standard_forbids_in_a_header_is_a_protocol_error() {
    let mut unmasked = frame(0x81, b"x");
    unmasked[1] &= 0x7f;
    let cases = [
        ("unmasked", unmasked),
        ("first reserved bit", frame(0xc1, b"")),
        ("second reserved bit", frame(0xa1, b"")),
        ("third reserved bit", frame(0x91, b"")),
        ("reserved data opcode", frame(0x83, b"")),
        ("reserved control opcode", frame(0x8b, b"")),
        ("control of 126", frame(0x89, &[0; 126])),
        ("control of 2^63", declared(0x89, 1 << 63)),
        ("fragmented ping", frame(0x09, b"")),
        ("close of one byte", frame(0x88, b"x")),
        ("continuation of nothing", frame(0x80, b"")),
        ("text within a message", [frame(0x01, b"a"), frame(0x81, b"b")].concat()),
    ];
    for (what, bytes) in cases {
        assert_eq!(judged(bytes).1, Some(CloseCode::Protocol), "{what}");
    }
}

#[test]
fn fragments_and_their_sum_are_bounded() {
    let first = frame(0x01, b"");
    let more = frame(0x00, b"");
    let last = frame(0x80, b"");
    let of = |count: usize| {
        [first.clone(), vec![more.clone(); count - 2].concat(), last.clone()].concat()
    };
    assert_eq!(judged(of(4)).1, None);
    assert_eq!(judged(of(5)).1, Some(CloseCode::TooBig));
    // Both counts begin anew with each message; pings in between change nothing.
    let half = [frame(0x01, &[0; 150]), frame(0x89, b"ping"), frame(0x80, &[0; 150])].concat();
    assert_eq!(judged([half.clone(), half].concat()).1, None);
    let over = [frame(0x01, &[0; 150]), frame(0x89, b"ping"), frame(0x80, &[0; 151])].concat();
    assert_eq!(judged(over).1, Some(CloseCode::TooBig));
}

#[test]
fn nothing_counts_after_a_close() {
    let close = frame(0x88, b"\x03\xe8bye");
    let bytes = [close.clone(), declared(0x81, u64::MAX), vec![0xff; 50]].concat();
    assert_eq!(judged(bytes), (close, None));
}

/// A guard over a channel.
fn piped() -> (
    tokio::sync::mpsc::Sender<Bytes>,
    Guard<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin>,
    GuardReport,
) {
    let (send, receive) = tokio::sync::mpsc::channel::<Bytes>(8);
    let stream = futures_util::stream::unfold(receive, |mut receive| async move {
        receive.recv().await.map(|bytes| (Ok(bytes), receive))
    });
    let (guard, report) = Guard::new(Box::pin(stream), LIMITS);
    (send, guard, report)
}

#[tokio::test(start_paused = true)]
async fn the_clock_runs_while_a_frame_or_a_message_is_unfinished() {
    let (send, mut guard, report) = piped();
    let whole = frame(0x81, b"hello");
    let started = Instant::now();

    // One byte of a header, then the rest but for one byte.
    send.send(Bytes::copy_from_slice(&whole[..1])).await.unwrap();
    assert!(guard.next().now_or_never().is_none());
    assert_eq!(report.frame_started(), Some(started));
    tokio::time::advance(Duration::from_secs(3)).await;
    send.send(Bytes::copy_from_slice(&whole[1..10])).await.unwrap();
    guard.next().await.unwrap().unwrap();
    assert_eq!(report.frame_started(), Some(started), "the clock began anew inside a frame");

    // Its end and the first fragment of another message in one chunk: the clock begins anew.
    let next = [&whole[10..], &frame(0x01, b"a")].concat();
    send.send(next.into()).await.unwrap();
    guard.next().await.unwrap().unwrap();
    assert_eq!(report.frame_started(), Some(Instant::now()));
    assert_ne!(report.frame_started(), Some(started));

    // A ping inside does not stop it, the last fragment does.
    send.send(frame(0x89, b"").into()).await.unwrap();
    guard.next().await.unwrap().unwrap();
    assert!(report.frame_started().is_some());
    send.send(frame(0x80, b"b").into()).await.unwrap();
    guard.next().await.unwrap().unwrap();
    assert_eq!(report.frame_started(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_finished_in_time_is_refused() {
    let (send, mut guard, report) = piped();
    let begun = Instant::now();
    for byte in &frame(0x81, &[b'x'; 100])[..12] {
        send.send(Bytes::copy_from_slice(&[*byte])).await.unwrap();
        // Each byte by itself is in time; the frame is not.
        let _ = tokio::time::timeout(Duration::from_millis(800), guard.next()).await;
    }
    let refused = tokio::select! {
        biased;
        _ = guard.next() => panic!("the stream ended"),
        code = report.refused() => code,
    };
    assert_eq!(refused, CloseCode::FrameTimeout);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn after_a_refusal_it_reads_on_and_throws_away() {
    let (send, mut guard, report) = piped();
    let good = frame(0x81, b"{}");
    send.send([good.clone(), declared(0x81, 1 << 20)].concat().into()).await.unwrap();
    assert_eq!(guard.next().await.unwrap().unwrap(), good);
    assert_eq!(report.refused().await, CloseCode::TooBig);
    // Less than what it throws away at most: beyond that it takes nothing more.
    for _ in 0..400 {
        send.send(Bytes::from_static(&[0; 512])).await.unwrap();
        assert!(guard.next().now_or_never().is_none());
    }
    drop(send);
    assert!(guard.next().await.is_none());
}

#[test]
fn a_greeting_has_a_bound_of_its_own_over_all_frames() {
    let limits = GuardLimits { greeting_bytes_max: 100, ..LIMITS };
    let pings: Vec<u8> = (0..3).flat_map(|_| frame(0x89, &[0; 30])).collect();
    let mut judge = Judge::new(limits);
    assert_eq!(judge.take(&pings).refused, None);
    assert_eq!(judge.take(&frame(0x81, &[0; 11])).refused, Some(CloseCode::TooBig));
    // Behind the first message only its own bounds hold, also in the same chunk.
    let mut judge = Judge::new(limits);
    let all = [pings, frame(0x81, &[0; 10]), frame(0x89, &[0; 125]), frame(0x81, &[0; 300])];
    assert_eq!(judge.take(&all.concat()).refused, None);
}

#[test]
fn after_a_refusal_the_peers_close_ends_the_stream_and_junk_is_not_read_without_end() {
    let close = frame(0x88, &[0x03 ^ 1, 0xf1 ^ 2]);
    let junk = vec![b'x'; 1_000];
    for cut in 0..=close.len() {
        let chunks = [&b"\x83\x80"[..], &junk, &close[..cut], &close[cut..], b"never read"];
        let chunks = chunks.map(|chunk| Ok(Bytes::copy_from_slice(chunk)));
        let pending = futures_util::stream::iter(chunks).chain(futures_util::stream::pending());
        let (mut guard, report) = Guard::new(pending, LIMITS);
        assert!(guard.next().now_or_never().expect("an end").is_none(), "{cut}");
        assert_eq!(report.close_code(), Some(CloseCode::Protocol));
    }
    let read = Rc::new(Cell::new(0));
    let count = read.clone();
    let endless = futures_util::stream::repeat_with(move || {
        count.set(count.get() + 1);
        Ok(Bytes::from_static(&[0x83; 16 * 1024]))
    });
    let (mut guard, _report) = Guard::new(endless, LIMITS);
    assert!(guard.next().now_or_never().is_none());
    assert_eq!(read.get(), 1 + THROWN_BYTES_MAX / (16 * 1024));
}
