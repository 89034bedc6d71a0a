//! Compiles `proto/roomcast` into Rust, without protoc, and keeps the descriptors for reflection.
use std::path::Path;
use std::{env, fs};

const ROOT: &str = "../../proto";
const FILES: [&str; 10] = [
    "roomcast/core/v1/control.proto",
    "roomcast/core/v1/error.proto",
    "roomcast/core/v1/item.proto",
    "roomcast/core/v1/principal.proto",
    "roomcast/event/v1/event.proto",
    "roomcast/auth/v1/auth.proto",
    "roomcast/rooms/v1/rooms.proto",
    "roomcast/presence/v1/presence.proto",
    "roomcast/gateway/v1/gateway.proto",
    "roomcast/admin/v1/admin.proto",
];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script by the environment alone"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let mut compiler = protox::Compiler::new([ROOT])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    // Payloads are `Bytes`: a body is never copied on its way to the sockets.
    tonic_prost_build::configure()
        .bytes(".")
        // In one order, so that the same message has the same bytes.
        .btree_map(".")
        // A session is a secret, which no log may show by mistake.
        .skip_debug(["roomcast.gateway.v1.EmulateRequest"])
        .include_file("packages.rs")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
