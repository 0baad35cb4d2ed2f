//! Bytes as a plugin's stdin brings them, in pieces as long as the first byte says.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((cut, bytes)) = bytes.split_first() {
        payecs_tests::untrusted::piped(bytes, usize::from(*cut));
    }
});
