//! What a JSON frame may be, and what it may not: the rules of framing, ids and fields.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what this file shares between its tests may fail them"
)]

use bytes::Bytes;
use wire::client::{ServerMessage, decode_server_frame};
use wire::{
    Command, DecodeError, FILTER_DEPTH_MAX, FILTER_NODES_MAX, Format, HEADERS_MAX, HistoryResult,
    Publication, Push, PushBody, Reply, ReplyBody, Request, SUBS_MAX, Uncarried,
};

fn read(frame: &str) -> Result<Vec<Command>, DecodeError> {
    Format::Json.decode(frame.as_bytes(), 16)
}

fn data_of(frame: &str) -> Bytes {
    match read(frame).unwrap().pop().unwrap().request {
        Some(Request::Publish(publish)) => publish.data,
        other => panic!("no publish: {other:?}"),
    }
}

#[test]
fn a_frame_holds_objects_with_one_newline_between() {
    let ids = |frame: &str| {
        read(frame).map(|all| all.iter().map(|command| command.id).collect::<Vec<_>>())
    };
    let two = "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"ping\":{}}";
    assert_eq!(ids(two), Ok(vec![1, 2]));
    assert_eq!(ids(&format!("{two}\n")), Ok(vec![1, 2]));
    assert_eq!(ids("{}\n{}\n{}"), Ok(vec![0, 0, 0]));
    // An object may be laid out over lines.
    assert_eq!(ids("{\n\"id\" : 1,\r\n\"connect\" : {}\n}\n{}"), Ok(vec![1, 0]));
}

#[test]
fn a_frame_without_a_command_is_empty() {
    assert_eq!(read(""), Err(DecodeError::Empty));
    assert_eq!(read("\n"), Err(DecodeError::Empty));
}

#[test]
fn what_is_no_frame_is_malformed() {
    for bad in [
        " ",
        "\n\n",
        "\n{}",
        "{}\n\n",
        "{}\n\n{}",
        "{}{}",
        "{} {}",
        "{},{}",
        "{}\r\n{}",
        " {}",
        "{",
        "}",
        "{}}",
        "[]",
        "[{}]",
        "null",
        "1",
        "\"x\"",
        "nul",
        "{}\nx",
        "{\"id\":1,\"connect\":{}",
        "{'id':1}",
        "\u{feff}{}",
        "{\"id\":1,\"connect\":{}}garbage",
        "{}\0",
    ] {
        assert_eq!(read(bad), Err(DecodeError::Malformed), "{bad:?}");
    }
    assert_eq!(Format::Json.decode(b"{\"x\":\"\xff\"}", 1), Err(DecodeError::Malformed));
}

#[test]
fn only_so_many_commands_fit_into_a_frame() {
    let frame = |count: usize| vec!["{}"; count].join("\n");
    assert_eq!(Format::Json.decode(frame(16).as_bytes(), 16).map(|all| all.len()), Ok(16));
    assert_eq!(read(&frame(17)), Err(DecodeError::TooMany));
    // Told before the rest is looked at.
    assert_eq!(read(&(frame(16) + "\nbroken")), Err(DecodeError::TooMany));
}

#[test]
fn an_id_of_0_is_for_the_pong_and_for_send() {
    assert_eq!(read("{}"), Ok(vec![Command { id: 0, request: None }]));
    assert_eq!(read("{\"id\":0}"), Ok(vec![Command { id: 0, request: None }]));
    assert!(read("{\"send\":{}}").is_ok());
    assert!(read("{\"id\":1,\"send\":{}}").is_ok());
    for bad in [
        "{\"id\":1}",
        "{\"id\":1,\"dance\":{}}",
        "{\"connect\":{}}",
        "{\"id\":0,\"publish\":{}}",
        "{\"ping\":{}}",
        "{\"id\":1,\"publish\":null}",
    ] {
        assert_eq!(read(bad), Err(DecodeError::Malformed), "{bad}");
    }
}

