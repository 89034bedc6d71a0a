//! What a Protobuf frame may be, and what it may not: the rules of framing, ids and fields, written
//! as bytes by hand from the schema's numbers.
use wire::{
    Command, DecodeError, FILTER_DEPTH_MAX, FILTER_NODES_MAX, Format, HEADERS_MAX, Request,
    SUBS_MAX,
};

/// A varint.
fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push((value % 128) as u8 + 128);
        value /= 128;
    }
    bytes.push(value as u8);
    bytes
}

/// A field that is a number.
fn num(field: u64, value: u64) -> Vec<u8> {
    [number(field * 8), number(value)].concat()
}

/// A field that has a length.
fn part(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [&number(field * 8 + 2), &number(content.len() as u64), content].concat()
}

/// A frame of these messages.
fn frame(messages: &[Vec<u8>]) -> Vec<u8> {
    messages
        .iter()
        .flat_map(|message| [number(message.len() as u64), message.clone()].concat())
        .collect()
}

fn read(messages: &[Vec<u8>]) -> Result<Vec<Command>, DecodeError> {
    Format::Protobuf.decode(&frame(messages), 16)
}

const MALFORMED: Result<Vec<Command>, DecodeError> = Err(DecodeError::Malformed);

#[test]
fn a_frame_holds_messages_after_their_lengths() {
    let ids = |frame: &[u8]| {
        Format::Protobuf.decode(frame, 16).map(|all| all.iter().map(|c| c.id).collect::<Vec<_>>())
    };
    // connect with id 1, ping with id 300, two pongs.
    let hand = [4, 0x08, 1, 0x22, 0, 5, 0x08, 0xac, 0x02, 0x5a, 0, 0, 0];
    assert_eq!(ids(&hand), Ok(vec![1, 300, 0, 0]));
    assert_eq!(ids(&[]), Err(DecodeError::Empty));
    for cut in [1, 2, 3, 4, 6, 8, 10] {
        assert_eq!(ids(&hand[..cut]), Err(DecodeError::Malformed), "cut at {cut}");
    }
    for garbage in [&[1][..], &[0x80], &[0xff; 12], &[2, 0x08]] {
        assert_eq!(ids(&[&hand, garbage].concat()), Err(DecodeError::Malformed), "{garbage:02x?}");
    }
}

#[test]
fn only_so_many_commands_fit_into_a_frame() {
    let decode = |frame: &[u8]| Format::Protobuf.decode(frame, 16).map(|all| all.len());
    assert_eq!(decode(&[0; 16]), Ok(16));
    assert_eq!(decode(&[0; 17]), Err(DecodeError::TooMany));
    // Told before the rest is looked at.
    assert_eq!(decode(&[&[0; 16][..], &[1, 0xff]].concat()), Err(DecodeError::TooMany));
}

#[test]
fn an_id_of_0_is_for_the_pong_and_for_send() {
    assert_eq!(read(&[vec![]]), Ok(vec![Command { id: 0, request: None }]));
    assert_eq!(read(&[num(1, 0)]), Ok(vec![Command { id: 0, request: None }]));
    assert!(read(&[part(12, "")]).is_ok());
    assert!(read(&[[num(1, 1), part(12, "")].concat()]).is_ok());
    // An id alone, an unknown request, and requests without an id.
    let unknown = [num(1, 1), part(99, "")].concat();
    for bad in [num(1, 1), unknown, part(4, ""), part(7, part(1, "a")), part(11, "")] {
        assert_eq!(read(std::slice::from_ref(&bad)), MALFORMED, "{bad:02x?}");
    }
}

#[test]
fn unknown_fields_are_passed_over_wherever_they_stand() {
    // A varint, eight bytes, four bytes, a text and a group, known field numbers inside it.
    let group = [number(60 * 8 + 3), part(4, "no message"), part(13, "x"), number(60 * 8 + 4)];
    let unknown = [
        num(50, 7),
        [number(51 * 8 + 1), vec![0; 8]].concat(),
        [number(52 * 8 + 5), vec![0; 4]].concat(),
        part(53, "text"),
        group.concat(),
    ]
    .concat();
    let subscribe = part(5, [unknown.clone(), part(1, "a")].concat());
    let strange = [unknown, num(1, 3), subscribe].concat();
    let plain = [num(1, 3), part(5, part(1, "a"))].concat();
    assert_eq!(read(&[strange]), read(&[plain]));
}

