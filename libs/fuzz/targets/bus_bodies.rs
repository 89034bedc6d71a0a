//! The target `bus_bodies` for libFuzzer; what it proves is said in the library.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::bus_bodies::run(bytes));
