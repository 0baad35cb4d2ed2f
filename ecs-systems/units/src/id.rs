//! Names of nodes, channels, groups and parts.

use crate::{
    ParseUnitError,
    text::{as_hex, serde_as_text},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A node's public key, compressed: 66 hexadecimal digits. Whether it is a point on the curve is
/// not checked here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 33]);

impl FromStr for NodeId {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let mut bytes = [0; 33];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if matches!(bytes[0], 2 | 3) => Ok(Self(bytes)),
            _ => Err(ParseUnitError::new("66 hexadecimal digits that begin 02 or 03", text)),
        }
    }
}

as_hex!(NodeId, 66);

/// A channel by the place of its funding output: `BLOCKxTXINDEXxOUTPUT` (BOLT 7), packed into 64
/// bits as on the wire: 24 bits of block, 24 of transaction, 16 of output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortChannelId(pub u64);

impl FromStr for ShortChannelId {
    type Err = ParseUnitError;

    /// ```
    /// # use payecs_units::ShortChannelId;
    /// assert_eq!("1x2x3".parse(), Ok(ShortChannelId(1 << 40 | 2 << 16 | 3)));
    /// ```
    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        scid(text).ok_or_else(|| ParseUnitError::new("a short channel id `BxTxO`", text))
    }
}

fn scid(text: &str) -> Option<ShortChannelId> {
    let mut fields = text.split('x');
    let (block, transaction, output) = (fields.next()?, fields.next()?, fields.next()?);
    let digits = |field: &str| field.bytes().all(|byte| byte.is_ascii_digit());
    if fields.next().is_some() || !(digits(block) && digits(transaction) && digits(output)) {
        return None;
    }
    let block = block.parse::<u64>().ok().filter(|block| *block < 1 << 24)?;
    let transaction = transaction.parse::<u64>().ok().filter(|index| *index < 1 << 24)?;
    let output = output.parse::<u16>().ok()?;
    Some(ShortChannelId(block << 40 | transaction << 16 | u64::from(output)))
}

impl fmt::Display for ShortChannelId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(Places::of(*self).text())
    }
}

impl fmt::Debug for ShortChannelId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
serde_as_text!(ShortChannelId);

/// A channel's text. It is written many times for each payment: no formatter takes part.
struct Places {
    text: [u8; Self::BYTES_MAX],
    length: usize,
}

impl Places {
    /// Two numbers of 24 bits, one of 16, a direction, and what is between them.
    const BYTES_MAX: usize = 8 + 1 + 8 + 1 + 5 + 1 + 1;

    fn of(ShortChannelId(scid): ShortChannelId) -> Self {
        let begun = Self { text: [0; Self::BYTES_MAX], length: 0 };
        let block = begun.number(scid >> 40).then(b'x');
        block.number(scid >> 16 & 0xff_ffff).then(b'x').number(scid & 0xffff)
    }

    fn then(mut self, byte: u8) -> Self {
        self.text[self.length] = byte;
        self.length = self.length.saturating_add(1);
        self
    }

    fn number(mut self, mut number: u64) -> Self {
        let start = self.length;
        loop {
            let digit = u32::try_from(number % 10).ok().and_then(|it| char::from_digit(it, 10));
            self = self.then(u8::try_from(digit.expect("below 10")).expect("an ASCII digit"));
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.text[start..self.length].reverse();
        self
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.text[..self.length]).expect("digits are ASCII")
    }
}

/// Which way through a channel: 0 from the node with the lesser id, 1 from the other (BOLT 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the lexicographically lesser node id to the greater.
    Zero,
    /// From the greater to the lesser.
    One,
}

impl Direction {
    /// The direction of an HTLC that goes from `from` to `to`.
    #[must_use]
    pub fn between(from: &NodeId, to: &NodeId) -> Self {
        if from < to { Self::Zero } else { Self::One }
    }

    /// The other direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Zero => Self::One,
            Self::One => Self::Zero,
        }
    }

    /// 0 or 1.
    #[must_use]
    pub fn bit(self) -> u8 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
        }
    }
}

/// One direction of a channel: `BxTxO/D`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelDirection {
    /// The channel.
    pub scid: ShortChannelId,
    /// Which way through it.
    pub direction: Direction,
}

impl FromStr for ChannelDirection {
    type Err = ParseUnitError;

    fn from_str(text: &str) -> Result<Self, ParseUnitError> {
        let error = || ParseUnitError::new("a channel direction `BxTxO/D`", text);
        let (channel, direction) = text.split_once('/').ok_or_else(error)?;
        let direction = match direction {
            "0" => Direction::Zero,
            "1" => Direction::One,
            _ => return Err(error()),
        };
        Ok(Self { scid: scid(channel).ok_or_else(error)?, direction })
    }
}

impl fmt::Display for ChannelDirection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(Places::of(self.scid).then(b'/').number(self.direction.bit().into()).text())
    }
}

impl fmt::Debug for ChannelDirection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
serde_as_text!(ChannelDirection);

/// All parts of one attempt to pay a hash, over all its rounds: 63 random bits, chosen by the
/// payer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct GroupId(pub u64);

impl fmt::Display for GroupId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// One part of a group, counted from 1 and never used twice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PartId(pub u64);

impl fmt::Display for PartId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn identifiers_refuse_what_they_are_not() {
        for text in ["", "1x2", "1x2x3x4", "16777216x0x0", "0x16777216x0", "0x0x65536", "1x+2x3"] {
            assert!(text.parse::<ShortChannelId>().is_err(), "{text}");
        }
        for text in ["1x2x3", "1x2x3/2", "1x2x3/", "/0"] {
            assert!(text.parse::<ChannelDirection>().is_err(), "{text}");
        }
        assert!("04".repeat(33).parse::<NodeId>().is_err());
        assert!("02".repeat(33).parse::<NodeId>().is_ok());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(packed: u64) {
            let scid = ShortChannelId(packed);
            prop_assert_eq!(scid.to_string().parse(), Ok(scid));
            for direction in [Direction::Zero, Direction::One] {
                let there = ChannelDirection { scid, direction };
                prop_assert_eq!(there.to_string().parse(), Ok(there));
            }
        }
    }
}
