//! Bytes as the unix socket reads them, in pieces as long as the first byte says.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((cut, bytes)) = bytes.split_first() {
        payecs_tests::untrusted::messages(bytes, usize::from(*cut));
    }
});
