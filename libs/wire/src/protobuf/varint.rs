//! Varints, and what is preceded by its length as one.
use crate::{DecodeError, Prefix};

/// A length as it stands before its message.
pub(crate) fn length(bytes: usize) -> Prefix {
    write(bytes as u64)
}

/// A number as a varint: at most ten bytes.
pub(super) fn write(mut value: u64) -> Prefix {
    let mut out = Prefix::empty();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// Takes a varint off the start of `bytes`; one that is cut short or exceeds 64 bits is malformed.
pub(super) fn read(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DecodeError::Malformed)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(DecodeError::Malformed);
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(DecodeError::Malformed)
}

/// Takes so many bytes off the start of `bytes`.
pub(super) fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], DecodeError> {
    let length = usize::try_from(length).map_err(|_| DecodeError::Malformed)?;
    let (taken, rest) = bytes.split_at_checked(length).ok_or(DecodeError::Malformed)?;
    *bytes = rest;
    Ok(taken)
}

/// Takes a length and as many bytes off the start of `bytes`.
pub(super) fn delimited<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = read(bytes)?;
    take(bytes, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back_as_it_was() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let written = write(value);
            let mut bytes = &written[..];
            assert_eq!((read(&mut bytes), bytes.len()), (Ok(value), 0), "{value}");
        }
        assert_eq!(&write(300)[..], [0xac, 0x02]);
        assert_eq!(write(u64::MAX).len(), 10);
    }

    #[test]
    fn what_is_cut_short_or_too_large_is_malformed() {
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        for bad in [&[][..], &[0x80], &[0xff; 9], &[0xff; 11], &too_large] {
            assert_eq!(read(&mut { bad }), Err(DecodeError::Malformed), "{bad:02x?}");
        }
        for bad in [&[1][..], &[3, 1, 2], &[0xff, 0xff, 0xff, 0xff, 0x0f, 1], &write(u64::MAX)] {
            assert_eq!(delimited(&mut { bad }), Err(DecodeError::Malformed), "{bad:02x?}");
        }
        let mut two = &[1, 7, 0][..];
        assert_eq!((delimited(&mut two), delimited(&mut two)), (Ok(&[7][..]), Ok(&[][..])));
    }
}
