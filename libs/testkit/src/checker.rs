//! Judges a run by what its clients saw and what the log holds at the end.
//!
//! The checks are those of the correctness argument: nothing acked is lost, nothing is there twice,
//! one dense order for everybody, no jump after a recovery, nothing delivered late for good.
//! Cost is linear but for two sorts.
use std::collections::HashMap;
use std::sync::Arc;

use crate::history::{Entry, MemberLog, Outcome, Published, Records, Seen};

/// Violations kept as text; more are only counted.
const TEXTS_MAX: usize = 40;

/// The log of every room at the end, in order of offsets.
pub type FinalLogs = HashMap<Arc<str>, Vec<Entry>>;

/// What a run may do without being wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// `recovered: false` answers, for runs with retention or renewed epochs.
    pub unrecovered: bool,
    /// Members that stop before the head, for runs that end members early.
    pub behind: bool,
}

/// The judgement.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong, the first ones as text.
    pub violations: Vec<String>,
    /// How many things are wrong.
    pub violation_count: usize,
    /// Publishes that were acknowledged.
    pub ok: usize,
    /// Publishes with an unknown end.
    pub info: usize,
    /// Publishes that were refused.
    pub fail: usize,
    /// Items delivered.
    pub deliveries: usize,
    /// Subscribes that recovered.
    pub recoveries: usize,
}

impl Report {
    fn wrong(&mut self, text: impl FnOnce() -> String) {
        self.violation_count += 1;
        if self.violations.len() < TEXTS_MAX {
            self.violations.push(text());
        }
    }

    /// Fails a test that broke a promise, with what was seen.
    pub fn assert_sound(&self) {
        assert!(
            self.violation_count == 0,
            "{} violations, the first: {:#?}",
            self.violation_count,
            self.violations
        );
    }
}

/// Runs every check.
pub fn check(records: &Records, logs: &FinalLogs, allowed: Allowed) -> Report {
    let mut report = Report::default();
    check_logs_are_dense(logs, &mut report);
    check_publishes(&records.published, logs, &mut report);
    check_real_time_order(&records.published, &records.seen, &mut report);
    check_publisher_order(&records.published, &mut report);
    for log in &records.seen {
        check_member(log, logs, allowed, &mut report);
    }
    check_no_terminal_close(records, &mut report);
    report
}

/// C3, C4: offsets rise by one, no message stands there twice.
fn check_logs_are_dense(logs: &FinalLogs, report: &mut Report) {
    for (room, rows) in logs {
        let mut keys: HashMap<&str, u64> = HashMap::with_capacity(rows.len());
        for pair in rows.windows(2) {
            if pair[1].epoch == pair[0].epoch && pair[1].offset != pair[0].offset + 1 {
                report.wrong(|| format!("{room}: {} follows {}", pair[1].offset, pair[0].offset));
            }
        }
        for row in rows.iter().filter(|row| !row.key.is_empty()) {
            if let Some(first) = keys.insert(&row.key, row.offset) {
                report
                    .wrong(|| format!("{room}: {} stands at {first} and {}", row.key, row.offset));
            }
        }
    }
}

/// C1, C2: what was acked is there, what is there was published and not refused.
fn check_publishes(published: &[Published], logs: &FinalLogs, report: &mut Report) {
    let mut rows: HashMap<(&str, &str), &Entry> = HashMap::new();
    for (room, log) in logs {
        rows.extend(
            log.iter().filter(|row| !row.key.is_empty()).map(|row| ((&**room, &*row.key), row)),
        );
    }
    for publish in published {
        let row = rows.remove(&(&*publish.room, &*publish.key));
        match (&publish.outcome, row) {
            (Outcome::Ok { epoch, offset, .. }, Some(row)) => {
                report.ok += 1;
                if (&row.epoch, row.offset) != (epoch, *offset) {
                    report.wrong(|| {
                        format!("{}: acked at {offset}, stands at {}", publish.key, row.offset)
                    });
                }
            }
            (Outcome::Ok { offset, .. }, None) => {
                report.ok += 1;
                report.wrong(|| {
                    format!("{} {}: acked at {offset} and lost", publish.room, publish.key)
                });
            }
            (Outcome::Fail, Some(row)) => {
                report.fail += 1;
                report.wrong(|| format!("{}: refused, yet at {}", publish.key, row.offset));
            }
            (Outcome::Fail, None) => report.fail += 1,
            (Outcome::Info, _) => report.info += 1,
        }
        if row.is_some_and(|row| row.print != publish.print) {
            report.wrong(|| format!("{}: the payload was changed", publish.key));
        }
    }
    for ((room, key), row) in rows {
        report.wrong(|| format!("{room}: nobody published {key}, at {}", row.offset));
    }
}

