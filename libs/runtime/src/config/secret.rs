//! A secret in the config: readable, but never shown.
//!
//! Each secret `name` has a twin `name_file`, so that it can lie in a mounted file; [`resolve`]
//! takes the one that is given. It prints and serialises as `***` everywhere.
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands for a secret wherever it would be shown.
const HIDDEN: &str = "***";
/// A file larger than this is no secret but a mistake.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A secret text of a config section.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text. Whoever calls this keeps it out of logs and errors.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The secret that is given as a value or as a file, if any.
///
/// Fails if both are given, if the file cannot be read, is empty or larger than 64 KiB. White
/// space at the end of a file is not part of the secret: editors and `echo` put it there.
pub fn resolve(
    value: &Option<Secret>,
    file: &Option<PathBuf>,
) -> anyhow::Result<Option<SecretString>> {
    let path = match (value, file) {
        (None, None) => return Ok(None),
        (Some(secret), None) => return Ok(Some(secret.0.clone())),
        (Some(_), Some(path)) => {
            anyhow::bail!("given twice: as a value and as the file {}", path.display())
        }
        (None, Some(path)) => path,
    };
    let shown = path.display();
    let read = || -> std::io::Result<String> {
        if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
            return Err(std::io::Error::other("larger than 64 KiB"));
        }
        std::fs::read_to_string(path)
    };
    let text = read().map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
    let trimmed = text.trim_end();
    anyhow::ensure!(!trimmed.is_empty(), "{shown}: is empty");
    Ok(Some(SecretString::from(trimmed)))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// In constant time is not needed: only config is compared, never what a caller sent.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    }

    #[test]
    fn a_file_gives_it_without_its_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let found = resolve(&None, &Some(path.clone())).unwrap().unwrap();
        assert_eq!(found.expose_secret(), "hunter2");
        let twice = resolve(&Some(Secret::new("a")), &Some(path.clone())).unwrap_err();
        assert!(twice.to_string().starts_with("given twice"), "{twice}");
        std::fs::write(&path, "\n").unwrap();
        assert!(resolve(&None, &Some(path.clone())).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(resolve(&None, &Some(path)).is_err());
    }
}
