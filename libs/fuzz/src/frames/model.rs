//! RFC 6455 read plainly, from a whole stream at once: the second parser.
//!
//! It shares nothing with the product but the limits and the codes; it is slow, and it copies.
use gateway::connection::guard::GuardLimits;
use gateway::connection::source::Arrival;
use wire::CloseCode;

/// A message, or a control frame that closes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Text that is UTF-8.
    Text(Vec<u8>),
    /// Any bytes.
    Binary(Vec<u8>),
    /// A ping and its payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
}

/// What a stream says.
pub struct Read {
    /// In order.
    pub told: Vec<Told>,
    /// A refusal, a close, or `Lost` for a stream that just ends.
    pub end: Arrival,
    /// Whether the refusal is for what a payload holds, and not for a header.
    pub of_content: bool,
}

struct Frame {
    fin: bool,
    opcode: u8,
    payload: Vec<u8>,
    /// Header and payload.
    bytes: usize,
}

/// Why there is no frame.
enum Stop {
    /// The stream ends first.
    Short,
    Refused(CloseCode),
}

/// Reads a stream to its end.
pub fn read(stream: &[u8], limits: GuardLimits) -> Read {
    let mut told = Vec::new();
    let mut at = 0;
    // The message that is begun: its opcode, its fragments so far and their payload.
    let mut begun: Option<(u8, u32, Vec<u8>)> = None;
    let end = |told, end, of_content| Read { told, end, of_content };
    loop {
        let frame = match frame(&stream[at..], begun.as_ref(), limits) {
            Ok(frame) => frame,
            Err(Stop::Short) => return end(told, Arrival::Lost, false),
            Err(Stop::Refused(code)) => return end(told, Arrival::Refused(code), false),
        };
        at += frame.bytes;
        match frame.opcode {
            8 => {
                return match closed(&frame.payload) {
                    Ok(code) => end(told, Arrival::Closed(code), false),
                    Err(()) => end(told, Arrival::Refused(CloseCode::Protocol), true),
                };
            }
            9 => told.push(Told::Ping(frame.payload)),
            10 => told.push(Told::Pong),
            _ => {
                let (opcode, fragments, mut message) =
                    begun.take().unwrap_or((frame.opcode, 0, Vec::new()));
                message.extend(frame.payload);
                if !frame.fin {
                    begun = Some((opcode, fragments + 1, message));
                } else if opcode == 2 {
                    told.push(Told::Binary(message));
                } else if std::str::from_utf8(&message).is_ok() {
                    told.push(Told::Text(message));
                } else {
                    return end(told, Arrival::Refused(CloseCode::InvalidText), true);
                }
            }
        }
    }
}

fn frame(
    stream: &[u8],
    begun: Option<&(u8, u32, Vec<u8>)>,
    limits: GuardLimits,
) -> Result<Frame, Stop> {
    let [first, second, rest @ ..] = stream else { return Err(Stop::Short) };
    let (fin, opcode, short) = (first >> 7 == 1, first & 15, second & 127);
    let control = opcode >= 8;
    let in_order = match opcode {
        0 => begun.is_some(),
        1 | 2 => begun.is_none(),
        8..=10 => fin && short <= 125 && !(opcode == 8 && short == 1),
        _ => false,
    };
    if !in_order || first & 0x70 != 0 || second >> 7 == 0 {
        return Err(Stop::Refused(CloseCode::Protocol));
    }
    let width = [2, 8].into_iter().nth(usize::from(short).wrapping_sub(126)).unwrap_or(0);
    let digits = rest.get(..width).ok_or(Stop::Short)?;
    let mut length = u128::from(short);
    if width > 0 {
        length = digits.iter().fold(0, |sum, digit| sum * 256 + u128::from(*digit));
    }
    let (fragments, held) = begun.map_or((0, 0), |(_, fragments, held)| (*fragments, held.len()));
    let too_big = held as u128 + length > limits.message_bytes_max as u128;
    if !control && (too_big || fragments >= limits.fragments_max) {
        return Err(Stop::Refused(CloseCode::TooBig));
    }
    let rest = &rest[width..];
    let whole = 4 + length as usize;
    if rest.len() < whole {
        return Err(Stop::Short);
    }
    let (mask, masked) = rest[..whole].split_at(4);
    let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Ok(Frame { fin, opcode, payload, bytes: 2 + width + whole })
}

/// The code of a close frame, if it may stand there and its reason is text.
fn closed(payload: &[u8]) -> Result<Option<u16>, ()> {
    let [high, low, reason @ ..] = payload else { return Ok(None) };
    let code = u16::from(*high) * 256 + u16::from(*low);
    let legal = match code {
        1004..=1006 | 1015 => false,
        1000..=1014 | 3000..=4999 => true,
        _ => false,
    };
    if legal && std::str::from_utf8(reason).is_ok() { Ok(Some(code)) } else { Err(()) }
}
