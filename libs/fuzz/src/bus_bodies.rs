//! Bodies from the broker: never a panic; what is let in keeps the log's rules, and comes back as
//! it was when it is written and read again.
//!
//! The input's first byte chooses the exchange; the rest is the body.
use bus::{decode_direct, decode_room, decode_system, encode_direct, encode_room, encode_system};
use bytes::Bytes;
use domain::{Body, INFO_BYTES_MAX, Item, MESSAGE_BYTES_MAX, RoomTraffic, Signal, TAGS_MAX};

use crate::take::Take;

/// Runs one input.
pub fn run(input: &[u8]) {
    let mut input = Take(input);
    let kind = input.byte() % 3;
    let body = Bytes::copy_from_slice(input.0);
    match kind {
        0 => {
            let Ok(Some(event)) = decode_room(body) else { return };
            traffic(&event.traffic);
            let again = decode_room(encode_room(event.clone()).into());
            assert_eq!(again, Ok(Some(event)));
        }
        1 => {
            let Ok(Some(event)) = decode_system(body) else { return };
            let again = decode_system(encode_system(event.clone()).into());
            assert_eq!(again, Ok(Some(event)));
        }
        _ => {
            let Ok(Some(event)) = decode_direct(body) else { return };
            let again = decode_direct(encode_direct(event.clone()).into());
            assert_eq!(again, Ok(Some(event)));
        }
    }
}

fn traffic(traffic: &RoomTraffic) {
    match traffic {
        RoomTraffic::Items(batch) => {
            let first = batch.items.first().expect("a batch has items").offset;
            assert!(first > 0, "offsets begin at 1");
            for (index, item) in batch.items.iter().enumerate() {
                assert_eq!(Some(item.offset), first.checked_add(index as u64));
                bounded(item);
            }
        }
        RoomTraffic::Ephemeral(items) => {
            assert!(!items.is_empty());
            for item in items {
                assert_eq!(item.offset, 0);
                bounded(item);
            }
        }
        RoomTraffic::Signals(signals) => {
            assert!(!signals.is_empty());
            for signal in signals {
                let (Signal::Join(who) | Signal::Leave(who)) = signal;
                assert!(who.info.len() <= INFO_BYTES_MAX && who.room_info.len() <= INFO_BYTES_MAX);
            }
        }
    }
}

fn bounded(item: &Item) {
    assert!((8..=64).contains(&item.message_id.as_str().len()));
    if let Body::Message { sender, data, tags, .. } = &item.body {
        assert!(data.len() <= MESSAGE_BYTES_MAX && tags.as_map().len() <= TAGS_MAX);
        if let Some(sender) = sender {
            let (info, room_info) = (sender.info.len(), sender.room_info.len());
            assert!(info <= INFO_BYTES_MAX && room_info <= INFO_BYTES_MAX);
        }
    }
}
