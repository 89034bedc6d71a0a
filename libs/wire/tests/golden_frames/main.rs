//! Every file in `golden/` is one frame as it must stand on the wire, byte for byte: `.json` in the
//! one format, `.hex` in the other. Each is written and read again: a change shows as a changed file.
//!
//! The hex files are another implementation's bytes: `from_sdk.mjs` made them from the JSON files by
//! the codec inside the official JavaScript SDK 5.8.0.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what these files share between their tests may fail them"
)]

mod commands;
mod pushes;
mod replies;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use wire::client::{ServerMessage, decode_server_frame, encode_command};
use wire::{
    ClientInfo, Command, ConnectRequest, ConnectResult, DisconnectPush, ErrorCode, FilterNode,
    Format, HistoryRequest, HistoryResult, PresenceResult, PresenceStatsResult, Publication,
    PublishRequest, Push, PushBody, RefreshPush, RefreshRequest, RefreshResult, Reply, ReplyBody,
    Request, RpcRequest, RpcResult, SendRequest, StreamPosition, SubRefreshRequest,
    SubRefreshResult, SubscribePush, SubscribeRequest, SubscribeResult,
};

fn json(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn ada(client: &str) -> ClientInfo {
    ClientInfo {
        user: "u".into(),
        client: client.into(),
        conn_info: json(r#"{"name":"Ada"}"#),
        ..ClientInfo::default()
    }
}

fn gateway() -> BTreeMap<String, String> {
    BTreeMap::from([("gateway".into(), "g1".into())])
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(name: &str, format: Format) -> Bytes {
    let ending = match format {
        Format::Json => "json",
        Format::Protobuf => "hex",
    };
    let text = std::fs::read_to_string(folder().join(name).with_extension(ending));
    let text = text.unwrap_or_else(|error| panic!("golden/{name}.{ending}: {error}"));
    let line = text.strip_suffix('\n').unwrap_or(&text);
    match format {
        Format::Json => Bytes::copy_from_slice(line.as_bytes()),
        Format::Protobuf => unhex(line),
    }
}

fn unhex(line: &str) -> Bytes {
    let digits = |at| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    (0..line.len()).step_by(2).map(digits).collect()
}

#[test]
fn commands_stand_on_the_wire_as_in_their_files() {
    for (name, id, request) in commands::all() {
        let command = Command { id, request };
        for format in Format::ALL {
            let frame = golden(name, format);
            let written = encode_command(format, &command).unwrap();
            assert_eq!(format.join([&written]), frame, "{name} written in {format:?}");
            assert_eq!(
                format.decode(&frame, 1),
                Ok(vec![command.clone()]),
                "{name} read in {format:?}"
            );
        }
    }
}

#[test]
fn replies_and_pushes_stand_on_the_wire_as_in_their_files() {
    for format in Format::ALL {
        let read = |frame: &Bytes| decode_server_frame(format, frame);
        for (name, id, body) in replies::replies() {
            let (frame, reply) = (golden(name, format), Reply { id, body });
            let written = format.encode_reply(&reply).unwrap();
            assert_eq!(format.join([&written]), frame, "{name} written in {format:?}");
            assert_eq!(read(&frame), Ok(vec![ServerMessage::Reply(reply)]), "{name} read");
        }
        for (name, push) in pushes::pushes() {
            let frame = golden(name, format);
            let written = format.encode_push(&push).unwrap();
            assert_eq!(format.join([&written]), frame, "{name} written in {format:?}");
            assert_eq!(read(&frame), Ok(vec![ServerMessage::Push(push)]), "{name} read");
        }
        let ping = golden("ping", format);
        assert_eq!(format.join([&format.ping()]), ping);
        assert_eq!(read(&ping), Ok(vec![ServerMessage::Ping]));
    }
}

#[test]
fn no_file_is_left_unread() {
    let mut known: Vec<_> = commands::all().into_iter().map(|(name, ..)| name).collect();
    known.extend(replies::replies().into_iter().map(|(name, ..)| name));
    known.extend(pushes::pushes().into_iter().map(|(name, ..)| name));
    known.push("ping");
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(known.contains(&name), "golden/{name} is in no test");
    }
}
