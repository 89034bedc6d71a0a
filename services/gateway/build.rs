//! Makes sure of the folder of the documentation pages: one that is not there at the first build would
//! be missed by all that follow, even when they lie in it.
use std::io;

const PAGES: &str = "../../web/dist-docs";

fn main() -> io::Result<()> {
    std::fs::create_dir_all(PAGES)?;
    println!("cargo::rerun-if-changed={PAGES}");
    Ok(())
}
