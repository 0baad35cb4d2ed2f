//! Plans over what strangers announce: a question, a network, and what comes of each part.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| payecs_tests::untrusted::planned(bytes));
