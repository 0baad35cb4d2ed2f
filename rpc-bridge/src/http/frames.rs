//! Which messages of a WebSocket may be, from the heads of its frames alone.

/// Longest head of a frame.
const HEAD_BYTES_MAX: usize = 14;
/// Operation codes from here on are for control: they stand between the frames of a message.
const CONTROL: u8 = 8;
/// The bit of a frame that is masked.
const MASKED: u8 = 0x80;
/// Bytes of a mask.
const MASK_BYTES: usize = 4;

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A message is longer than may be.
    TooLarge,
    /// A frame is not masked, as those of a client must be (RFC 6455, 5.1).
    NotMasked,
}

/// Follows the frames that a client sends, without what is in them.
#[derive(Debug)]
pub(super) struct Frames {
    message_max: u64,
    /// Bytes of the message so far.
    message: u64,
    head: [u8; HEAD_BYTES_MAX],
    /// How much of the head is known.
    known: usize,
    /// Bytes of the frame that are still to come.
    left: u64,
}

impl Frames {
    pub(super) fn new(message_max: u64) -> Self {
        Self { message_max, message: 0, head: [0; HEAD_BYTES_MAX], known: 0, left: 0 }
    }

    /// Follows what came.
    ///
    /// # Errors
    /// It may not be: the connection must end.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            self.head[self.known] = bytes[0];
            self.known += 1;
            bytes = &bytes[1..];
            if self.known < 2 {
                continue;
            }
            if self.head[1] & MASKED == 0 {
                return Err(Fault::NotMasked);
            }
            if self.known < 2 + self.length_bytes() + MASK_BYTES {
                continue;
            }
            self.known = 0;
            self.left = self.payload();
            if !self.count() {
                return Err(Fault::TooLarge);
            }
        }
        Ok(())
    }

    fn length_bytes(&self) -> usize {
        match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn payload(&self) -> u64 {
        let long = &self.head[2..2 + self.length_bytes()];
        if long.is_empty() {
            return u64::from(self.head[1] & 0x7f);
        }
        long.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    /// Counts a frame whose head is known. `false`: its message is longer than may be.
    fn count(&mut self) -> bool {
        let (is_last, code) = (self.head[0] & 0x80 != 0, self.head[0] & 0x0f);
        if code >= CONTROL {
            return true;
        }
        self.message = self.message.saturating_add(self.left);
        let fits = self.message <= self.message_max;
        if is_last {
            self.message = 0;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(is_last: bool, code: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![if is_last { 0x80 | code } else { code }];
        match u16::try_from(length) {
            Ok(short @ 0..=125) => bytes.push(0x80 | short.to_be_bytes()[1]),
            Ok(length) => bytes.extend([&[0xfe][..], &length.to_be_bytes()].concat()),
            Err(_) => bytes.extend([&[0xff][..], &(length as u64).to_be_bytes()].concat()),
        }
        bytes.extend([7; 4]);
        bytes.resize(bytes.len() + length, 0xff);
        bytes
    }

    #[test]
    fn a_message_has_a_bound_in_one_frame_or_many() {
        let huge = [&[0x81, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
        for (frames, fits) in [
            (vec![frame(true, 1, 1_000)], true),
            (vec![frame(true, 1, 1_001)], false),
            (vec![frame(true, 1, 70_000)], false),
            (vec![frame(false, 1, 600), frame(true, 0, 400), frame(true, 1, 1_000)], true),
            (vec![frame(false, 1, 600), frame(true, 0, 401)], false),
            (vec![frame(false, 1, 600), frame(true, 9, 125), frame(true, 0, 400)], true),
            (vec![huge.clone()], false),
            (vec![frame(false, 1, 1_000), huge], false),
        ] {
            let found = Frames::new(1_000).follow(&frames.concat());
            assert_eq!(found, if fits { Ok(()) } else { Err(Fault::TooLarge) }, "{frames:?}");
        }
    }

    #[test]
    fn a_frame_without_a_mask_is_told_by_its_head() {
        for (bytes, found) in [
            (&[0x81][..], Ok(())),
            (&[0x81, 5], Err(Fault::NotMasked)),
            (&[0x81, 0x7e], Err(Fault::NotMasked)),
            (&[0x89, 0], Err(Fault::NotMasked)),
            (&[0x81, 0x80, 0, 0, 0, 0, 0x81, 0], Err(Fault::NotMasked)),
            (&[0x81, 0x80, 0, 0, 0, 0, 0x81, 0x80], Ok(())),
        ] {
            assert_eq!(Frames::new(1_000).follow(bytes), found, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_never_matters(
            lengths in prop::collection::vec((any::<bool>(), 0_usize..400), 1..8),
            cut in 1_usize..50,
        ) {
            let all: Vec<u8> =
                lengths.iter().flat_map(|(last, length)| frame(*last, 1, *length)).collect();
            let whole = Frames::new(700).follow(&all);
            let mut frames = Frames::new(700);
            prop_assert_eq!(all.chunks(cut).try_for_each(|some| frames.follow(some)), whole);
        }
    }
}