/// C7: what was acked before something else began stands before it.
fn check_real_time_order(published: &[Published], seen: &[MemberLog], report: &mut Report) {
    // For each room: acks by time, with the highest offset acked until then.
    let mut acks: HashMap<&str, Vec<(u64, u64)>> = HashMap::new();
    for publish in published {
        if let Outcome::Ok { offset, at_us, .. } = publish.outcome {
            acks.entry(&publish.room).or_default().push((at_us, offset));
        }
    }
    for list in acks.values_mut() {
        list.sort_unstable();
        let mut highest = 0;
        for (_, offset) in list {
            highest = highest.max(*offset);
            *offset = highest;
        }
    }
    let acked_before = |room: &str, time: u64| {
        let list = acks.get(room)?;
        let count = list.partition_point(|(at, _)| *at < time);
        Some(list[count.checked_sub(1)?].1)
    };
    for publish in published.iter().filter(|publish| publish.tries == 1) {
        if let Outcome::Ok { offset, .. } = publish.outcome
            && acked_before(&publish.room, publish.invoked_us)
                .is_some_and(|before| before >= offset)
        {
            report.wrong(|| format!("{}: got {offset} after a higher one was acked", publish.key));
        }
    }
    for log in seen {
        for record in &log.seen {
            if let Seen::Subscribed { offset, asked_us, recovered: false, .. } = record
                && acked_before(&log.room, *asked_us).is_some_and(|before| before > *offset)
            {
                report.wrong(|| {
                    format!("{} {}: subscribed at {offset}, behind an ack", log.member, log.room)
                });
            }
        }
    }
}

/// C8: one publisher's messages to one room stand in the order in which it sent them.
fn check_publisher_order(published: &[Published], report: &mut Report) {
    let mut streams: HashMap<(&str, &str), Vec<(u64, u64)>> = HashMap::new();
    for publish in published {
        if let Outcome::Ok { offset, .. } = publish.outcome {
            let stream = streams.entry((&publish.sender, &publish.room)).or_default();
            stream.push((publish.invoked_us, offset));
        }
    }
    for ((sender, room), mut stream) in streams {
        stream.sort_unstable();
        if let Some(pair) = stream.windows(2).find(|pair| pair[1].1 <= pair[0].1) {
            report.wrong(|| format!("{sender} in {room}: {} before {}", pair[0].1, pair[1].1));
        }
    }
}

/// C5, C6, C9: a member goes on from where it stands, sees what the log says, and ends at the head.
fn check_member(log: &MemberLog, logs: &FinalLogs, allowed: Allowed, report: &mut Report) {
    let MemberLog { member, room, seen } = log;
    let Some(rows) = logs.get(room) else { return };
    let first = rows.first().map_or(1, |row| row.offset);
    let row_at = |offset: u64| rows.get(usize::try_from(offset.checked_sub(first)?).ok()?);
    let mut place: Option<(Arc<str>, u64)> = None;
    for record in seen {
        match record {
            Seen::Subscribed { epoch, offset, was_recovering, recovered, .. } => {
                report.recoveries += usize::from(*recovered);
                if *recovered && place.as_ref().is_some_and(|at| at != &(epoch.clone(), *offset)) {
                    report.wrong(|| {
                        format!("{member} {room}: recovered at {offset}, stood at {place:?}")
                    });
                }
                if *was_recovering && !*recovered && !allowed.unrecovered {
                    report.wrong(|| format!("{member} {room}: not recovered at {place:?}"));
                }
                place = Some((epoch.clone(), *offset));
            }
            Seen::Delivered { entry, .. } => {
                report.deliveries += 1;
                let next = place.as_ref().map(|(epoch, offset)| (epoch.clone(), offset + 1));
                if next.as_ref() != Some(&(entry.epoch.clone(), entry.offset)) {
                    report.wrong(|| {
                        format!("{member} {room}: {} came, {next:?} was due", entry.offset)
                    });
                }
                if row_at(entry.offset) != Some(entry) {
                    report.wrong(|| {
                        format!("{member} {room}: {} is not what the log says", entry.offset)
                    });
                }
                place = Some((entry.epoch.clone(), entry.offset));
            }
        }
    }
    let head = rows.last().map_or(0, |row| row.offset);
    if !allowed.behind && place.as_ref().is_some_and(|(_, offset)| *offset != head) {
        report.wrong(|| format!("{member} {room}: ended at {place:?}, the head is {head}"));
    }
}

