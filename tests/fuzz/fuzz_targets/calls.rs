//! Calls of the method table, one on each line, in a fresh engine.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| payecs_tests::untrusted::calls(text));
