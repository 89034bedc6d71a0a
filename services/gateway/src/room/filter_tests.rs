//! Which tags a filter wants, and which filters are no good.
use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{Event, GatewayId, MessageId, PrincipalId, Tags};
use proptest::prelude::*;

use super::*;

fn leaf(key: &str, cmp: &str, val: &str) -> FilterNode {
    let text = str::to_owned;
    FilterNode { key: text(key), cmp: text(cmp), val: text(val), ..FilterNode::default() }
}

fn list(key: &str, cmp: &str, vals: &[&str]) -> FilterNode {
    let vals = vals.iter().map(|&val| val.to_owned()).collect();
    FilterNode { vals, ..leaf(key, cmp, "") }
}

fn join(op: &str, nodes: Vec<FilterNode>) -> FilterNode {
    FilterNode { op: op.to_owned(), nodes, ..FilterNode::default() }
}

fn wants(filter: &FilterNode, tags: &[(&str, &str)]) -> bool {
    let tags: BTreeMap<_, _> = tags.iter().copied().collect();
    Filter::new(filter).expect("a good filter").wants_tags(|key| tags.get(key).copied())
}

#[test]
fn each_comparison_says_what_its_name_says() {
    let tags = [("team", "red"), ("score", "10.50"), ("empty", "")];
    let held = [
        leaf("team", "eq", "red"),
        leaf("team", "neq", "blue"),
        leaf("away", "neq", "blue"),
        list("team", "in", &["blue", "red"]),
        list("team", "nin", &["blue", "green"]),
        list("away", "nin", &["blue", "green"]),
        leaf("empty", "ex", ""),
        leaf("away", "nex", ""),
        leaf("team", "sw", "re"),
        leaf("team", "ew", "ed"),
        leaf("team", "ct", "e"),
        leaf("score", "gt", "9.999"),
        leaf("score", "gte", "+010.5"),
        leaf("score", "lte", "10.500"),
        leaf("score", "lt", "10.51"),
        leaf("score", "gt", "-11"),
    ];
    for filter in &held {
        assert!(wants(filter, &tags), "{filter:?}");
        assert!(!wants(&join("not", vec![filter.clone()]), &tags), "not {filter:?}");
    }
    let not_held = [
        leaf("away", "eq", "red"),
        list("away", "in", &["blue", ""]),
        leaf("away", "sw", "r"),
        leaf("away", "ex", ""),
        leaf("team", "nex", ""),
        // What is no number is in no order with one.
        leaf("team", "lt", "1"),
        leaf("team", "gte", "1"),
        leaf("away", "lte", "1"),
        leaf("score", "gt", "10.5"),
        leaf("score", "lt", "10.5"),
    ];
    for filter in &not_held {
        assert!(!wants(filter, &tags), "{filter:?}");
    }
}

#[test]
fn filters_are_joined() {
    let (red, high) = (leaf("team", "eq", "red"), leaf("score", "gte", "5"));
    let both = join("and", vec![red.clone(), high.clone()]);
    let either = join("or", vec![red, join("not", vec![high])]);
    for (team, score, in_both, in_either) in [
        ("red", "5", true, true),
        ("red", "4", false, true),
        ("blue", "5", false, false),
        ("blue", "4", false, true),
    ] {
        let tags = [("team", team), ("score", score)];
        assert_eq!((wants(&both, &tags), wants(&either, &tags)), (in_both, in_either), "{tags:?}");
    }
}

#[test]
fn a_filter_that_says_nothing_clear_is_refused() {
    let good = leaf("a", "eq", "1");
    let bad = [
        FilterNode::default(),
        leaf("", "eq", "1"),
        leaf("a", "", "1"),
        leaf("a", "EQ", "1"),
        leaf("a", "like", "1"),
        leaf("a", "eq", ""),
        leaf("a", "ex", "1"),
        leaf("a", "in", "1"),
        leaf("a", "gt", "many"),
        leaf("a", "lt", "1e3"),
        list("a", "eq", &["1"]),
        list("a", "nex", &["1"]),
        list("", "in", &["1"]),
        FilterNode { vals: vec!["1".to_owned()], ..good.clone() },
        FilterNode { val: "1".to_owned(), ..list("a", "nin", &["1"]) },
        join("and", Vec::new()),
        join("or", Vec::new()),
        join("not", Vec::new()),
        join("not", vec![good.clone(), good.clone()]),
        join("xor", vec![good.clone()]),
        join("and", vec![good.clone(), leaf("a", "like", "1")]),
    ];
    for filter in &bad {
        assert_eq!(Filter::new(filter), None, "{filter:?}");
    }
    assert!(Filter::new(&good).is_some());
}

