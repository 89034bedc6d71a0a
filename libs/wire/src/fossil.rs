//! Patches in the delta format of the Fossil version control system, which the SDKs apply.
//!
//! A patch is the target's length, commands that copy from the base or insert text, and a checksum
//! of the target; numbers are written in base 64 with digits of their own. The work is linear in
//! both texts, whatever stands in them: each place of the target is compared with two places of the
//! base at most. No command ends within a character, so that the patch between two texts is text.
use bytes::Bytes;

/// Longest base, and longest target, that a patch is made of.
pub const PATCHED_BYTES_MAX: usize = 64 * 1024;

const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
/// Bytes that must be equal for a place in the base to be looked at.
const WINDOW: usize = 8;
/// From each place of the base that can be found to the next.
const STEP: usize = 4;
/// What the length, the checksum and one copy take at least: no shorter target is worth a patch.
const PATCH_BYTES_MIN: usize = 8;

/// The patch that makes `target` out of `base`; `None` if there is none that is shorter than
/// `target`, or if one of them is longer than [`PATCHED_BYTES_MAX`].
pub fn patch(base: &[u8], target: &[u8]) -> Option<Bytes> {
    let sizes = WINDOW..=PATCHED_BYTES_MAX;
    if !sizes.contains(&base.len()) || !sizes.contains(&target.len()) {
        return None;
    }
    if target.len() <= PATCH_BYTES_MIN {
        return None;
    }
    let places = Places::of(base);
    let mut out = Patch { target, bytes: Vec::with_capacity(target.len()), inserted: 0 };
    out.number(target.len(), b'\n');
    // How far what stands at a place of the target was shifted against the base when they last met.
    let mut shift = 0_isize;
    let mut at = 0;
    while let Some(window) = window_at(target, at) {
        if out.bytes.len() + (at - out.inserted) >= target.len() {
            return None;
        }
        let in_step = at.checked_add_signed(-shift).filter(|&from| is_at(base, from, window));
        let found = in_step.or_else(|| places.find(window).filter(|&f| is_at(base, f, window)));
        match found.map(|from| Match::around(base, target, from, at, out.inserted)) {
            Some(found) if found.pays() => {
                out.copy(&found);
                shift = found.at.cast_signed() - found.from.cast_signed();
                at = found.at + found.length;
            }
            _ => at += 1,
        }
    }
    out.insert_until(target.len());
    out.number(checksum(target) as usize, b';');
    (out.bytes.len() < target.len()).then(|| out.bytes.into())
}

/// A patch that is being written.
struct Patch<'a> {
    target: &'a [u8],
    bytes: Vec<u8>,
    /// How far the commands written so far make the target.
    inserted: usize,
}

impl Patch<'_> {
    fn number(&mut self, value: usize, command: u8) {
        let digits = digits(value);
        for place in (0..digits).rev() {
            self.bytes.push(DIGITS[value >> (6 * place) & 63]);
        }
        self.bytes.push(command);
    }

    fn insert_until(&mut self, end: usize) {
        if end > self.inserted {
            self.number(end - self.inserted, b':');
            self.bytes.extend_from_slice(&self.target[self.inserted..end]);
            self.inserted = end;
        }
    }

    fn copy(&mut self, found: &Match) {
        self.insert_until(found.at);
        self.number(found.length, b'@');
        self.number(found.from, b',');
        self.inserted = found.at + found.length;
    }
}

/// Where the target repeats the base.
struct Match {
    from: usize,
    at: usize,
    length: usize,
}

impl Match {
    /// All that is equal around two places with equal windows, not before `start` in the target,
    /// and cut to whole characters.
    fn around(base: &[u8], target: &[u8], from: usize, at: usize, start: usize) -> Self {
        let equal = |(one, other): &(&u8, &u8)| one == other;
        let before = base[..from].iter().rev().zip(target[start..at].iter().rev());
        let back = before.take_while(equal).count();
        let after = base[from + WINDOW..].iter().zip(&target[at + WINDOW..]);
        let on = WINDOW + after.take_while(equal).count();
        // Text has at most three bytes behind a character's first; what has more is no text.
        let inside = |place: usize| target.get(place).is_some_and(|byte| byte & 0xc0 == 0x80);
        let (begin, end) = (at - back, at + on);
        let skipped = (0..3).take_while(|step| inside(begin + step)).count();
        let dropped = (0..3).take_while(|step| inside(end - step)).count();
        let begin = begin + skipped;
        let length = end.saturating_sub(dropped).saturating_sub(begin);
        Self { from: from - back + skipped, at: begin, length }
    }

