//! Pushes that many connections share.
//!
//! A push is encoded when the first connection of a shape needs it, once for all of that shape, and
//! never for a shape that nobody has. The frames that were made form a short list, the first one
//! made in front: in a room whose members are alike it is found at once.
use std::collections::BTreeMap;
use std::sync::OnceLock;

use bytes::Bytes;
use domain::RoomName;
use wire::{Format, Push, PushBody, Uncarried, UnsubscribeCode};

use super::carrier::Carrier;
use crate::room::Handle;

/// How a room's pushes are written for a member. Members of one shape share every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How they travel.
    pub carrier: Carrier,
    /// Whether the room's number stands for its name.
    pub numbered: bool,
    /// How a publication's payload is written.
    pub payload: Payload,
}

/// How a publication's payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// As it is: for all who were granted no patches.
    Plain,
    /// As it is, for whom was granted patches: in JSON a string that holds it.
    Whole,
    /// A patch on the payload before it in the log; in JSON a string too.
    Patch,
}

/// The frames of one push, by shape: as many as there are shapes among those who got it.
#[derive(Debug, Default)]
pub struct Frames(OnceLock<Box<Made>>);

/// A frame that was made, and those made after it.
#[derive(Debug)]
struct Made {
    shape: Shape,
    frame: Result<Bytes, Uncarried>,
    next: Frames,
}

/// A push without a position, for many connections.
#[derive(Debug)]
pub struct SharedPush {
    push: Push,
    /// What stands for the channel where a number does; 0 for none.
    number: i64,
    frames: Frames,
}

impl Shape {
    /// That of a push which names its channel.
    pub const fn named(carrier: Carrier) -> Self {
        Self { carrier, numbered: false, payload: Payload::Plain }
    }

    /// The shape with the same bytes that is first among equals: only JSON writes a whole payload
    /// in another way when patches were granted.
    fn settled(self) -> Self {
        match (self.payload, self.carrier.format()) {
            (Payload::Whole, Format::Protobuf) => Self { payload: Payload::Plain, ..self },
            _ => self,
        }
    }
}

impl Frames {
    /// The push as members of `shape` get it. `push` makes it and is asked once a shape; `made` is
    /// then told what the frame takes, in bytes.
    pub fn get(
        &self,
        shape: Shape,
        push: impl FnOnce() -> Result<Push, Uncarried>,
        made: impl FnOnce(usize),
    ) -> Result<Bytes, Uncarried> {
        let shape = shape.settled();
        let mut make = Some((push, made));
        let mut list = self;
        loop {
            let known = list.0.get_or_init(|| {
                // A frame that is made here has this shape, so the walk ends with it.
                let frame = make.take().map_or(Err(Uncarried), |(push, made)| {
                    let frame = encode(shape, push);
                    made(frame.as_ref().map_or(0, Bytes::len) + size_of::<Made>());
                    frame
                });
                Box::new(Made { shape, frame, next: Self::default() })
            });
            if known.shape == shape {
                return known.frame.clone();
            }
            list = &known.next;
        }
    }
}

fn encode(
    shape: Shape,
    push: impl FnOnce() -> Result<Push, Uncarried>,
) -> Result<Bytes, Uncarried> {
    metrics::counter!("roomcast_gateway_frames_encoded_total").increment(1);
    let message = shape.carrier.format().encode_push(&push()?)?;
    Ok(shape.carrier.wrap(&message))
}

impl SharedPush {
    /// A push that is encoded when somebody needs it, and always names its channel.
    pub fn new(push: Push) -> Self {
        Self { push, number: 0, frames: Frames::default() }
    }

    /// A push to the members of a room.
    pub fn of_room(room: &Handle, body: PushBody) -> Self {
        Self { number: room.number, ..Self::new(Push::new(room.name.as_str(), body)) }
    }

    /// Tells that a subscription has ended. `reason` is shown to the client and never empty.
    pub fn unsubscribe(room: &RoomName, code: UnsubscribeCode, reason: &str) -> Self {
        let body = PushBody::Unsubscribe { code: code.code().into(), reason: reason.to_owned() };
        Self::new(Push::new(room.as_str(), body))
    }

