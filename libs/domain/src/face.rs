//! How somebody looks to others, as the one text that travels as the name.
//!
//! Mostly that text is the name alone. A token's maker may add JSON of its own, which must reach
//! every place that a name reaches (logs, presence, the bus), so it travels behind the name, each
//! part after a mark. Neither a name nor JSON can hold the mark: it is a control character.
use std::borrow::Cow;

const MARK: char = '\u{1}';

/// The parts of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Face<'a> {
    /// The name.
    pub name: &'a str,
    /// JSON shown instead of the name; empty for none.
    pub info: &'a str,
    /// JSON shown beside it in one room; empty for none.
    pub room_info: &'a str,
}

impl<'a> Face<'a> {
    /// Takes a text apart.
    pub fn of(text: &'a str) -> Self {
        let mut parts = text.splitn(3, MARK);
        let mut part = || parts.next().unwrap_or_default();
        Self { name: part(), info: part(), room_info: part() }
    }

    /// The text. A part that holds the mark is no JSON and is left out.
    pub fn text(&self) -> String {
        let name = if self.name.contains(MARK) {
            Cow::Owned(self.name.replace(MARK, ""))
        } else {
            Cow::Borrowed(self.name)
        };
        if self.info.is_empty() && self.room_info.is_empty() {
            return name.into_owned();
        }
        let clean = |json: &'a str| if json.contains(MARK) { "" } else { json };
        format!("{name}{MARK}{}{MARK}{}", clean(self.info), clean(self.room_info))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_comes_back_as_it_went() {
        for face in [
            Face { name: "Ann", ..Face::default() },
            Face { name: "Ann", info: r#"{"a":1}"#, room_info: "" },
            Face { name: "", info: "", room_info: "[1]" },
            Face { name: "é", info: "\"x\"", room_info: "null" },
            Face::default(),
        ] {
            assert_eq!(Face::of(&face.text()), face);
        }
        assert_eq!(Face { name: "Ann", ..Face::default() }.text(), "Ann");
    }

    #[test]
    fn a_name_cannot_pretend_to_be_more() {
        let forged = Face { name: "Ann\u{1}{\"admin\":true}\u{1}", ..Face::default() };
        assert_eq!(Face::of(&forged.text()).info, "");
        let forged = Face { name: "Ann", info: "1\u{1}2", room_info: "3" };
        assert_eq!(Face::of(&forged.text()), Face { name: "Ann", info: "", room_info: "3" });
    }
}
