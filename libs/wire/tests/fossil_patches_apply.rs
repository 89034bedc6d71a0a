//! Patches against an applier that shares no code with what makes them.
//!
//! Whatever stands in both texts, the patch makes one out of the other, and it is shorter.
use proptest::prelude::*;
use testkit::fossil::apply;
use wire::fossil::{PATCHED_BYTES_MAX, patch};

/// Holds if the patch, if there is one, is sound. Answers whether there is one.
fn sound(base: &[u8], target: &[u8]) -> bool {
    let Some(patch) = patch(base, target) else { return false };
    assert!(patch.len() < target.len());
    assert_eq!(apply(base, &patch).as_deref(), Ok(target));
    if std::str::from_utf8(target).is_ok() {
        assert!(std::str::from_utf8(&patch).is_ok(), "a text's patch is text");
    }
    true
}

/// Text of few words, so that much of it repeats, with characters of one to four bytes.
fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{\"name\":",
        "\"value\":",
        "12345",
        "привет",
        "日本語",
        "🙂🙃",
        "é",
        "è",
        "\n",
        ",",
        "aaaaaaaa",
    ]);
    prop::collection::vec(word, 0..120).prop_map(|words| words.concat())
}

/// A text and one that was edited out of it.
fn edited() -> impl Strategy<Value = (String, String)> {
    (text(), prop::collection::vec((any::<prop::sample::Index>(), 0..9_usize, text()), 0..6))
        .prop_map(|(base, edits)| {
            let mut characters: Vec<char> = base.chars().collect();
            for (place, gone, new) in edits {
                let from = place.index(characters.len() + 1);
                let until = characters.len().min(from + gone);
                characters.splice(from..until, new.chars().take(20));
            }
            (base, characters.into_iter().collect())
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_edited_text_is_made_again((base, target) in edited()) {
        sound(base.as_bytes(), target.as_bytes());
    }

    #[test]
    fn unlike_texts_do_no_harm(base in text(), target in text()) {
        sound(base.as_bytes(), target.as_bytes());
    }

    #[test]
    fn nor_do_bytes_that_are_no_text(
        base in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 0x80, 0xbf, 0xff]), 0..300),
        target in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 0x80, 0xbf, 0xff]), 0..300),
    ) {
        sound(&base, &target);
    }

    #[test]
    fn a_small_change_makes_a_small_patch(
        base in prop::collection::vec(any::<u8>().prop_map(|b| b % 64 + 32), 200..2_000),
        place in any::<prop::sample::Index>(),
    ) {
        let mut target = base.clone();
        let at = place.index(base.len());
        target[at] ^= 1;
        prop_assert!(sound(&base, &target));
        prop_assert!(patch(&base, &target).unwrap().len() < 50);
    }
}

#[test]
fn the_longest_texts_take_no_longer_than_their_length_says() {
    let begun = std::time::Instant::now();
    for period in 1..60_usize {
        let text = |length: usize, seed: usize| -> Vec<u8> {
            (0..length).map(|i| b'a' + ((i % period * seed) % 7) as u8).collect()
        };
        let base = text(PATCHED_BYTES_MAX, 1);
        for seed in 1..4 {
            sound(&base, &text(PATCHED_BYTES_MAX, seed));
        }
    }
    // 177 patches of 64 KiB, in a build without optimisation.
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}