    /// Whether a copy is shorter than the text, also if text must be inserted anew behind it.
    fn pays(&self) -> bool {
        self.length > digits(self.length) + digits(self.from) + 2 + 3
    }
}

/// Places of the base by what stands there. One place for each key: the first.
struct Places {
    slots: Vec<u32>,
    shift: u32,
}

impl Places {
    fn of(base: &[u8]) -> Self {
        let bits = (base.len() / STEP * 2).next_power_of_two().trailing_zeros().max(4);
        let mut places = Self { slots: vec![u32::MAX; 1 << bits], shift: 64 - bits };
        for (place, from) in (0_u32..).zip((0..base.len()).step_by(STEP)) {
            let Some(window) = window_at(base, from) else { break };
            let slot = places.slot(window);
            if places.slots[slot] == u32::MAX {
                places.slots[slot] = place;
            }
        }
        places
    }

    fn slot(&self, window: u64) -> usize {
        // The golden ratio spreads keys that differ in few bits.
        (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    fn find(&self, window: u64) -> Option<usize> {
        let place = self.slots[self.slot(window)];
        (place != u32::MAX).then_some(place as usize * STEP)
    }
}

fn window_at(text: &[u8], place: usize) -> Option<u64> {
    let window = text.get(place..place + WINDOW)?;
    window.try_into().ok().map(u64::from_le_bytes)
}

fn is_at(base: &[u8], from: usize, window: u64) -> bool {
    window_at(base, from) == Some(window)
}

fn digits(value: usize) -> usize {
    (usize::BITS - value.leading_zeros()).div_ceil(6).max(1) as usize
}

/// The sum of the text's words of four bytes, the last one filled up with zeros.
fn checksum(text: &[u8]) -> u32 {
    text.chunks(4).fold(0, |sum, chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        sum.wrapping_add(u32::from_be_bytes(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_written_as_the_format_says() {
        let base = b"{\"kind\":\"score\",\"home\":1,\"guests\":0,\"minute\":17}";
        let target = b"{\"kind\":\"score\",\"home\":2,\"guests\":0,\"minute\":17}";
        let patch = patch(base, target).unwrap();
        // 48 bytes: 23 from the start, one byte, 24 from place 24; and the sum of it all.
        assert!(patch.starts_with(b"l\nN@0,1:2O@O,"), "{patch:?}");
        assert_eq!(patch.last(), Some(&b';'));
    }

    #[test]
    fn what_is_no_shorter_is_no_patch() {
        let long = vec![b'x'; PATCHED_BYTES_MAX];
        let longer = vec![b'x'; PATCHED_BYTES_MAX + 1];
        assert!(patch(&long, &long).is_some());
        assert!(patch(&long, &longer).is_none() && patch(&longer, &long).is_none());
        assert!(patch(b"", &long).is_none() && patch(&long, b"").is_none());
        assert!(patch(b"{\"a\":1,\"b\":2}", b"[3,4,5,6,7,8,9,10,11]").is_none());
        assert!(patch(b"{\"a\":100000}", b"{\"a\":100000}").is_none(), "twelve bytes are too few");
    }

    #[test]
    fn a_sum_is_over_words_of_four_bytes() {
        assert_eq!(checksum(b""), 0);
        assert_eq!(checksum(&[1]), 0x0100_0000);
        assert_eq!(checksum(&[0, 0, 0, 1, 0, 0, 1, 0, 2]), 0x0200_0101);
        assert_eq!(checksum(&[0xff; 8]), 0xffff_fffe);
    }
}
