//! What can be configured, told by the structs themselves: schema, defaults, reference page.
//!
//! One schema generator walks every section; the defaults and the page are read from what it
//! gives, so no key can be missing from them or be described twice.
use std::fmt::Write;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// How deep sections may nest; the schema itself could be endless.
const DEPTH_MAX: usize = 4;

/// Everything that can be configured.
pub struct Reference {
    schema: Value,
}

/// One key, for a page or a file.
struct Key<'a> {
    path: String,
    kind: String,
    default: Option<&'a Value>,
    about: String,
}

impl Reference {
    /// Of all sections.
    pub fn of_all() -> Self {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        let mut sections = Map::new();
        add::<gateway::GatewayConfig>(&mut generator, &mut sections, "gateway");
        add::<auth::AuthConfig>(&mut generator, &mut sections, "auth");
        add::<rooms::RoomsConfig>(&mut generator, &mut sections, "rooms");
        add::<presence::PresenceConfig>(&mut generator, &mut sections, "presence");
        add::<bus::BusConfig>(&mut generator, &mut sections, "bus");
        add::<rpc::RpcConfig>(&mut generator, &mut sections, "rpc");
        add::<runtime::telemetry::TelemetryConfig>(&mut generator, &mut sections, "telemetry");
        add::<runtime::ops::OpsConfig>(&mut generator, &mut sections, "ops");
        add::<super::RoomcastConfig>(&mut generator, &mut sections, "roomcast");
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "roomcast.toml",
            "type": "object",
            "additionalProperties": false,
            "properties": sections,
            "$defs": generator.take_definitions(true),
        });
        Self { schema }
    }

    /// As JSON Schema.
    pub fn schema(&self) -> String {
        format!("{:#}\n", self.schema)
    }

    /// As a `roomcast.toml` in which every key stands with its default, commented out if it has none.
    pub fn defaults(&self) -> String {
        let mut page = String::from(
            "# Every key with its default. An environment variable beats this file: gateway.listen is\n\
             # ROOMCAST_GATEWAY__LISTEN. `roomcast serve` supposes addresses of this machine only,\n\
             # SQLite in roomcast.data_dir and memory instead of RabbitMQ and Redis.\n",
        );
        for (name, section) in self.sections() {
            let _ = write!(page, "\n[{name}]\n");
            let mut tables = String::new();
            for key in self.keys("", section, 0) {
                lines(&mut page, &key);
            }
            self.tables(name, section, 1, &mut tables);
            page.push_str(&tables);
        }
        page
    }

    /// As a Markdown page.
    pub fn page(&self) -> String {
        let mut page = String::from(
            "# Config reference\n\nOne file, `roomcast.toml`, serves every process; each reads its own \
             sections. Later beats earlier: default, file, environment. A key `gateway.listen` is \
             the variable `ROOMCAST_GATEWAY__LISTEN`. An unknown key is an error. `roomcast config \
             check` tells all problems at once.\n",
        );
        for (name, section) in self.sections() {
            let _ = write!(page, "\n## [{name}]\n\n{}\n", about(self.resolve(section)));
            page.push_str("\n| key | kind | default | meaning |\n|---|---|---|---|\n");
            self.rows(name, section, 0, &mut page);
        }
        page
    }

    fn sections(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.schema["properties"].as_object().into_iter().flatten()
    }

    /// Follows `$ref`, and the other half of "this or null".
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(name) = schema["$ref"].as_str().and_then(|at| at.strip_prefix("#/$defs/")) {
            return self.resolve(&self.schema["$defs"][name]);
        }
        let either = schema["anyOf"].as_array().into_iter().flatten();
        match either.into_iter().find(|one| one["type"] != "null") {
            Some(one) => self.resolve(one),
            None => schema,
        }
    }

    /// The keys of a table itself, not of tables inside.
    fn keys<'a>(&'a self, prefix: &str, table: &'a Value, depth: usize) -> Vec<Key<'a>> {
        let fields = self.resolve(table)["properties"].as_object();
        let plain = fields.into_iter().flatten().filter(|(_, field)| !self.is_table(field, depth));
        plain
            .map(|(name, field)| Key {
                path: format!("{prefix}{name}"),
                kind: self.kind(field),
                default: field.get("default").filter(|value| !value.is_null()),
                about: about(field),
            })
            .collect()
    }

    fn inner<'a>(&'a self, table: &'a Value, depth: usize) -> Vec<(&'a String, &'a Value)> {
        let fields = self.resolve(table)["properties"].as_object();
        fields.into_iter().flatten().filter(|(_, field)| self.is_table(field, depth)).collect()
    }

    fn is_table(&self, field: &Value, depth: usize) -> bool {
        depth < DEPTH_MAX && self.resolve(field)["properties"].is_object()
    }

    fn tables(&self, path: &str, table: &Value, depth: usize, page: &mut String) {
        for (name, field) in self.inner(table, depth) {
            let path = format!("{path}.{name}");
            let _ = write!(page, "\n[{path}]\n");
            for key in self.keys("", field, depth) {
                lines(page, &key);
            }
            self.tables(&path, field, depth + 1, page);
        }
    }

    fn rows(&self, path: &str, table: &Value, depth: usize, page: &mut String) {
        for key in self.keys(&format!("{path}."), table, depth) {
            let default =
                key.default.map_or_else(|| "-".to_owned(), |value| format!("`{}`", toml_of(value)));
            let about = key.about.replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | {} | {default} | {about} |", key.path, key.kind);
        }
        for (name, field) in self.inner(table, depth) {
            self.rows(&format!("{path}.{name}"), field, depth + 1, page);
        }
        self.named_tables(path, table, depth, page);
    }

    /// Tables whose names are the user's, as `rooms.kinds.NAME`, and lists of tables.
    fn named_tables(&self, path: &str, table: &Value, depth: usize, page: &mut String) {
        let fields = self.resolve(table)["properties"].as_object();
        for (name, field) in fields.into_iter().flatten() {
            let field = self.resolve(field);
            let (mark, inner) = match (&field["additionalProperties"], &field["items"]) {
                (inner, _) if inner.is_object() => (".NAME", inner),
                (_, inner) if inner.is_object() => ("[]", inner),
                _ => continue,
            };
            if self.is_table(inner, depth) {
                self.rows(&format!("{path}.{name}{mark}"), inner, depth + 1, page);
            }
        }
    }

    fn kind(&self, field: &Value) -> String {
        let field = self.resolve(field);
        if let Some(words) = self.words(field) {
            return words;
        }
        let kind = match &field["type"] {
            Value::Array(kinds) => {
                kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str)
            }
            kind => kind.as_str(),
        };
        match kind.unwrap_or("any") {
            "string" if field["writeOnly"] == true => "secret".to_owned(),
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            "array" => format!("list of {}", self.kind(&field["items"])),
            "object" => "table".to_owned(),
            other => other.to_owned(),
        }
    }

    /// The words of a key that knows only some.
    fn words(&self, field: &Value) -> Option<String> {
        let mut words: Vec<&str> =
            field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let options = field["oneOf"].as_array().into_iter().flatten();
        words.extend(options.filter_map(|option| option["const"].as_str()));
        (!words.is_empty()).then(|| words.join(" \\| "))
    }
}