#[test]
fn unknown_fields_are_passed_over_wherever_they_stand() {
    let subscribe = "{\"channel\":\"a\",\"phase\":{\"op\":\"\"},\"asc\":true}";
    let frame = &format!("{{\"new\":[{{}}],\"id\":3,\"subscribe\":{subscribe},\"x\":\"\\ud800\"}}");
    let plain = "{\"subscribe\":{\"channel\":\"a\"},\"id\":3}";
    assert_eq!(read(frame), read(plain));
}

#[test]
fn null_reads_as_absent() {
    let nulls = "{\"id\":3,\"connect\":{\"token\":null,\"data\":null,\"subs\":null},\"rpc\":null}";
    assert_eq!(read(nulls), read("{\"id\":3,\"connect\":{}}"));
}

#[test]
fn odd_types_and_repeated_fields_are_malformed() {
    for bad in [
        "{\"id\":\"1\",\"ping\":{}}",
        "{\"id\":-1,\"ping\":{}}",
        "{\"id\":1.0,\"ping\":{}}",
        "{\"id\":4294967296,\"ping\":{}}",
        "{\"id\":1,\"id\":1,\"ping\":{}}",
        "{\"id\":1,\"ping\":[]}",
        "{\"id\":1,\"ping\":true}",
        "{\"id\":1,\"subscribe\":{\"channel\":1}}",
        "{\"id\":1,\"subscribe\":{\"channel\":\"\\ud800\"}}",
        "{\"id\":1,\"subscribe\":{\"offset\":-1}}",
        "{\"id\":1,\"subscribe\":{\"offset\":18446744073709551616}}",
        "{\"id\":1,\"subscribe\":{\"offset\":1e3}}",
        "{\"id\":1,\"subscribe\":{\"recover\":1}}",
        "{\"id\":1,\"publish\":{\"data\":1,\"data\":2}}",
        "{\"id\":1,\"publish\":{},\"publish\":{}}",
        "{\"id\":1,\"connect\":{\"subs\":[]}}",
        "{\"id\":1,\"connect\":{\"subs\":{\"a\":1}}}",
        "{\"id\":1,\"history\":{\"limit\":2147483648}}",
        "{\"id\":1,\"history\":{\"since\":3}}",
    ] {
        assert_eq!(read(bad), Err(DecodeError::Malformed), "{bad}");
    }
}

#[test]
fn of_several_requests_the_first_field_number_counts() {
    let frame = "{\"id\":1,\"sub_refresh\":{},\"rpc\":{},\"publish\":{},\"subscribe\":{}}";
    let command = read(frame).unwrap().pop().unwrap();
    assert!(matches!(command.request, Some(Request::Subscribe(_))), "{command:?}");
}

#[test]
fn payloads_are_kept_byte_for_byte_but_for_newlines_between_tokens() {
    let publish =
        |data: &str| format!("{{\"id\":1,\"publish\":{{\"channel\":\"a\",\"data\": {data} }}}}");
    for same in [
        "{\"b\":1,\"a\":1,\"b\":2}",
        "1.500e+02",
        "-0",
        "\"\\u00e9\\/\\n\"",
        "[ 1 ,\t2 ]",
        "\"👋\\ud800\"",
        "123456789012345678901234567890",
        "false",
        "{}",
    ] {
        assert_eq!(data_of(&publish(same)), same);
    }
    assert_eq!(
        data_of(&publish("{\n  \"a\\\\\": \"x\\n\",\r\n  \"b\": [1,\n2]\n}")),
        "{  \"a\\\\\": \"x\\n\",  \"b\": [1,2]}"
    );
    assert!(data_of("{\"id\":1,\"publish\":{\"channel\":\"a\"}}").is_empty());
}

#[test]
fn depth_is_bounded_for_payloads_and_for_everything_that_is_passed_over() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let publish = |data: String| format!("{{\"id\":1,\"publish\":{{\"data\":{data}}}}}");
    assert!(read(&publish(nested(100))).is_ok());
    assert_eq!(read(&publish(nested(101))), Err(DecodeError::Malformed));
    // Passing over an unknown field takes no stack.
    assert!(read(&format!("{{\"x\":{}}}", nested(30_000))).is_ok());
    assert_eq!(read(&"{\"connect\":".repeat(5_000)), Err(DecodeError::Malformed));
}

