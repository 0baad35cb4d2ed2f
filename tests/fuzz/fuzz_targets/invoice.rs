//! Invoices: the prefix on the first line, then the data in BOLT 11's letters, without a checksum;
//! or a whole invoice on the first line.

#![no_main]

use libfuzzer_sys::fuzz_target;

/// The letters of BOLT 11, each for five bits.
const LETTERS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fuzz_target!(|text: &str| {
    let (prefix, data) = text.split_once('\n').unwrap_or((text, ""));
    let group = |byte| LETTERS.iter().position(|letter| *letter == byte);
    let groups = data.bytes().map(|byte| group(byte).map_or(byte, |at| at as u8));
    payecs_tests::untrusted::invoice(prefix, &groups.collect::<Vec<u8>>());
});