    /// The tags of a publication; `None` if it is none.
    pub fn tags(&self) -> Option<&BTreeMap<String, String>> {
        match &self.push.body {
            PushBody::Pub(publication) => Some(&publication.tags),
            _ => None,
        }
    }

    /// It as members of `shape` get it.
    pub fn frame(&self, shape: Shape) -> Result<Bytes, Uncarried> {
        let shape = Shape { numbered: shape.numbered && self.number != 0, ..shape };
        let push = || {
            let Push { id, channel, body } = self.push.clone();
            Ok(if shape.numbered {
                Push { id: self.number, channel: String::new(), body }
            } else {
                Push { id, channel, body }
            })
        };
        self.frames.get(shape, push, |_| {})
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const JSON: Shape = Shape::named(Carrier::WebSocket(Format::Json));
    const PROTOBUF: Shape = Shape::named(Carrier::WebSocket(Format::Protobuf));
    const STREAM: Shape = Shape::named(Carrier::Stream(Format::Protobuf));
    const EVENTS: Shape = Shape::named(Carrier::Events);

    #[test]
    fn a_push_is_made_once_a_shape_and_only_if_it_is_needed() {
        let frames = Frames::default();
        let (asked, bytes) = (Cell::new(0), Cell::new(0));
        let push = || {
            asked.set(asked.get() + 1);
            Ok(Push::new("a", PushBody::Message(Bytes::from_static(b"\xff"))))
        };
        let made = |more| bytes.set(bytes.get() + more);
        for _ in 0..3 {
            let frame = frames.get(PROTOBUF, push, made).unwrap();
            assert_eq!(frame[..], *b"\x82\x0b\x0a\x22\x08\x12\x01a\x42\x03\x0a\x01\xff");
            assert_eq!(frames.get(STREAM, push, made).unwrap(), frame[2..]);
        }
        assert_eq!((asked.get(), bytes.get()), (2, 13 + 11 + 2 * size_of::<Made>()));
        // What JSON cannot carry is found out once too.
        for _ in 0..3 {
            assert_eq!(frames.get(JSON, push, made), Err(Uncarried));
            assert_eq!(frames.get(EVENTS, push, made), Err(Uncarried));
        }
        assert_eq!(asked.get(), 4);
    }

    #[test]
    fn a_number_stands_for_a_room_and_for_nothing_else() {
        let name = RoomName::parse("general").unwrap();
        let data = PushBody::Message(Bytes::from_static(b"1"));
        let numbered = Shape { numbered: true, ..STREAM };
        let of_room =
            SharedPush::of_room(&Handle { name: name.clone(), number: 7, patched: false }, data);
        let text = |push: &SharedPush, shape| {
            let shape = Shape { carrier: Carrier::Stream(Format::Json), ..shape };
            String::from_utf8(push.frame(shape).unwrap().to_vec()).unwrap()
        };
        assert_eq!(text(&of_room, numbered), "{\"push\":{\"id\":7,\"message\":{\"data\":1}}}\n");
        assert!(text(&of_room, STREAM).starts_with("{\"push\":{\"channel\":\"general\","));
        let ended = SharedPush::unsubscribe(&name, UnsubscribeCode::Server, "kicked");
        assert_eq!(text(&ended, numbered), text(&ended, STREAM));
        assert!(text(&ended, numbered).contains("\"channel\":\"general\""));
    }

    #[test]
    fn whoever_comes_first_makes_the_frame_for_all() {
        let frames = Frames::default();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let shapes = [JSON, PROTOBUF, STREAM, EVENTS];
        std::thread::scope(|scope| {
            for turn in 0..8 {
                let (frames, asked) = (&frames, &asked);
                scope.spawn(move || {
                    for step in 0..shapes.len() {
                        let push = || {
                            asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                            Ok(Push::new("a", PushBody::Message(Bytes::from_static(b"1"))))
                        };
                        let shape = shapes[(turn + step) % shapes.len()];
                        assert!(frames.get(shape, push, |_| {}).is_ok());
                    }
                });
            }
        });
        assert_eq!(asked.into_inner(), shapes.len());
    }
}