#[test]
fn odd_types_are_malformed() {
    let with_id = |request: Vec<u8>| [num(1, 1), request].concat();
    for bad in [
        part(1, "1"),
        with_id(num(4, 1)),
        with_id(part(5, num(1, 1))),
        with_id(part(5, part(1, b"\xff"))),
        with_id(part(5, part(7, "1"))),
        with_id(part(7, "a")),
        with_id(part(10, num(8, 1))),
        // Field 0, and a group that does not end.
        with_id(part(0, "a")),
        with_id(number(60 * 8 + 3)),
    ] {
        assert_eq!(read(std::slice::from_ref(&bad)), MALFORMED, "{bad:02x?}");
    }
}

#[test]
fn of_several_requests_the_first_field_number_counts() {
    let all = [num(1, 1), part(15, ""), part(13, ""), part(7, ""), part(5, "")].concat();
    let command = read(&[all]).unwrap().pop().unwrap();
    assert!(matches!(command.request, Some(Request::Subscribe(_))), "{command:?}");
}

#[test]
fn numbers_take_their_whole_range() {
    let subscribe = [num(7, u64::MAX), num(14, i64::MIN.cast_unsigned())].concat();
    let history = [num(7, (-1_i64).cast_unsigned()), part(8, "")].concat();
    let commands = read(&[
        [num(1, 1), part(5, subscribe)].concat(),
        [num(1, u64::from(u32::MAX)), part(10, history)].concat(),
    ])
    .unwrap();
    let Some(Request::Subscribe(subscribe)) = &commands[0].request else { unreachable!() };
    assert_eq!((subscribe.offset, subscribe.flag), (u64::MAX, i64::MIN));
    let Some(Request::History(history)) = &commands[1].request else { unreachable!() };
    assert_eq!((commands[1].id, history.limit), (u32::MAX, -1));
    assert_eq!(history.since, Some(wire::StreamPosition::default()));
}

#[test]
fn what_a_command_may_list_is_counted_before_it_is_made() {
    let subscribe = |tf: Vec<u8>| read(&[[num(1, 1), part(5, part(13, tf))].concat()]);
    let wide = |nodes: usize| part(6, "").repeat(nodes - 1);
    let deep = |levels: usize| (1..levels).fold(Vec::new(), |inner, _| part(6, inner));
    assert!(subscribe(wide(FILTER_NODES_MAX)).is_ok());
    assert!(subscribe(deep(FILTER_DEPTH_MAX)).is_ok());
    for bad in [wide(FILTER_NODES_MAX + 1), deep(FILTER_DEPTH_MAX + 1), deep(5_000), wide(30_000)] {
        assert_eq!(subscribe(bad), MALFORMED);
    }
    let connect = |content: Vec<u8>| read(&[[num(1, 1), part(4, content)].concat()]);
    let listed = |field: u64, count: usize| {
        let entry = |n: usize| part(field, part(1, n.to_string()));
        (0..count).flat_map(entry).collect::<Vec<_>>()
    };
    assert!(connect(listed(3, SUBS_MAX)).is_ok());
    assert!(connect(listed(6, HEADERS_MAX)).is_ok());
    assert_eq!(connect(listed(3, SUBS_MAX + 1)), MALFORMED);
    assert_eq!(connect(listed(6, HEADERS_MAX + 1)), MALFORMED);
    // What stands twice is one message in Protobuf: the count goes on.
    let half = part(4, listed(3, SUBS_MAX / 2 + 1));
    assert_eq!(read(&[[num(1, 1), half.clone(), half].concat()]), MALFORMED);
    let filter = part(13, wide(FILTER_NODES_MAX / 2 + 1));
    let positions = part(4, part(3, part(2, [filter.clone(), filter].concat())));
    assert_eq!(read(&[[num(1, 1), positions].concat()]), MALFORMED);
}

#[test]
fn payloads_are_any_bytes() {
    let data = [0xff, 0x00, b'\n', b'{'];
    let publish = part(7, [part(1, "a"), part(2, data)].concat());
    let command = read(&[[num(1, 1), publish].concat()]).unwrap().pop().unwrap();
    let Some(Request::Publish(publish)) = command.request else { unreachable!() };
    assert_eq!(publish.data[..], data);
}