/// C12: a fault that passes closes nobody for good.
fn check_no_terminal_close(records: &Records, report: &mut Report) {
    for (at, code) in &records.closes {
        if matches!(code, 0 | 3500..=3999 | 4500..=4999) {
            report.wrong(|| format!("closed for good with {code} at {at} us"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(offset: u64) -> Entry {
        Entry { epoch: "e".into(), offset, key: format!("key-{offset}").into(), print: offset }
    }

    fn published(offset: u64, invoked_us: u64) -> Published {
        Published {
            room: "r".into(),
            sender: "s".into(),
            key: format!("key-{offset}").into(),
            print: offset,
            invoked_us,
            tries: 1,
            outcome: Outcome::Ok { epoch: "e".into(), offset, at_us: invoked_us + 5 },
        }
    }

    fn subscribed(offset: u64, recovered: bool) -> Seen {
        Seen::Subscribed {
            epoch: "e".into(),
            offset,
            was_recovering: recovered,
            recovered,
            asked_us: 0,
        }
    }

    fn delivered(offset: u64) -> Seen {
        Seen::Delivered { entry: entry(offset), at_us: 0 }
    }

    /// A sound run of three messages that one member saw.
    fn sound() -> (Records, FinalLogs) {
        let member = MemberLog {
            member: "m".into(),
            room: "r".into(),
            seen: vec![
                subscribed(0, false),
                delivered(1),
                delivered(2),
                subscribed(2, true),
                delivered(3),
            ],
        };
        let records = Records {
            published: (1..=3).map(|offset| published(offset, offset * 10)).collect(),
            seen: vec![member],
            closes: vec![(1, 3001)],
        };
        (records, FinalLogs::from([("r".into(), (1..=3).map(entry).collect())]))
    }

    fn count(change: impl FnOnce(&mut Records, &mut FinalLogs)) -> usize {
        let (mut records, mut logs) = sound();
        change(&mut records, &mut logs);
        check(&records, &logs, Allowed::default()).violation_count
    }

    #[test]
    fn a_sound_run_passes() {
        let (records, logs) = sound();
        let report = check(&records, &logs, Allowed::default());
        report.assert_sound();
        assert_eq!((report.ok, report.deliveries, report.recoveries), (3, 3, 1));
    }

    #[test]
    fn each_planted_fault_is_seen() {
        let planted: Vec<(&str, usize)> = vec![
            ("acked and lost", count(|_, logs| drop(logs.get_mut("r").map(Vec::pop)))),
            (
                "twice in the log",
                count(|_, logs| {
                    let rows = logs.get_mut("r").unwrap();
                    rows.push(Entry { offset: 4, ..rows[0].clone() });
                }),
            ),
            ("a hole in the log", count(|_, logs| logs.get_mut("r").unwrap()[2].offset = 9)),
            ("a phantom", count(|records, _| drop(records.published.pop()))),
            ("a changed payload", count(|_, logs| logs.get_mut("r").unwrap()[1].print = 7)),
            (
                "refused, yet there",
                count(|records, _| records.published[0].outcome = Outcome::Fail),
            ),
            ("delivered twice", count(|records, _| records.seen[0].seen.push(delivered(3)))),
            ("a hole for a member", count(|records, _| drop(records.seen[0].seen.remove(2)))),
            ("swapped", count(|records, _| records.seen[0].seen.swap(1, 2))),
            ("never delivered", count(|records, _| drop(records.seen[0].seen.pop()))),
            (
                "not recovered",
                count(|records, _| {
                    records.seen[0].seen[3] = Seen::Subscribed {
                        epoch: "e".into(),
                        offset: 2,
                        was_recovering: true,
                        recovered: false,
                        asked_us: 0,
                    };
                }),
            ),
            ("one publisher's order", count(|records, _| records.published[0].invoked_us = 99)),
            ("a terminal close", count(|records, _| records.closes.push((2, 3500)))),
            ("a broken protocol", count(|records, _| records.closes.push((2, 0)))),
            (
                "a subscribe behind an ack",
                count(|records, _| {
                    records.seen[0].seen[0] = Seen::Subscribed {
                        epoch: "e".into(),
                        offset: 0,
                        was_recovering: false,
                        recovered: false,
                        asked_us: 40,
                    };
                }),
            ),
        ];
        for (fault, violations) in planted {
            assert!(violations > 0, "{fault} went unseen");
        }
    }
}