fn add<T: JsonSchema>(
    generator: &mut SchemaGenerator,
    sections: &mut Map<String, Value>,
    name: &str,
) {
    sections.insert(name.to_owned(), generator.subschema_for::<T>().to_value());
}

fn about(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lines(page: &mut String, key: &Key<'_>) {
    let _ = writeln!(page, "# {} ({})", key.about, key.kind.replace("\\|", "|"));
    let _ = match key.default {
        Some(value) => writeln!(page, "{} = {}", key.path, toml_of(value)),
        None => writeln!(page, "# {} =", key.path),
    };
}

/// A default as it stands in the file.
fn toml_of(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml_of).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let of = |(key, value): (&String, &Value)| format!("{key} = {}", toml_of(value));
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            format!("{{ {} }}", fields.map(of).collect::<Vec<_>>().join(", "))
        }
        // JSON's texts and numbers are TOML's too.
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::config::{Loader, SECTIONS};
    use std::path::Path;

    #[test]
    fn every_section_is_there() {
        let reference = Reference::of_all();
        for section in SECTIONS {
            assert!(reference.page().contains(&format!("\n## [{section}]\n")), "{section}");
        }
    }

    #[test]
    fn the_defaults_are_a_file_without_problems() {
        let text = Reference::of_all().defaults();
        let mut loader = Loader::from_sources(&text, Path::new("defaults"), []).unwrap();
        // Rooms alone cannot guess its database, so it has no default.
        loader.suppose("rooms.database", "sqlite://x");
        super::super::load(&mut loader);
        if let Err(problems) = loader.finish() {
            panic!("{problems}\n{text}");
        }
    }

    #[test]
    fn the_schema_is_closed() {
        let schema: Value = serde_json::from_str(&Reference::of_all().schema()).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["$defs"]["GatewayConfig"]["additionalProperties"], false);
    }
}
