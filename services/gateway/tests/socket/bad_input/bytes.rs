//! Expressions that are bytes: parts behind each other, with blanks between.
//!
//! `81fe` is hexadecimal; `"text\r\n\xff\u202e"` is text; `frame(81,…)` a masked frame with that first
//! byte, `head(81,n)` only its header with a declared length; `num(f,n)`, `part(f,…)` and `key(f,w)`
//! are fields of Protobuf, `len(…)` a message after its length, `varint(n)` a number; `rep(n,…)` is a
//! repetition.
use crate::speaker;

/// What an expression is. Panics on one that is none.
pub fn evaluate(text: &str) -> Vec<u8> {
    let mut rest = text;
    let out = parts(&mut rest);
    assert!(rest.is_empty(), "{rest:?} is left of {text:?}");
    out
}

fn parts(rest: &mut &str) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        *rest = rest.trim_start();
        match rest.chars().next() {
            None | Some(')' | ',') => return out,
            Some('"') => out.extend(quoted(rest)),
            Some(_) => {
                let word = word(rest);
                if rest.starts_with('(') {
                    out.extend(call(&word, rest));
                } else {
                    out.extend(hex(&word));
                }
            }
        }
    }
}

fn word(rest: &mut &str) -> String {
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let (word, more) = rest.split_at(end);
    assert!(!word.is_empty(), "no word at {rest:?}");
    *rest = more;
    word.to_owned()
}

fn hex(word: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&word[at..at + 2], 16);
    (0..word.len()).step_by(2).map(|at| digits(at).unwrap_or_else(|_| panic!("{word}"))).collect()
}

fn call(name: &str, rest: &mut &str) -> Vec<u8> {
    take(rest, '(');
    let out = match name {
        "frame" => {
            let first = hex(&word(rest))[0];
            take(rest, ',');
            let payload = parts(rest);
            let mut out = head(first, payload.len() as u64);
            out.extend([0; 4]);
            out.extend(payload);
            out
        }
        "head" => {
            let first = hex(&word(rest))[0];
            take(rest, ',');
            head(first, number(rest))
        }
        "num" => {
            let field = number(rest);
            take(rest, ',');
            speaker::num(field, number(rest))
        }
        "part" => {
            let field = number(rest);
            take(rest, ',');
            speaker::part(field, parts(rest))
        }
        "key" => {
            let field = number(rest);
            take(rest, ',');
            speaker::varint(field * 8 + number(rest))
        }
        "varint" => speaker::varint(number(rest)),
        "len" => speaker::frame(&[parts(rest)]),
        "rep" => {
            let times = number(rest) as usize;
            take(rest, ',');
            parts(rest).repeat(times)
        }
        other => panic!("nobody knows {other}"),
    };
    take(rest, ')');
    out
}

fn take(rest: &mut &str, letter: char) {
    *rest =
        rest.trim_start().strip_prefix(letter).unwrap_or_else(|| panic!("{letter} at {rest:?}"));
}

fn number(rest: &mut &str) -> u64 {
    *rest = rest.trim_start();
    word(rest).parse().unwrap()
}

/// A masked header up to the declared length, in the shortest form.
fn head(first: u8, length: u64) -> Vec<u8> {
    let mut out = vec![first];
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=0xffff => {
            out.push(0xfe);
            out.extend((length as u16).to_be_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend(length.to_be_bytes());
        }
    }
    out
}

fn quoted(rest: &mut &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut letters = rest[1..].chars();
    loop {
        let letter = letters.next().expect("a text ends");
        match letter {
            '"' => break,
            '\\' => match letters.next().expect("something behind a backslash") {
                'r' => out.push(b'\r'),
                'n' => out.push(b'\n'),
                't' => out.push(b'\t'),
                'x' => out.push(digits(&mut letters, 2) as u8),
                'u' => {
                    let letter = char::from_u32(digits(&mut letters, 4)).expect("a letter");
                    out.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                other => out.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
            },
            _ => out.extend(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    *rest = letters.as_str();
    out
}

fn digits(letters: &mut std::str::Chars<'_>, count: usize) -> u32 {
    let digits: String = letters.take(count).collect();
    u32::from_str_radix(&digits, 16).unwrap()
}