#[test]
fn a_payload_cannot_break_out_of_its_frame() {
    let message = |data: &'static [u8]| {
        let push = Push::new("a", PushBody::Message(Bytes::from_static(data)));
        Format::Json.encode_push(&push)
    };
    for evil in [&b"1}}}\n{\"id\":1,\"publish\":{}}"[..], b"\xff\x00", b"{", b"1 2"] {
        assert_eq!(message(evil), Err(Uncarried), "{evil:?}");
        assert_eq!(Format::Json.payload(evil), None);
        assert_eq!(Format::Protobuf.payload(evil).unwrap(), evil);
    }
    assert_eq!(Format::Json.payload(b"{\n}").unwrap(), "{}");
    let embedded = "{\"push\":{\"channel\":\"a\",\"message\":{\"data\":[1,2]}}}";
    assert_eq!(message(b" [1,\r\n2]\n").unwrap(), embedded);
}

#[test]
fn a_reply_with_one_payload_that_json_cannot_carry_is_not_written() {
    let item = |data: &'static [u8], offset| Publication {
        data: Bytes::from_static(data),
        offset,
        ..Publication::default()
    };
    let publications = vec![item(b"1", 1), item(b"\x00\x01", 2)];
    let body = ReplyBody::History(HistoryResult { publications, ..HistoryResult::default() });
    let reply = Reply { id: 1, body };
    assert_eq!(Format::Json.encode_reply(&reply), Err(Uncarried));
    let message = Format::Protobuf.encode_reply(&reply).unwrap();
    let frame = Format::Protobuf.join([&message]);
    let read = decode_server_frame(Format::Protobuf, &frame);
    assert_eq!(read, Ok(vec![ServerMessage::Reply(reply)]));
}

#[test]
fn no_text_can_break_out_of_its_frame() {
    let reason = "a\"\n}\u{2028}\u{0}\\".to_owned();
    let push = Push::new("", PushBody::Unsubscribe { code: 2000, reason });
    let frame = Format::Json.encode_push(&push).unwrap();
    assert!(!frame.contains(&b'\n'));
    let read = decode_server_frame(Format::Json, &frame).unwrap();
    assert_eq!(read, vec![ServerMessage::Push(push)]);
}

#[test]
fn what_a_command_may_list_is_bounded() {
    let filter = |nodes: usize| format!("{{\"nodes\":[{}]}}", vec!["{}"; nodes - 1].join(","));
    let deep = |levels: usize| "{\"nodes\":[".repeat(levels - 1) + "{}" + &"]}".repeat(levels - 1);
    let subscribe = |tf: String| read(&format!("{{\"id\":1,\"subscribe\":{{\"tf\":{tf}}}}}"));
    assert!(subscribe(filter(FILTER_NODES_MAX)).is_ok());
    assert!(subscribe(deep(FILTER_DEPTH_MAX)).is_ok());
    for bad in [filter(FILTER_NODES_MAX + 1), deep(FILTER_DEPTH_MAX + 1), "[]".into(), "1".into()] {
        assert_eq!(subscribe(bad), Err(DecodeError::Malformed));
    }
    assert!(subscribe("null".into()).is_ok());
    let listed = |field: &str, count: usize, value: &str| {
        let entries: Vec<_> = (0..count).map(|n| format!("\"{n}\":{value}")).collect();
        read(&format!("{{\"id\":1,\"connect\":{{\"{field}\":{{{}}}}}}}", entries.join(",")))
    };
    assert!(listed("subs", SUBS_MAX, "{}").is_ok());
    assert!(listed("headers", HEADERS_MAX, "\"\"").is_ok());
    assert!(listed("subs", SUBS_MAX + 1, "{}").is_err());
    assert!(listed("headers", HEADERS_MAX + 1, "\"\"").is_err());
}
