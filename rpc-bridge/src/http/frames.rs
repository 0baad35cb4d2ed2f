//! Which messages of a WebSocket may be: how large they are, and that text is UTF-8.

/// Longest head of a frame.
const HEAD_BYTES_MAX: usize = 14;
/// Operation codes from here on are for control: they stand between the frames of a message.
const CONTROL: u8 = 8;
/// The bit of a frame that is masked.
const MASKED: u8 = 0x80;
/// Bytes of a mask.
const MASK_BYTES: usize = 4;
/// The operation code of a frame that goes on with a message.
const GOES_ON: u8 = 0;
/// The operation code of a frame that begins a text.
const TEXT: u8 = 1;
/// Bytes that are unmasked at a time.
const PIECE_BYTES: usize = 512;
/// Most bytes of a character whose end is still to come.
const CUT_BYTES_MAX: usize = 3;

/// Why nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A message is longer than may be.
    TooLarge,
    /// A frame is not masked, as those of a client must be (RFC 6455, 5.1).
    NotMasked,
    /// A text is not UTF-8 (RFC 6455, 8.1).
    NotText,
}

impl Fault {
    /// The code of the close frame that tells it (RFC 6455, 7.4.1).
    pub(super) fn close_code(self) -> u16 {
        match self {
            Self::TooLarge => 1_009,
            Self::NotMasked => 1_002,
            Self::NotText => 1_007,
        }
    }
}

/// Follows the frames that a client sends.
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
    /// The mask of the next byte, and of those after it.
    mask: [u8; MASK_BYTES],
    /// The message is a text; what of its last character came, whose end is still to come.
    text: Option<Cut>,
}

/// The beginning of a character.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    bytes: [u8; CUT_BYTES_MAX],
    known: usize,
}

impl Cut {
    /// Goes on with what follows. `None`: it is not UTF-8.
    fn follow(self, more: impl FnOnce(&mut [u8]) -> usize) -> Option<Self> {
        let mut bytes = [0; CUT_BYTES_MAX + PIECE_BYTES];
        bytes[..self.known].copy_from_slice(&self.bytes[..self.known]);
        let length = self.known + more(&mut bytes[self.known..]);
        let Err(error) = std::str::from_utf8(&bytes[..length]) else {
            return Some(Self::default());
        };
        let rest = &bytes[error.valid_up_to()..length];
        let mut cut = Self { known: rest.len(), ..Self::default() };
        // Where more may make it right, less than a character is left.
        error.error_len().is_none().then(|| cut.bytes[..rest.len()].copy_from_slice(rest))?;
        Some(cut)
    }
}

impl Frames {
    pub(super) fn new(message_max: u64) -> Self {
        let (head, mask) = ([0; HEAD_BYTES_MAX], [0; MASK_BYTES]);
        Self { message_max, message: 0, head, known: 0, left: 0, mask, text: None }
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
                self.read(&bytes[..passed])?;
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
            let mask = self.known - MASK_BYTES;
            self.mask.copy_from_slice(&self.head[mask..self.known]);
            self.known = 0;
            self.left = self.payload();
            if !self.count() {
                return Err(Fault::TooLarge);
            }
            self.read(&[])?;
        }
        Ok(())
    }

    /// Whether the frame is for control: it belongs to no message.
    fn is_control(&self) -> bool {
        self.head[0] & 0x0f >= CONTROL
    }

    /// Reads some of what is in a frame.
    fn read(&mut self, masked: &[u8]) -> Result<(), Fault> {
        let Some(mut text) = self.text.filter(|_| !self.is_control()) else { return Ok(()) };
        for piece in masked.chunks(PIECE_BYTES) {
            let mask = self.mask;
            let unmask = |into: &mut [u8]| {
                for (into, four) in into.chunks_mut(MASK_BYTES).zip(piece.chunks(MASK_BYTES)) {
                    for ((into, byte), mask) in into.iter_mut().zip(four).zip(mask) {
                        *into = byte ^ mask;
                    }
                }
                piece.len()
            };
            text = text.follow(unmask).ok_or(Fault::NotText)?;
            self.mask.rotate_left(piece.len() % MASK_BYTES);
        }
        let is_over = self.left == 0 && self.head[0] & 0x80 != 0;
        if is_over && text.known > 0 {
            return Err(Fault::NotText);
        }
        self.text = Some(text);
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
        if self.is_control() {
            return true;
        }
        if code != GOES_ON {
            self.text = (code == TEXT).then(Cut::default);
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

    /// A frame of so many letters.
    fn frame(is_last: bool, code: u8, length: usize) -> Vec<u8> {
        frame_of(is_last, code, &vec![b'x'; length])
    }

    fn frame_of(is_last: bool, code: u8, payload: &[u8]) -> Vec<u8> {
        let (mask, length) = ([1, 2, 4, 7], payload.len());
        let mut bytes = vec![if is_last { 0x80 | code } else { code }];
        match u16::try_from(length) {
            Ok(short @ 0..=125) => bytes.push(0x80 | short.to_be_bytes()[1]),
            Ok(length) => bytes.extend([&[0xfe][..], &length.to_be_bytes()].concat()),
            Err(_) => bytes.extend([&[0xff][..], &(length as u64).to_be_bytes()].concat()),
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    #[test]
    fn a_text_is_utf_8_from_its_first_frame_to_its_last() {
        let sign = "₿".as_bytes();
        let long = ["x".repeat(PIECE_BYTES - 1).as_bytes(), sign, &[b'x'; PIECE_BYTES]].concat();
        let (one, all) = (|bytes: &[u8]| vec![frame_of(true, 1, bytes)], Ok(()));
        for (frames, found) in [
            (one("{\"a\":\"₿ ñ 𝄞\"}".as_bytes()), all),
            (one(&long), all),
            (one(b"\"\xff\""), Err(Fault::NotText)),
            (one(&[&long[..], b"\xc0\x80"].concat()), Err(Fault::NotText)),
            (one(b"\xed\xa0\x80"), Err(Fault::NotText)),
            (one(&sign[..2]), Err(Fault::NotText)),
            (vec![frame_of(true, 2, b"\xff")], all),
            (vec![frame_of(true, 9, b"\xff"), frame_of(true, 1, sign)], all),
            (vec![frame_of(false, 1, &sign[..1]), frame_of(true, 0, &sign[1..])], all),
            (
                vec![
                    frame_of(false, 1, &sign[..1]),
                    frame_of(true, 9, b"\xff"),
                    frame_of(false, 0, b""),
                    frame_of(true, 0, &sign[1..]),
                ],
                all,
            ),
            (vec![frame_of(false, 1, &sign[..1]), frame_of(true, 0, b"")], Err(Fault::NotText)),
            (vec![frame_of(false, 1, &sign[..1]), frame_of(true, 0, b"x")], Err(Fault::NotText)),
            (vec![frame_of(false, 2, b"\xff"), frame_of(true, 0, b"\xff")], all),
            (vec![frame_of(true, 2, b"\xff"), frame_of(true, 1, b"\xff")], Err(Fault::NotText)),
        ] {
            for cut in [1, 2, 3, 7, usize::MAX] {
                let mut follow = Frames::new(10_000);
                let bytes = frames.concat();
                let told = bytes.chunks(cut).try_for_each(|some| follow.follow(some));
                assert_eq!(told, found, "{frames:?} cut by {cut}");
            }
        }
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
