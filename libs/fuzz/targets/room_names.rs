//! The target `room_names` for libFuzzer; what it proves is said in the library.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::room_names::run(bytes));
