//! Hashes and the secrets behind them.

use crate::{
    ParseUnitError,
    text::{Digits, as_hex},
};
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl FromStr for $name {
            type Err = ParseUnitError;

            /// Reads 64 hexadecimal digits of either case.
            fn from_str(text: &str) -> Result<Self, ParseUnitError> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| ParseUnitError { expected: $expected, got: $name::shown(text) })?;
                Ok(Self(bytes))
            }
        }
    };
}

bytes32! {
    /// SHA256 of a payment's preimage: what an HTLC is locked to (BOLT 2). 64 hexadecimal digits.
    PaymentHash, "64 hexadecimal digits (a payment hash)"
}
bytes32! {
    /// SHA256 of everything that a caller asked for. 64 hexadecimal digits.
    RequestHash, "64 hexadecimal digits (a request hash)"
}
bytes32! {
    /// What a receipt of ours is told from all others by, drawn at random: with the seed it gives
    /// the receipt's secrets. Nothing secret itself. 64 hexadecimal digits.
    ReceiptId, "64 hexadecimal digits (a receipt id)"
}
bytes32! {
    /// A secret under a key that is not here: nobody without the key learns anything from it. 64
    /// hexadecimal digits.
    Sealed, "64 hexadecimal digits (a sealed secret)"
}
bytes32! {
    /// What unlocks an HTLC, and proves that it was paid. **Secret**: `Debug` does not show it and
    /// there is no `Display`; [`Preimage::reveal`] says in the code where it is let out.
    Preimage, "64 hexadecimal digits (a preimage)"
}
bytes32! {
    /// What the payee put into the invoice so that only its payer can pay (BOLT 11, field `s`).
    /// **Secret**, like [`Preimage`].
    PaymentSecret, "64 hexadecimal digits (a payment secret)"
}

macro_rules! shown {
    ($name:ident) => {
        impl $name {
            fn shown(text: &str) -> String {
                ParseUnitError::new("", text).got
            }
        }

        as_hex!($name, 64);
    };
}
shown!(PaymentHash);
shown!(RequestHash);
shown!(ReceiptId);
shown!(Sealed);

macro_rules! secret {
    ($name:ident) => {
        impl $name {
            /// The secret as 64 lower-case hexadecimal digits. Call it only where it must go out.
            #[must_use]
            pub fn reveal(&self) -> String {
                Digits::<64>::of(&self.0).text().to_owned()
            }

            /// A secret that didn't parse is not repeated in the error.
            fn shown(text: &str) -> String {
                format!("{} characters", text.chars().count())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(Digits::<64>::of(&self.0).text())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                crate::text::read(from)
            }
        }
    };
}
secret!(Preimage);
secret!(PaymentSecret);

impl RequestHash {
    /// The hash of a request's text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

impl Preimage {
    /// The hash this preimage unlocks.
    /// ```
    /// # use payecs_units::Preimage;
    /// assert!(Preimage([0; 32]).hash().to_string().starts_with("66687aad"));
    /// ```
    #[must_use]
    pub fn hash(&self) -> PaymentHash {
        PaymentHash(Sha256::digest(self.0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_print_neither_themselves_nor_what_failed_to_be_one() {
        let preimage = Preimage([0xab; 32]);
        assert_eq!(format!("{preimage:?}"), "Preimage(…)");
        let error = "abab".parse::<Preimage>().unwrap_err();
        assert!(!error.to_string().contains("abab"), "{error}");
    }

    #[test]
    fn hashes_are_read_in_either_case_and_printed_in_lower_case() {
        let hash: PaymentHash = "AB".repeat(32).parse().unwrap();
        assert_eq!(hash.to_string(), "ab".repeat(32));
        assert!("ab".repeat(31).parse::<PaymentHash>().is_err());
    }
}
