//! Commands in Protobuf: never a panic, bounds kept, and what was read means the same when it is
//! written and read again, in Protobuf and, where its payloads are JSON, in JSON.
//!
//! The input's first byte says how many commands the frame may hold; the rest is the frame.
use wire::{Command, Format};

use crate::commands;
use crate::take::Take;

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut input = Take(input);
    let most = usize::from(input.byte()) + 1;
    let commands = commands::decode(Format::Protobuf, input.0, most);
    if commands.is_empty() {
        return;
    }
    commands::comes_back(Format::Protobuf, &commands);
    let carried: Option<Vec<Command>> = commands.iter().map(commands::as_json).collect();
    let frame = commands::encode(Format::Json, &commands);
    assert_eq!(carried.is_some(), frame.is_some(), "whether JSON can carry it");
    if let (Some(carried), Some(frame)) = (carried, frame) {
        let again = Format::Json.decode(&frame, commands.len());
        assert_eq!(again.as_deref(), Ok(&carried[..]));
    }
}
