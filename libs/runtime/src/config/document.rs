//! The merged sources as one tree of values, and how a section is taken out of it.
//!
//! Serde stops at the first error of a struct. To find all of them, a key that does not fit is
//! noted and taken out of the tree, and the section is read again until it fits; each round
//! removes a key, so the rounds are bounded by the keys. figment stays inside this file.
use std::collections::BTreeMap;
use std::path::Path;

use figment::error::{Actual, Kind};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Profile, Provider};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::{ConfigProblems, sentence};

/// Variables that begin so are config if they also hold [`DEEPER`].
const PREFIX: &str = "ROOMCAST_";
/// Stands between a section and its key in a variable's name.
const DEEPER: &str = "__";

/// All sources, merged.
#[derive(Debug)]
pub(super) struct Document {
    tree: Dict,
    /// Raw text of what the environment gave, by dotted key: only there a type is guessed.
    environment: BTreeMap<String, String>,
    path: String,
}

impl Document {
    /// Merges a TOML text and variables.
    pub(super) fn read(
        toml: &str,
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigProblems> {
        let path = path.display().to_string();
        let of_file = |text: String| ConfigProblems::one(format!("{path}: {text}"));
        let mut merged = Figment::from(Toml::string(toml));
        let mut environment = BTreeMap::new();
        for (name, raw) in variables {
            let Some(key) = dotted(&name) else { continue };
            merged = merged.merge(Serialized::default(&key, guess(&raw)));
            environment.insert(key, raw);
        }
        let tree = default_profile(&merged).map_err(of_file)?;
        Ok(Self { tree, environment, path })
    }

    /// Puts a value where nothing stands.
    pub(super) fn suppose(&mut self, key: &str, value: impl Serialize) -> Result<(), String> {
        let supposed = Figment::from(Serialized::default(key, value));
        let below = default_profile(&supposed)?;
        fill(&mut self.tree, below);
        Ok(())
    }

    /// Names of the sections that some source mentions.
    pub(super) fn sections(&self) -> impl Iterator<Item = &String> {
        self.tree.keys()
    }

    /// Whether something stands at a dotted key.
    pub(super) fn gives(&self, key: &str) -> bool {
        let mut words = key.split('.');
        let first = words.next().and_then(|word| self.tree.get(word));
        words.try_fold(first, |value, word| Some(value?.as_dict()?.get(word))).flatten().is_some()
    }

    /// Reads a section; what does not fit is left at its default and told.
    pub(super) fn extract<T: DeserializeOwned + Default>(&self, name: &str) -> (T, Vec<String>) {
        let mut section = match self.tree.get(name) {
            None => return (T::default(), vec![]),
            Some(Value::Dict(_, dict)) => dict.clone(),
            Some(_) => {
                return (T::default(), vec![format!("{name}: is a section, so it has keys")]);
            }
        };
        let mut problems = Vec::new();
        loop {
            let error = match T::deserialize(&Value::from(section.clone())) {
                Ok(value) => return (value, problems),
                Err(error) => error,
            };
            let key = format!("{name}.{}", error.path.join("."));
            if let Some(raw) = self.environment.get(&key)
                && let Some(guess) = guess_again(raw, &error.kind)
            {
                put(&mut section, &error.path, guess);
                continue;
            }
            problems.push(format!("{key}: {}{}", sentence(&error.kind), self.source(&key)));
            if !take(&mut section, &error.path) {
                return (T::default(), problems);
            }
        }
    }

    fn source(&self, key: &str) -> String {
        if self.environment.contains_key(key) {
            let variable = key.replace('.', DEEPER).to_uppercase();
            format!(" (environment {PREFIX}{variable})")
        } else if self.path.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.path)
        }
    }
}

/// `ROOMCAST_GATEWAY__LISTEN` -> `gateway.listen`. Others (`ROOMCAST_ADMIN_KEY`, what Kubernetes
/// sets for a Service of ours) hold no `__` and are not config.
fn dotted(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(PREFIX)?;
    name.contains(DEEPER).then(|| name.to_lowercase().replace(DEEPER, "."))
}

/// What a variable says. figment's reading, for which words need no quotes, is not asked about backslashes:
/// it counts characters where it cuts bytes, and panics. There TOML is read, and all else is a text.
fn guess(raw: &str) -> Value {
    if !raw.contains('\\') {
        return match raw.parse() {
            Ok(value) => value,
            Err(never) => match never {},
        };
    }
    let document = Figment::from(Toml::string(&format!("value = {raw}")));
    match default_profile(&document) {
        Ok(mut values) if values.len() == 1 => values.remove("value"),
        _ => None,
    }
    .unwrap_or_else(|| Value::from(raw))
}

/// A variable has no type: digits may be meant as a text, and a text as a list.
fn guess_again(raw: &str, kind: &Kind) -> Option<Value> {
    let Kind::InvalidType(actual, expected) = kind else { return None };
    match actual {
        Actual::Str(_) if expected.contains("sequence") => {
            let items = raw.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::from(items.map(Value::from).collect::<Vec<_>>()))
        }
        Actual::Str(_) => None,
        _ if expected.contains("string") => Some(Value::from(raw)),
        _ => None,
    }
}

fn default_profile(figment: &Figment) -> Result<Dict, String> {
    let mut profiles = figment.data().map_err(|error| error.to_string())?;
    Ok(profiles.remove(&Profile::Default).unwrap_or_default())
}

fn fill(above: &mut Dict, below: Dict) {
    for (key, value) in below {
        match (above.get_mut(&key), value) {
            (None, value) => {
                above.insert(key, value);
            }
            (Some(Value::Dict(_, inner)), Value::Dict(_, below)) => fill(inner, below),
            (Some(_), _) => {}
        }
    }
}

fn put(dict: &mut Dict, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            dict.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            if let Some(Value::Dict(_, inner)) = dict.get_mut(key) {
                put(inner, rest, value);
            }
        }
    }
}

/// Takes the deepest key of `path` out; an element of a list takes the list with it.
fn take(dict: &mut Dict, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else { return false };
    match dict.get_mut(key) {
        Some(Value::Dict(_, inner)) if !rest.is_empty() => take(inner, rest),
        _ => dict.remove(key).is_some(),
    }
}
