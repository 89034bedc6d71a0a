//! Applies patches in the delta format of the Fossil version control system, as a client would.
//!
//! Written from the description of the format, and strict: what an SDK might let pass is an error.
//! It shares no code with the server, so a mistake in the format cannot cancel out.

/// The number at the front, and the byte behind it.
fn number(patch: &mut &[u8]) -> Result<(usize, u8), &'static str> {
    let mut value = 0_usize;
    loop {
        let (&byte, rest) = patch.split_first().ok_or("cut short")?;
        *patch = rest;
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'_' => 36,
            b'a'..=b'z' => byte - b'a' + 37,
            b'~' => 63,
            command => return Ok((value, command)),
        };
        value = value * 64 + usize::from(digit);
    }
}

/// Makes the target of a patch; why not, if the patch is unsound or made of another base.
pub fn apply(base: &[u8], mut patch: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (length, b'\n') = number(&mut patch)? else { return Err("no length") };
    let mut made = Vec::new();
    loop {
        let (count, command) = number(&mut patch)?;
        match command {
            b':' => {
                made.extend_from_slice(patch.get(..count).ok_or("inserts what is not there")?);
                patch = &patch[count..];
            }
            b'@' => {
                let (from, b',') = number(&mut patch)? else { return Err("no end of a copy") };
                made.extend_from_slice(base.get(from..from + count).ok_or("copies too much")?);
            }
            b';' => {
                let words = made.chunks(4).map(|word| {
                    (0..4).fold(0, |sum, i| sum << 8 | u64::from(*word.get(i).unwrap_or(&0)))
                });
                let sum = words.sum::<u64>() & 0xffff_ffff;
                let right = sum == count as u64 && made.len() == length && patch.is_empty();
                return if right { Ok(made) } else { Err("another text than was meant") };
            }
            _ => return Err("no such command"),
        }
    }
}