#[test]
fn a_filter_has_bounds() {
    let good = || leaf("a", "eq", "1");
    let deep = |levels: usize| (1..levels).fold(good(), |node, _| join("not", vec![node]));
    assert!(Filter::new(&deep(DEPTH_MAX)).is_some() && Filter::new(&deep(DEPTH_MAX + 1)).is_none());
    let wide = |nodes: usize| join("or", (1..nodes).map(|_| good()).collect());
    assert!(Filter::new(&wide(NODES_MAX)).is_some() && Filter::new(&wide(NODES_MAX + 1)).is_none());
    let long = |values: usize| list("a", "in", &vec!["1"; values]);
    assert!(Filter::new(&long(NODES_MAX)).is_some() && Filter::new(&long(NODES_MAX + 1)).is_none());
    let twice = join("and", vec![long(NODES_MAX / 2), long(NODES_MAX / 2 + 1)]);
    assert!(Filter::new(&twice).is_none(), "the bound is on all lists together");
    let large = |bytes: usize| leaf("a", "eq", &"x".repeat(bytes));
    assert!(
        Filter::new(&large(BYTES_MAX - 1)).is_some() && Filter::new(&large(BYTES_MAX)).is_none()
    );
}

fn item(body: Body) -> Item {
    let message_id = MessageId::parse("message-1").unwrap();
    Item { offset: 1, message_id, time_ms: 5, body, trace: None }
}

#[test]
fn a_kick_is_not_filtered_and_the_gateway_is_a_tag() {
    let filter = Filter::new(&leaf("gateway", "eq", "g1")).unwrap();
    let kick = Event::Kick {
        target: PrincipalId::new("i", "bob"),
        by: PrincipalId::new("i", "ann"),
        reason: String::new(),
    };
    assert!(filter.wants(&item(Body::Event(kick))));
    let said = |gateway: Option<&str>, tags: &[(&str, &str)]| {
        let gateway = gateway.map(|id| GatewayId::parse(id).unwrap());
        let own = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        let tags = Tags::new(tags.iter().map(own).collect()).unwrap();
        item(Body::Message { sender: None, gateway, tags, data: Bytes::new() })
    };
    assert!(filter.wants(&said(Some("g1"), &[])));
    assert!(!filter.wants(&said(Some("g2"), &[])) && !filter.wants(&said(None, &[])));
    let red = Filter::new(&leaf("team", "eq", "red")).unwrap();
    assert!(red.wants(&said(Some("g1"), &[("team", "red")])));
    assert!(!red.wants(&said(Some("g1"), &[("team", "blue")])));
}

#[test]
fn numbers_are_compared_exactly() {
    let order =
        |one: &str, other: &str| Decimal::parse(one).unwrap().cmp(&Decimal::parse(other).unwrap());
    // The same in 64 bits with a floating point.
    assert_eq!(order("9007199254740993", "9007199254740992"), Ordering::Greater);
    assert_eq!(order("0.1000000000000000000001", "0.1"), Ordering::Greater);
    assert_eq!(order("-0.1000000000000000000001", "-0.1"), Ordering::Less);
    assert_eq!(order(&"9".repeat(300), &"9".repeat(299)), Ordering::Greater);
    for same in [("-0", "0"), ("1.", "1"), (".5", "0.50"), ("+007", "7.000"), ("-.0", "+0")] {
        assert_eq!(order(same.0, same.1), Ordering::Equal, "{same:?}");
    }
    for none in
        ["", ".", "-", "+", "-.", "1e3", "1.2.3", "--1", "+-1", " 1", "1 ", "0x1", "NaN", "١"]
    {
        assert_eq!(Decimal::parse(none), None, "{none:?}");
    }
}

proptest! {
    #[test]
    fn small_numbers_are_in_the_order_of_integers(
        one in -10_000_000_i64..10_000_000,
        other in -10_000_000_i64..10_000_000,
        zeros in 0..4_usize,
    ) {
        // Thousandths, written with zeros that mean nothing.
        let text = |number: i64| {
            let sign = if number < 0 { "-" } else { "" };
            let number = number.unsigned_abs();
            let zeros = "0".repeat(zeros);
            format!("{sign}{zeros}{}.{:03}{zeros}", number / 1_000, number % 1_000)
        };
        let (one_text, other_text) = (text(one), text(other));
        let order = Decimal::parse(&one_text).unwrap().cmp(&Decimal::parse(&other_text).unwrap());
        prop_assert_eq!(order, one.cmp(&other));
    }
}
