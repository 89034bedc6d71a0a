//! The target `protobuf_commands` for libFuzzer; what it proves is said in the library.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::protobuf_commands::run(bytes));
