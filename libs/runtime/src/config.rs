//! Config: defaults < supposed < `roomcast.toml` < environment, one section a part.
//!
//! A [`Loader`] reads all sources once; each part takes its own section out of it. Nothing is
//! reported before [`Loader::finish`], which tells every problem at once, each with the full key.
//! A section that this process does not take is not looked into, so one file serves all
//! processes; a section that no process has is a problem. Values are never shown: they may be secrets.
mod document;
mod problem;
mod secret;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use document::Document;
pub use problem::ConfigProblems;
pub use secret::{Secret, resolve};

/// Every section that some process has.
pub const SECTIONS: [&str; 9] =
    ["gateway", "auth", "rooms", "presence", "bus", "rpc", "telemetry", "ops", "roomcast"];

/// All config sources of a process, and the problems found in them so far.
#[derive(Debug)]
pub struct Loader {
    document: Document,
    problems: Vec<String>,
}

impl Loader {
    /// Reads `file`, if there is one, and this process's environment
    /// (`ROOMCAST_<SECTION>__<KEY>`, deeper keys joined by `__` again).
    ///
    /// Fails if the file cannot be read or is no TOML.
    #[expect(clippy::disallowed_methods, reason = "the one place where config is taken from there")]
    pub fn open(file: Option<PathBuf>) -> Result<Self, ConfigProblems> {
        let environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        match file {
            None => Self::from_sources("", Path::new(""), environment),
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| ConfigProblems::one(format!("{}: {error}", path.display())))?;
                Self::from_sources(&text, &path, environment)
            }
        }
    }

    /// The same from a text and given variables, for tests and for tools. `path` is only shown.
    pub fn from_sources(
        toml: &str,
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigProblems> {
        let document = Document::read(toml, path, environment)?;
        let mut problems = Vec::new();
        for section in document.sections() {
            if !SECTIONS.contains(&section.as_str()) {
                let known = SECTIONS.join(", ");
                problems.push(format!("{section}: no such section; there are {known}"));
            }
        }
        Ok(Self { document, problems })
    }

    /// Supposes a value for a key (`"ops.listen"`) that neither file nor environment gives:
    /// for a process whose defaults differ from the section's own. To be called before [`Self::section`].
    pub fn suppose(&mut self, key: &str, value: impl serde::Serialize) {
        if let Err(text) = self.document.suppose(key, value) {
            self.problems.push(format!("{key}: {text}"));
        }
    }

    /// Whether file, environment or a supposition says anything about a section.
    pub fn has(&self, section: &str) -> bool {
        self.document.sections().any(|name| name == section)
    }

    /// Whether file, environment or a supposition gives a key (`"rooms.database"`).
    pub fn gives(&self, key: &str) -> bool {
        self.document.gives(key)
    }

    /// Takes a section. `problems` looks at what serde cannot see, each text beginning with the key
    /// (`"listen: not an address"`). A key that does not fit keeps its default, and is reported by [`Self::finish`].
    pub fn section<T: DeserializeOwned + Default>(
        &mut self,
        name: &str,
        problems: fn(&T) -> Vec<String>,
    ) -> T {
        let (value, mut found) = self.document.extract::<T>(name);
        found.extend(problems(&value).into_iter().map(|text| format!("{name}.{text}")));
        self.problems.append(&mut found);
        value
    }

    /// Adds a problem that only shows across sections, or outside of them. It begins with the full key.
    pub fn report(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Ends the reading: all problems at once, or none.
    pub fn finish(&mut self) -> Result<(), ConfigProblems> {
        ConfigProblems::from_list(std::mem::take(&mut self.problems))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Gateway {
        listen: String,
        limit: u16,
        origins: Vec<String>,
        password: Option<Secret>,
        kinds: BTreeMap<String, Kind>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Kind {
        ttl_ms: u64,
    }

    impl Default for Gateway {
        fn default() -> Self {
            let listen = "127.0.0.1:8080".to_owned();
            Self { listen, limit: 7, origins: vec![], password: None, kinds: BTreeMap::new() }
        }
    }

    fn checks(gateway: &Gateway) -> Vec<String> {
        match gateway.listen.parse::<std::net::SocketAddr>() {
            Ok(_) => vec![],
            Err(_) => vec!["listen: not an address".to_owned()],
        }
    }

    fn loader(toml: &str, environment: &[(&str, &str)]) -> Loader {
        let owned = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Loader::from_sources(toml, Path::new("roomcast.toml"), owned).unwrap()
    }

    fn texts(loader: &mut Loader) -> Vec<String> {
        loader.finish().unwrap_err().iter().map(str::to_owned).collect()
    }

    #[test]
    fn environment_beats_file_beats_supposition_beats_default() {
        let toml = "[gateway]\nlisten = \"127.0.0.1:1\"\norigins = [\"a\", \"b\"]";
        let mut loader = loader(toml, &[("ROOMCAST_GATEWAY__ORIGINS", "[\"c\"]")]);
        loader.suppose("gateway.listen", "127.0.0.1:9");
        loader.suppose("gateway.limit", 9);
        let gateway: Gateway = loader.section("gateway", checks);
        loader.finish().unwrap();
        assert_eq!((gateway.listen.as_str(), gateway.limit), ("127.0.0.1:1", 9));
        assert_eq!(gateway.origins, ["c"]);
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_full_keys() {
        let toml = "[gateway]\nlisten = \"nowhere\"\nlimit = \"many\"\nlisten_port = 1\n\
                    [gateway.kinds.chat]\nttl_ms = -1\nttl = 3\n[gatway]\nlisten = \"\"";
        let mut loader = loader(toml, &[("ROOMCAST_QUEUE__NAME", "x")]);
        let _: Gateway = loader.section("gateway", checks);
        let texts = texts(&mut loader);
        for key in [
            "gatway:",
            "queue:",
            "gateway.listen: not an address",
            "gateway.limit: ",
            "gateway.listen_port: no such key",
            "gateway.kinds.chat.ttl_ms: ",
            "gateway.kinds.chat.ttl: no such key",
        ] {
            assert!(texts.iter().any(|text| text.starts_with(key)), "{key} is not in {texts:#?}");
        }
        assert_eq!(texts.len(), 7, "{texts:#?}");
    }

    #[test]
    fn a_value_that_does_not_fit_is_not_shown() {
        let mut loader = loader("[gateway]\npassword = 424242\nlimit = \"hunter2\"", &[]);
        let _: Gateway = loader.section("gateway", checks);
        let shown = texts(&mut loader).join("\n");
        assert!(!shown.contains("424242") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_environment_may_give_a_text_of_digits_and_a_list_by_commas() {
        let environment = [
            ("ROOMCAST_GATEWAY__PASSWORD", "12345"),
            ("ROOMCAST_GATEWAY__ORIGINS", "http://a:1, http://b:2"),
            ("ROOMCAST_GATEWAY__KINDS__CHAT__TTL_MS", "5"),
            ("ROOMCAST_ADMIN_KEY", "no section: not ours"),
        ];
        let mut loader = loader("", &environment);
        let gateway: Gateway = loader.section("gateway", checks);
        loader.finish().unwrap();
        let password = resolve(&gateway.password, &None).unwrap().unwrap();
        assert_eq!(secrecy::ExposeSecret::expose_secret(&password), "12345");
        assert_eq!(gateway.origins, ["http://a:1", "http://b:2"]);
        assert_eq!(gateway.kinds["chat"].ttl_ms, 5);
    }

    #[test]
    fn backslashes_in_the_environment_are_read_as_toml_or_left_as_they_are() {
        let origins = |raw: &str| {
            let mut loader = loader("", &[("ROOMCAST_GATEWAY__ORIGINS", raw)]);
            let gateway: Gateway = loader.section("gateway", |_| vec![]);
            loader.finish().map(|()| gateway.origins)
        };
        assert_eq!(origins(r#"["é\tb\\c"]"#), Ok(vec!["é\tb\\c".to_owned()]));
        // No TOML: a list by commas, each as it stands.
        assert_eq!(origins("[\"\u{feff}\\q\"]"), Ok(vec!["[\"\u{feff}\\q\"]".to_owned()]));
        assert_eq!(origins(r"a\b,é\c"), Ok(vec![r"a\b".to_owned(), r"é\c".to_owned()]));
        let two = "[\"\\t\"]\nother = 1";
        assert_eq!(origins(two), Ok(vec![two.to_owned()]));
    }

    #[test]
    fn a_section_of_another_process_is_not_looked_into() {
        let mut loader = loader("[rooms]\nwhatever = 1", &[]);
        let _: Gateway = loader.section("gateway", checks);
        loader.finish().unwrap();
    }

    #[test]
    fn a_section_that_is_no_table_is_a_problem() {
        let mut loader = loader("gateway = 3", &[]);
        let _: Gateway = loader.section("gateway", checks);
        assert_eq!(texts(&mut loader), ["gateway: is a section, so it has keys"]);
    }
}
