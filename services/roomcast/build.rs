//! Makes sure of the page's folder: one that is not there at the first build would be missed by all
//! that follow, even when the page lies in it.
use std::io;

const PAGE: &str = "../../web/dist";

fn main() -> io::Result<()> {
    std::fs::create_dir_all(PAGE)?;
    println!("cargo::rerun-if-changed={PAGE}");
    Ok(())
}
