//! Commands in JSON: never a panic, bounds kept, and what was read means the same when it is
//! written and read again, in JSON and in Protobuf.
//!
//! The input's first byte says how many commands the frame may hold; the rest is the frame.
use wire::Format;

use crate::commands;
use crate::take::Take;

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut input = Take(input);
    let most = usize::from(input.byte()) + 1;
    let commands = commands::decode(Format::Json, input.0, most);
    if commands.is_empty() {
        return;
    }
    let frame = commands::encode(Format::Json, &commands).expect("JSON carries what it brought");
    assert_eq!(frame.iter().filter(|byte| **byte == b'\n').count(), commands.len() - 1);
    commands::comes_back(Format::Json, &commands);
    commands::comes_back(Format::Protobuf, &commands);
}
