//! Rules about whole files: name, size, and the first words of each Rust file.
use super::{Finding, Source};

/// A file longer than this is two files.
const LINES_MAX: usize = 500;
/// Where the length counts: what people write and read.
const WRITTEN: [&str; 14] = [
    "rs", "ts", "tsx", "js", "mjs", "css", "proto", "py", "sh", "sql", "toml", "yaml", "yml", "tpl",
];
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["util", "utils", "common", "commons", "helper", "helpers", "manager", "misc"];

/// Files that a program wrote, or that pin bytes: their size and words are not ours to choose.
pub(super) fn is_generated(path: &str) -> bool {
    let parts = || path.split('/');
    let name = parts().next_back().unwrap_or_default();
    parts().any(|part| matches!(part, "generated" | "golden" | "snapshots" | "rendered" | "corpus"))
        || path.starts_with("docs/reference/")
        || matches!(name, "Cargo.lock" | "package-lock.json" | "LICENSE")
        || name.ends_with(".snap")
        || name.ends_with(".svg")
}

/// Rules about a path.
pub(super) fn name(path: &str, findings: &mut Vec<Finding>) {
    let mut add = |what: String, why| {
        findings.push(Finding { path: path.to_owned(), line: 1, what, why });
    };
    if path.ends_with("/mod.rs") {
        add("mod.rs".to_owned(), "a module is foo.rs beside foo/, so that a tab shows its name");
    }
    // Helm's own word for its shared templates.
    if path.ends_with("/_helpers.tpl") {
        return;
    }
    for part in path.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        let words = stem.split(['-', '_']).map(str::to_lowercase);
        if let Some(word) = words.into_iter().find(|word| EMPTY_NAMES.contains(&word.as_str())) {
            add(format!("{word} in a name"), "say what it holds, not that it is useful");
        }
    }
}

/// Rules about a file as a whole.
pub(super) fn check(source: &Source<'_>, findings: &mut Vec<Finding>) {
    let lines = source.text.lines().count();
    if lines > LINES_MAX && WRITTEN.iter().any(|ending| source.is(ending)) {
        let what = format!("{lines} lines");
        findings.push(source.finding(LINES_MAX + 1, what, "500 at most: split it by concept"));
    }
    if source.is("rs") && !source.text.starts_with("//!") {
        let why = "a file begins with what it owns, what it promises, what it does not do";
        findings.push(source.finding(1, "no //! at the start", why));
    }
}

#[cfg(test)]
mod tests {
    use super::super::of;
    use super::*;

    fn names(path: &str) -> Vec<String> {
        let mut findings = Vec::new();
        name(path, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_long_file_is_found_and_a_generated_one_is_not() {
        let long = format!("//! Doc.\n{}", "x\n".repeat(500));
        let found = of(check, "libs/a/src/lib.rs", &long);
        assert_eq!(found, ["libs/a/src/lib.rs:501: 501 lines: 500 at most: split it by concept"]);
        assert_eq!(of(check, "docs/x.md", &long), Vec::<String>::new());
        let fits = format!("//! Doc.\n{}", "x\n".repeat(499));
        assert_eq!(of(check, "libs/a/src/lib.rs", &fits), Vec::<String>::new());
        assert!(is_generated("libs/wire/tests/golden/a.json"));
        assert!(is_generated("Cargo.lock"));
        assert!(!is_generated("libs/wire/src/json.rs"));
    }

    #[test]
    fn a_rust_file_without_its_doc_is_found() {
        assert_eq!(of(check, "libs/a/src/a.rs", "use b;\n").len(), 1);
        assert_eq!(of(check, "libs/a/src/a.rs", "//! It owns b.\n").len(), 0);
        assert_eq!(of(check, "web/src/a.ts", "import b;\n").len(), 0);
    }

    #[test]
    fn names_that_say_nothing_are_found() {
        assert!(names("libs/a/src/b/mod.rs")[0].contains(": mod.rs: "));
        for path in ["libs/a/src/utils.rs", "web/src/common/x.ts", "libs/a/src/room_manager.rs"] {
            assert_eq!(names(path).len(), 1, "{path}");
        }
        for path in ["libs/a/src/commit.rs", "helm/roomcast/templates/_helpers.tpl"] {
            assert_eq!(names(path).len(), 0, "{path}");
        }
    }
}
