//! What is written is read as it was, in either format, and nothing that comes in breaks a decoder.
#![expect(clippy::unwrap_used, reason = "what this file shares between its tests may fail them")]

mod any;

use std::collections::BTreeMap;

use any::{body, command, server_message};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use wire::client::{ServerMessage, decode_server_frame, encode_command};
use wire::{Command, Format, Push, PushBody, Reply, Uncarried};

fn format() -> impl Strategy<Value = Format> {
    proptest::sample::select(&Format::ALL[..])
}

fn frame_of_commands(format: Format, commands: &[Command]) -> Bytes {
    let write = |command| encode_command(format, command).unwrap();
    format.join(&commands.iter().map(write).collect::<Vec<_>>())
}

fn written(format: Format, message: &ServerMessage) -> Bytes {
    match message {
        ServerMessage::Ping => format.ping(),
        ServerMessage::Reply(reply) => format.encode_reply(reply).unwrap(),
        ServerMessage::Push(push) => format.encode_push(push).unwrap(),
    }
}

/// Turns a valid frame into one that is nearly valid.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let place = any::<prop::sample::Index>();
    let says = prop_oneof![
        (format(), vec(command(), 1..3)).prop_map(|(format, all)| frame_of_commands(format, &all)),
        (format(), server_message())
            .prop_map(|(format, message)| format.join([&written(format, &message)])),
    ];
    (says, place, any::<u8>(), any::<bool>()).prop_map(|(frame, at, byte, cut)| {
        let mut frame = frame.to_vec();
        let at = at.index(frame.len());
        if cut {
            frame.truncate(at);
        } else {
            frame[at] = byte;
        }
        frame
    })
}

proptest! {
    #[test]
    fn commands_come_back_as_they_were(commands in vec(command(), 1..5), format in format()) {
        let frame = frame_of_commands(format, &commands);
        prop_assert_eq!(format.decode(&frame, 4), Ok(commands));
    }

    #[test]
    fn what_the_server_says_comes_back_as_it_was(messages in vec(server_message(), 1..5), format in format()) {
        let parts: Vec<_> = messages.iter().map(|message| written(format, message)).collect();
        let frame = format.join(&parts);
        prop_assert_eq!(decode_server_frame(format, &frame), Ok(messages));
    }

    #[test]
    fn one_message_means_the_same_in_both_formats(message in server_message(), command in command()) {
        let [json, protobuf] = Format::ALL.map(|format| {
            let frame = format.join([&written(format, &message)]);
            decode_server_frame(format, &frame)
        });
        prop_assert_eq!(json, protobuf);
        let [json, protobuf] = Format::ALL.map(|format| {
            format.decode(&frame_of_commands(format, std::slice::from_ref(&command)), 1)
        });
        prop_assert_eq!(json, protobuf);
    }

    #[test]
    fn a_json_message_is_one_line_and_one_object(message in server_message()) {
        let line = written(Format::Json, &message);
        prop_assert!(!line.contains(&b'\n'));
        prop_assert!(serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(&line).is_ok());
    }

    #[test]
    fn a_success_has_its_result_and_no_error(id in 1..=u32::MAX, body in body()) {
        let failed = matches!(body, wire::ReplyBody::Error(_));
        let frame = Format::Json.encode_reply(&Reply { id, body }).unwrap();
        let keys: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&frame).unwrap();
        prop_assert_eq!(keys.len(), 2);
        prop_assert_eq!(keys.contains_key("error"), failed);
        prop_assert!(keys.values().all(|value| value.is_number() || value.is_object()));
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(frame in prop_oneof![vec(any::<u8>(), 0..200), damaged()]) {
        for format in Format::ALL {
            let _ = format.decode(&frame, 4);
            let _ = decode_server_frame(format, &frame);
            let _ = format.payload(&frame);
        }
    }

    #[test]
    fn a_payload_as_text_is_the_payload(payload in any::payload().prop_filter("none", |p| !p.is_empty())) {
        let text = Format::Json.whole(&payload).unwrap();
        let read: String = serde_json::from_slice(&text).unwrap();
        prop_assert_eq!(read.as_bytes(), &payload[..]);
        prop_assert_eq!(Format::Protobuf.whole(&payload), Ok(payload.clone()));
        // A patch is text too, and goes the same way; it is worth nothing if what it makes is.
        let patch = Bytes::from_static("2\n\"é\n".as_bytes());
        let read: String = serde_json::from_slice(&Format::Json.patch(&patch, &payload).unwrap()).unwrap();
        prop_assert_eq!(read.as_bytes(), &patch[..]);
        prop_assert_eq!(Format::Json.patch(&patch, b"{no value"), Err(Uncarried));
        prop_assert_eq!(Format::Protobuf.patch(&patch, b"{no value"), Ok(patch));
    }

    #[test]
    fn any_bytes_as_a_payload_leave_the_frame_whole(data in vec(any::<u8>(), 1..60)) {
        for format in Format::ALL {
            let push = Push::new("a", PushBody::Message(Bytes::from(data.clone())));
            let Ok(message) = format.encode_push(&push) else {
                prop_assert_eq!(format.payload(&data), None);
                prop_assert_eq!(format.whole(&Bytes::from(data.clone())), Err(Uncarried));
                continue;
            };
            let carried = match decode_server_frame(format, &format.join([&message])).unwrap().pop() {
                Some(ServerMessage::Push(Push { body: PushBody::Message(carried), .. })) => carried,
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            };
            let expected = format.payload(&data).unwrap();
            let absent = format == Format::Json && expected == "null";
            prop_assert_eq!(carried, if absent { Bytes::new() } else { expected });
        }
    }
}
