//! The caller's deadline on the wire: `grpc-timeout`, out and in.
//!
//! The header says how long is left, so clocks need not agree. A call that comes without one gets
//! a deadline all the same: nothing waits for ever.
use std::time::Duration;

use tonic::metadata::MetadataMap;

use crate::{Call, Deadline};

/// The deadline of a call that brought none, and the longest that one may bring.
const WAIT_MAX: Duration = Duration::from_secs(30);
const HEADER: &str = "grpc-timeout";

/// The frame of an incoming call.
pub(crate) fn incoming(metadata: &MetadataMap) -> Call {
    let header = metadata.get(HEADER).and_then(|value| value.to_str().ok());
    Call { deadline: Deadline::after(header.and_then(parse).unwrap_or(WAIT_MAX).min(WAIT_MAX)) }
}

/// At most 8 digits and a unit, as the gRPC specification has it.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_as_the_specification_writes_it() {
        assert_eq!(parse("800m"), Some(Duration::from_millis(800)));
        assert_eq!(parse("3S"), Some(Duration::from_secs(3)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "m", "3", "-3S", "+3S", "123456789m", "3 S", "3é"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_a_deadline_gets_one() {
        assert_eq!(incoming(&MetadataMap::new()).deadline.left(), WAIT_MAX);
        let mut endless = MetadataMap::new();
        endless.insert(HEADER, "99999999H".parse().unwrap());
        assert_eq!(incoming(&endless).deadline.left(), WAIT_MAX);
    }
}
