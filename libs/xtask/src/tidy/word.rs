//! Rules about words: what must not stand in a source, and whose name a thing has.
//!
//! The glossary (`docs/GLOSSARY.md`) is checked where a word has one meaning only; a word with
//! an everyday meaning of its own ("client", "group") is left to reviewers. The words are put
//! together here from halves, so that this file does not find itself.
use super::{Finding, Source};

/// A text that must not stand in certain files.
struct Ban {
    needle: &'static str,
    /// Whether the needle counts only as a whole word, in any case of its letters.
    word: bool,
    endings: &'static [&'static str],
    /// Folders where it may stand.
    except: &'static [&'static str],
    why: &'static str,
}

const RUST: &[&str] = &["rs"];
const CODE: &[&str] = &["rs", "ts", "tsx", "js", "mjs", "proto", "sql", "sh", "yaml", "toml"];
const ALL: &[&str] = &[
    "rs", "ts", "tsx", "js", "mjs", "proto", "sql", "sh", "yaml", "yml", "toml", "md", "tpl", "py",
];
const NAMES: &[&str] = &["rs", "proto", "sql"];

const BANS: [Ban; 12] = [
    Ban {
        needle: concat!("#[", "allow("),
        word: false,
        endings: RUST,
        except: &[],
        why: "write #[expect(…, reason)]: it speaks up when it is no longer needed",
    },
    Ban {
        needle: concat!("#![", "allow("),
        word: false,
        endings: RUST,
        except: &[],
        why: "write #[expect(…, reason)] where it is needed",
    },
    Ban {
        needle: concat!("TO", "DO"),
        word: true,
        endings: CODE,
        except: &[],
        why: "finish it, or open an issue and leave no trace here",
    },
    Ban {
        needle: concat!("FIX", "ME"),
        word: true,
        endings: CODE,
        except: &[],
        why: "finish it, or open an issue and leave no trace here",
    },
    Ban {
        needle: concat!("HA", "CK"),
        word: true,
        endings: CODE,
        except: &[],
        why: "say what it works round and why",
    },
    Ban {
        needle: concat!("/wo", "rk/"),
        word: false,
        endings: ALL,
        except: &[],
        why: "a path of somebody's machine",
    },
    Ban {
        needle: concat!("/ro", "ot/"),
        word: false,
        endings: ALL,
        except: &[],
        why: "a path of somebody's machine",
    },
    Ban {
        needle: concat!("partici", "pant"),
        word: true,
        endings: NAMES,
        except: &[],
        why: "the glossary calls it a member",
    },
    Ban {
        needle: concat!("back", "log"),
        word: true,
        endings: NAMES,
        // The kernel has one of these for each listening socket.
        except: &["services/gateway/src/config.rs", "services/gateway/src/server/transport.rs"],
        why: "the glossary calls it history",
    },
    Ban {
        needle: concat!("publi", "cation"),
        word: true,
        endings: NAMES,
        except: &[
            "libs/wire/",
            "libs/testkit/",
            "libs/bench/",
            "services/gateway/",
            "libs/cluster/",
        ],
        why: "only the client protocol says so; the glossary calls it a message or an event",
    },
    Ban {
        needle: concat!("heart", "beat"),
        word: true,
        endings: NAMES,
        except: &[
            "libs/bus/",
            "libs/rpc/",
            "proto/",
            "services/rooms/src/heads",
            "services/gateway/src/heads",
            "libs/testkit/",
        ],
        why: "a lease is renewed; only AMQP and the heads stream have these",
    },
    Ban {
        needle: concat!("non", "ce"),
        word: true,
        endings: NAMES,
        except: &["services/roomcast/src/issuer", "services/auth/"],
        why: "the glossary calls it a message id; only OIDC has the other",
    },
];

/// Looks for each banned text.
pub(super) fn check(source: &Source<'_>, findings: &mut Vec<Finding>) {
    for ban in &BANS {
        // Tests speak of what they look at, in the words of whoever said it.
        let tests = ban.endings == NAMES && source.path.contains("/tests/");
        let applies = ban.endings.iter().any(|ending| source.is(ending))
            && !ban.except.iter().any(|folder| source.path.starts_with(folder))
            && !tests;
        if !applies {
            continue;
        }
        for (number, line) in source.lines() {
            let stands =
                if ban.word { has_word(line, ban.needle) } else { line.contains(ban.needle) };
            if stands {
                findings.push(source.finding(number, ban.needle, ban.why));
            }
        }
    }
}

/// Whether `word` (or its plural) stands in a line, also as a part of `CamelCase` or `snake_case`
/// names. A word in capitals is sought in capitals.
fn has_word(line: &str, word: &str) -> bool {
    let shouted = word.chars().all(char::is_uppercase);
    let pieces = line.split(|c: char| !c.is_ascii_alphanumeric());
    if shouted {
        return pieces.into_iter().any(|piece| piece == word);
    }
    pieces.flat_map(humps).any(|hump| {
        let hump = hump.to_ascii_lowercase();
        hump == word || hump.strip_suffix('s') == Some(word)
    })
}

/// `RoomName` -> `Room`, `Name`.
fn humps(piece: &str) -> Vec<&str> {
    let mut humps = Vec::new();
    let mut start = 0;
    let bytes = piece.as_bytes();
    for at in 1..bytes.len() {
        if bytes[at].is_ascii_uppercase() && !bytes[at - 1].is_ascii_uppercase() {
            humps.push(&piece[start..at]);
            start = at;
        }
    }
    humps.push(&piece[start..]);
    humps
}

#[cfg(test)]
mod tests {
    use super::super::of;
    use super::*;

    #[test]
    fn each_ban_fires_in_its_place_and_not_in_the_excepted_ones() {
        for ban in &BANS {
            let path = format!("libs/domain/src/x.{}", ban.endings[0]);
            let found = of(check, &path, &format!("fine\nx {} x\n", ban.needle));
            assert_eq!(found.len(), 1, "{}: {found:?}", ban.needle);
            assert!(found[0].starts_with(&format!("{path}:2: ")), "{found:?}");
            for folder in ban.except {
                let path = format!("{folder}x.rs");
                let found = of(check, &path, &format!("x {} x\n", ban.needle));
                assert_eq!(found, [""; 0], "{} in {folder}", ban.needle);
            }
        }
    }

    #[test]
    fn a_word_is_found_inside_of_names_and_not_inside_of_words() {
        let word = concat!("partici", "pant");
        for line in ["fn list_PARTs()", "/// A PART."] {
            assert!(has_word(&line.replace("PART", word), word), "{line}");
        }
        let camel = format!("struct Room{}s;", word.replacen('p', "P", 1));
        assert!(has_word(&camel, word), "{camel}");
        assert!(!has_word(&format!("{word}ship"), word));
        assert!(!has_word("todos mastodon", concat!("TO", "DO")));
    }
}
