//! A subscriber's filter over the tags of messages.
//!
//! Checked and bounded once, when it is asked for; asked at each delivery, without making anything.
//! Numbers are compared digit by digit, so that no two of them are taken for equal that are not.
//! What has no tags of an author's, as a kick, is not asked about: it concerns who is in the room.
use std::cmp::Ordering;

use domain::{Body, GATEWAY_TAG, Item};
use wire::FilterNode;

/// Most levels of a filter.
pub const DEPTH_MAX: usize = 8;
/// Most nodes of a filter, and most values in all of its lists.
pub const NODES_MAX: usize = 64;
/// Bytes of all its keys and values: what a subscription may pin.
pub const BYTES_MAX: usize = 8 * 1024;

/// A filter that was found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Node);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Tag(String, Test),
}

/// How a tag's value is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Equal(String),
    Unequal(String),
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    Present,
    Absent,
    Begins(String),
    Ends(String),
    Holds(String),
    /// A number with which the value's own is to be in one of these orders.
    Number(String, &'static [Ordering]),
}

/// What is left of the bounds while a filter is read.
struct Left {
    nodes: usize,
    values: usize,
    bytes: usize,
}

impl Filter {
    /// The filter that a client asks for; `None` if a word in it is unknown, if something is missing
    /// or too much, or if it is beyond the bounds.
    pub fn new(asked: &FilterNode) -> Option<Self> {
        let mut left = Left { nodes: NODES_MAX, values: NODES_MAX, bytes: BYTES_MAX };
        node(asked, DEPTH_MAX, &mut left).map(Self)
    }

    /// Whether an item is wanted.
    pub fn wants(&self, item: &Item) -> bool {
        match &item.body {
            Body::Event(_) => true,
            Body::Message { gateway, tags, .. } => self.wants_tags(|key| match key {
                GATEWAY_TAG => gateway.as_ref().map(|id| id.as_str()),
                _ => tags.get(key),
            }),
        }
    }

    /// Whether what has these tags is wanted.
    pub fn wants_tags<'a>(&self, tag: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.holds(&tag)
    }
}

impl Node {
    fn holds<'a>(&self, tag: &impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(tag)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(tag)),
            Self::Not(node) => !node.holds(tag),
            Self::Tag(key, test) => test.holds(tag(key)),
        }
    }
}

impl Test {
    /// A tag that is not there is unequal to all, one of none, and nothing else.
    fn holds(&self, value: Option<&str>) -> bool {
        let is = |test: &dyn Fn(&str) -> bool| value.is_some_and(test);
        match self {
            Self::Equal(other) => is(&|value| value == other),
            Self::Unequal(other) => !is(&|value| value == other),
            Self::OneOf(others) => is(&|value| others.iter().any(|other| other == value)),
            Self::NoneOf(others) => !is(&|value| others.iter().any(|other| other == value)),
            Self::Present => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Begins(start) => is(&|value| value.starts_with(start.as_str())),
            Self::Ends(end) => is(&|value| value.ends_with(end.as_str())),
            Self::Holds(part) => is(&|value| value.contains(part.as_str())),
            Self::Number(other, orders) => {
                let order = value.and_then(Decimal::parse).zip(Decimal::parse(other));
                order.is_some_and(|(value, other)| orders.contains(&value.cmp(&other)))
            }
        }
    }
}

fn node(asked: &FilterNode, depth: usize, left: &mut Left) -> Option<Node> {
    let depth = depth.checked_sub(1)?;
    left.nodes = left.nodes.checked_sub(1)?;
    let FilterNode { op, key, cmp, val, vals, nodes } = asked;
    let several = |left: &mut Left| -> Option<Vec<Node>> {
        let nodes: Option<Vec<Node>> = nodes.iter().map(|one| node(one, depth, left)).collect();
        nodes.filter(|nodes| !nodes.is_empty())
    };
    match op.as_str() {
        "" => {
            left.values = left.values.checked_sub(vals.len())?;
            let texts = [key, val].into_iter().chain(vals);
            left.bytes = left.bytes.checked_sub(texts.map(String::len).sum())?;
            Some(Node::Tag(key.clone(), test(asked, cmp)?))
        }
        "and" => several(left).map(Node::All),
        "or" => several(left).map(Node::Any),
        "not" if nodes.len() == 1 => node(&nodes[0], depth, left).map(Box::new).map(Node::Not),
        _ => None,
    }
}

fn test(asked: &FilterNode, cmp: &str) -> Option<Test> {
    use Ordering::{Equal, Greater, Less};
    let FilterNode { key, val, vals, .. } = asked;
    let one = || (!key.is_empty() && !val.is_empty() && vals.is_empty()).then(|| val.clone());
    let many = || (!key.is_empty() && val.is_empty() && !vals.is_empty()).then(|| vals.clone());
    let none = |test| (val.is_empty() && vals.is_empty()).then_some(test);
    let number = |orders| {
        let number = one().filter(|number| Decimal::parse(number).is_some());
        number.map(|number| Test::Number(number, orders))
    };
    match cmp {
        "eq" => one().map(Test::Equal),
        "neq" => one().map(Test::Unequal),
        "in" => many().map(Test::OneOf),
        "nin" => many().map(Test::NoneOf),
        "ex" => none(Test::Present),
        "nex" => none(Test::Absent),
        "sw" => one().map(Test::Begins),
        "ew" => one().map(Test::Ends),
        "ct" => one().map(Test::Holds),
        "lt" => number(&[Less]),
        "lte" => number(&[Less, Equal]),
        "gt" => number(&[Greater]),
        "gte" => number(&[Greater, Equal]),
        _ => None,
    }
}

/// A decimal number of any length, as it stands in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimal<'a> {
    negative: bool,
    /// Digits without leading zeros.
    whole: &'a str,
    /// Digits without trailing zeros.
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// `-12.50`, `+3`, `.5`; no exponents.
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = whole.bytes().chain(fraction.bytes());
        if digits.len() < 1 + usize::from(digits.contains('.'))
            || !all.clone().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        // There is one zero.
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Some(Self { negative, whole, fraction })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let amount = |one: &Self, other: &Self| {
            let whole = one.whole.len().cmp(&other.whole.len()).then(one.whole.cmp(other.whole));
            // Fractions begin at the same place and end in no zero: they compare as words do.
            whole.then(one.fraction.cmp(other.fraction))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => amount(self, other),
            (true, true) => amount(other, self),
        }
    }
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
