//! Load with a record of everything: members that join rooms and publish, and the judgement.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::{join_all, try_join_all};
use testkit::checker::{Allowed, FinalLogs, Report, check};
use testkit::client::Client;
use testkit::history::{Outcome, Recorder};
use testkit::member::{Member, MemberOptions};

use crate::System;

/// Who joins what, and how much is published.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Members.
    pub members: usize,
    /// Rooms.
    pub rooms: usize,
    /// Rooms of each member.
    pub rooms_each: usize,
    /// Members that publish.
    pub publishers: usize,
}

/// How many publishes there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sent, each under one message id.
    pub sent: usize,
    /// Acked in the end.
    pub acked: usize,
}

/// A running load.
pub struct Crowd {
    /// The members, those who publish first.
    pub members: Vec<Arc<Member>>,
    /// The rooms.
    pub rooms: Vec<Arc<str>>,
    /// What they saw.
    pub recorder: Recorder,
    publishers: usize,
}

impl Load {
    /// Starts the members, spread over all gateways, and waits until all have joined.
    pub async fn join(self, system: &System, word: &str) -> Result<Crowd> {
        let recorder = Recorder::default();
        let rooms: Vec<_> = (0..self.rooms).map(|_| system.fresh_room(word)).collect();
        let mut members = Vec::with_capacity(self.members);
        for index in 0..self.members {
            let name: Arc<str> = format!("member-{index}").into();
            let own =
                (0..self.rooms_each).map(|step| rooms[(index + step * 7) % self.rooms].clone());
            let options = MemberOptions {
                token: system.token(&name, &[])?,
                name,
                urls: system.urls(),
                first: index,
                rooms: own.collect(),
            };
            members.push(Arc::new(Member::start(options, &recorder)));
        }
        let ready = members.iter().map(|member| member.ready(Duration::from_secs(60)));
        try_join_all(ready).await.context("joining")?;
        Ok(Crowd { members, rooms, recorder, publishers: self.publishers })
    }
}

impl Crowd {
    /// Each publisher publishes `each` messages, one after the other, round its crowd's rooms.
    /// `pause` is waited between two of them. Gives the number of publishes acked.
    pub async fn publish(&self, each: usize, pause: Duration) -> usize {
        self.publish_while(move |number| number < each, pause).await.acked
    }

    /// The same until `work` is done, whatever that takes; gives its answer, too.
    pub async fn publish_during<T>(
        &self,
        pause: Duration,
        work: impl Future<Output = T>,
    ) -> (Tally, T) {
        let over = Arc::new(AtomicBool::new(false));
        let more = {
            let over = over.clone();
            move |_| !over.load(Ordering::Relaxed)
        };
        tokio::join!(self.publish_while(more, pause), async {
            let done = work.await;
            over.store(true, Ordering::Relaxed);
            done
        })
    }

    /// For as long as `more` says so of a publisher's next number.
    async fn publish_while<F>(&self, more: F, pause: Duration) -> Tally
    where
        F: Fn(usize) -> bool + Clone + Send + 'static,
    {
        let tasks = (0..self.publishers).map(|index| {
            let member = self.members[index].clone();
            let rooms = self.rooms.clone();
            let more = more.clone();
            tokio::spawn(async move {
                let mut tally = Tally::default();
                while more(tally.sent) {
                    let room = &rooms[(index + tally.sent) % rooms.len()];
                    let text = format!("{index} says {}", tally.sent);
                    let outcome = member.publish(room, &text, Duration::from_secs(60)).await;
                    tally.sent += 1;
                    tally.acked += usize::from(matches!(outcome, Outcome::Ok { .. }));
                    if !pause.is_zero() {
                        tokio::time::sleep(pause).await;
                    }
                }
                tally
            })
        });
        let tallies = join_all(tasks).await.into_iter().filter_map(Result::ok);
        tallies.fold(Tally::default(), |sum, tally| Tally {
            sent: sum.sent + tally.sent,
            acked: sum.acked + tally.acked,
        })
    }

    /// Waits until every member stands at the head of its rooms, then judges what was seen.
    pub async fn settle(self, system: &System, wait: Duration, allowed: Allowed) -> Result<Report> {
        let logs = self.final_logs(system).await?;
        let mut late = Vec::new();
        for member in &self.members {
            for (room, log) in &logs {
                let head = log.last().map_or(0, |entry| entry.offset);
                if member.position(room).is_some()
                    && let Err(error) = member.reaches(room, head, wait).await
                {
                    late.push(format!("{room}: {error}"));
                }
            }
        }
        for member in self.members {
            // A member that somebody still holds would keep its records from the judgement.
            Arc::into_inner(member).context("a member is still in use")?.finish().await;
        }
        let records = self.recorder.take();
        let report = check(&records, &logs, allowed);
        print_summary(&report, &late);
        Ok(report)
    }

    /// Every room's log, read by a fresh client.
    async fn final_logs(&self, system: &System) -> Result<FinalLogs> {
        let token = system.token("reader", &["admin"])?;
        let mut last_error = None;
        for url in system.urls() {
            match Client::connect(&url, &token).await {
                Ok((client, _incoming, _)) => {
                    let mut logs = FinalLogs::new();
                    for room in &self.rooms {
                        logs.insert(room.clone(), testkit::log::read(&client, room).await?);
                    }
                    return Ok(logs);
                }
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.context("no gateway")?).context("reading the logs")
    }
}

/// The figures of a run, for whoever reads the test's output.
fn print_summary(report: &Report, late: &[String]) {
    println!(
        "published ok {} info {} fail {}, deliveries {}, recoveries {}, violations {}, late {}",
        report.ok,
        report.info,
        report.fail,
        report.deliveries,
        report.recoveries,
        report.violation_count,
        late.len()
    );
}
