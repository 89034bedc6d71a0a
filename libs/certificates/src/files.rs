//! The files as they lie on the disk, read so that they belong together.
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file larger than this is no certificate but a mistake, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How often the files are read anew because they changed meanwhile.
const READS: usize = 3;

/// Where a pair lies, and whom it believes.
#[derive(Debug, Clone)]
pub struct Paths {
    /// `certificate_file`: PEM, the certificate and those between it and its authority.
    pub certificate: PathBuf,
    /// `key_file`: PEM, its private key.
    pub key: PathBuf,
    /// `authority_file`: PEM, the authorities whose certificates the other side may show.
    pub authority: Option<PathBuf>,
}

/// What the files held at one time.
#[derive(PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) authority: Option<Vec<u8>>,
}

/// Why files are of no use: the key of the config, and a sentence. It never holds what stands in a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {why}")]
pub struct Problem {
    key: &'static str,
    why: String,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Problem {
    pub(crate) fn of_certificate(why: String) -> Self {
        Self { key: "certificate_file", why }
    }

    pub(crate) fn of_key(why: String) -> Self {
        Self { key: "key_file", why }
    }

    pub(crate) fn of_authority(why: String) -> Self {
        Self { key: "authority_file", why }
    }
}

impl Files {
    /// Reads them all. A folder that is swapped below us between the reads is read again.
    pub(crate) fn read(paths: &Paths) -> Result<Self, Problem> {
        let certificate = || read(&paths.certificate).map_err(Problem::of_certificate);
        let others = || -> Result<_, Problem> {
            let key = read(&paths.key).map_err(Problem::of_key)?;
            let authority = paths.authority.as_deref().map(authorities).transpose();
            Ok((key, authority?))
        };
        let mut before = certificate()?;
        for _ in 1..READS {
            let (key, authority) = others()?;
            let after = certificate()?;
            if before == after {
                return Ok(Self { certificate: after, key, authority });
            }
            before = after;
        }
        let (key, authority) = others()?;
        Ok(Self { certificate: before, key, authority })
    }
}

/// What a file of authorities holds.
pub(crate) fn authorities(path: &Path) -> Result<Vec<u8>, Problem> {
    read(path).map_err(Problem::of_authority)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("{shown}: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{shown}: larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}
