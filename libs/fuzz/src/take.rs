//! Takes parts off the start of an input.

/// What is left of an input.
pub struct Take<'a>(pub &'a [u8]);

impl<'a> Take<'a> {
    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Up to so many bytes.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// What stands before the next zero byte, or all that is left.
    pub fn until_zero(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0);
        let taken = self.bytes(end.unwrap_or(self.0.len()));
        self.byte();
        taken
    }
}
