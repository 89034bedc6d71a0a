//! Measures a command before it is read.
//!
//! An empty message in a list costs two bytes on the wire and a hundred times as much in memory:
//! what may be listed is counted first, level by level, without anything being made. Text and
//! payloads need no count; they are as long as they stand in the frame.
use super::varint;
use crate::{DecodeError, FILTER_DEPTH_MAX, FILTER_NODES_MAX, SUBS_MAX};

/// Field numbers on the way to what is counted.
const COMMAND_CONNECT: u64 = 4;
const COMMAND_SUBSCRIBE: u64 = 5;
const CONNECT_SUBS: u64 = 3;
const ENTRY_VALUE: u64 = 2;
const SUBSCRIBE_FILTER: u64 = 13;
const FILTER_NODES: u64 = 6;

/// Refuses a command that lists more than it may.
pub(super) fn check(command: &[u8]) -> Result<(), DecodeError> {
    let mut counted = Counted::default();
    each(command, |field, value| match field {
        COMMAND_CONNECT => counted.connect(value),
        COMMAND_SUBSCRIBE => counted.subscribe(value),
        _ => Ok(()),
    })
}

/// What was counted in a command. A field that stands twice adds up, so nothing begins anew.
#[derive(Default)]
struct Counted {
    subs: usize,
    nodes: usize,
}

impl Counted {
    fn connect(&mut self, request: &[u8]) -> Result<(), DecodeError> {
        each(request, |field, entry| {
            if field != CONNECT_SUBS {
                return Ok(());
            }
            count(&mut self.subs, SUBS_MAX)?;
            each(entry, |field, value| match field {
                ENTRY_VALUE => self.subscribe(value),
                _ => Ok(()),
            })
        })
    }

    fn subscribe(&mut self, request: &[u8]) -> Result<(), DecodeError> {
        each(request, |field, value| match field {
            SUBSCRIBE_FILTER => self.filter(value, 1),
            _ => Ok(()),
        })
    }

    fn filter(&mut self, node: &[u8], depth: usize) -> Result<(), DecodeError> {
        count(&mut self.nodes, FILTER_NODES_MAX)?;
        if depth > FILTER_DEPTH_MAX {
            return Err(DecodeError::Malformed);
        }
        each(node, |field, value| match field {
            FILTER_NODES => self.filter(value, depth + 1),
            _ => Ok(()),
        })
    }
}

fn count(seen: &mut usize, most: usize) -> Result<(), DecodeError> {
    *seen += 1;
    if *seen > most { Err(DecodeError::Malformed) } else { Ok(()) }
}

/// Shows `take` the fields of a message that have a length: texts, payloads and messages.
fn each<'a>(
    mut message: &'a [u8],
    mut take: impl FnMut(u64, &'a [u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    // Groups are long out of use; what stands in one is none of the message's own fields.
    let mut groups = 0_usize;
    while !message.is_empty() {
        let key = varint::read(&mut message)?;
        match key & 7 {
            0 => {
                varint::read(&mut message)?;
            }
            1 => {
                varint::take(&mut message, 8)?;
            }
            2 => {
                let value = varint::delimited(&mut message)?;
                if groups == 0 {
                    take(key >> 3, value)?;
                }
            }
            3 => groups += 1,
            4 => groups = groups.saturating_sub(1),
            5 => {
                varint::take(&mut message, 4)?;
            }
            _ => return Err(DecodeError::Malformed),
        }
    }
    Ok(())
}
