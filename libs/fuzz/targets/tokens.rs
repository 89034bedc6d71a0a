//! The target `tokens` for libFuzzer; what it proves is said in the library.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::tokens::run(bytes));
