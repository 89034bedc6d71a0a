//! What the crowd says of itself at a mark, and what it must not say.
use anyhow::{Result, bail};
use serde::Deserialize;

/// Longest that a connection may be away, milliseconds.
const AWAY_MS_MAX: u64 = 5_000;

/// One line of `web/sdk/load.mjs`; all counts since the line before.
#[derive(Debug, Deserialize)]
pub struct Figures {
    /// What was done meanwhile.
    pub mark: String,
    /// Connections that are there.
    pub connections: u64,
    /// Whether every message that was begun has been answered.
    pub quiet: bool,
    /// Whether everybody came to the head of their room's log.
    pub caught_up: bool,
    /// Messages acknowledged.
    pub published: u64,
    /// Messages heard, by all together.
    pub delivered: u64,
    /// Holes, positions that could not be recovered, and acknowledged messages that the log has not.
    pub lost: u64,
    /// Messages that somebody heard twice, or that stand in the log twice.
    pub doubled: u64,
    /// Offsets under which not everybody saw the same.
    pub disagreed: u64,
    /// Messages refused for good.
    pub refused: u64,
    /// Times that somebody came back.
    pub reconnects: u64,
    /// Longest time that somebody was away.
    pub away_ms_max: u64,
    /// Longest time from a first try to the answer, retries in between.
    pub publish_ms_max: u64,
    /// Longest time by which somebody heard a message after the first one did.
    pub delivery_ms_max: u64,
}

impl Figures {
    /// Fails unless all that is promised was kept for so many connections.
    pub fn judge(&self, connections: u64) -> Result<()> {
        if self.published == 0 || self.delivered == 0 {
            bail!("{}: nothing was said, so nothing is shown: {self:?}", self.mark);
        }
        let whole = self.connections == connections && self.quiet && self.caught_up;
        if !whole || self.lost + self.doubled + self.disagreed + self.refused > 0 {
            bail!("{}: a promise was broken: {self:?}", self.mark);
        }
        if self.away_ms_max > AWAY_MS_MAX {
            bail!("{}: somebody was away for {} ms", self.mark, self.away_ms_max);
        }
        Ok(())
    }

    /// Fails unless so many came back at least: a fault that nobody felt shows nothing.
    pub fn moved(self, connections: u64) -> Result<Self> {
        if self.reconnects < connections {
            bail!("{}: only {} of {connections} had to come back", self.mark, self.reconnects);
        }
        Ok(self)
    }

    /// One line for the end of a run.
    pub fn line(&self) -> String {
        format!(
            "{:<26} published {:>5}, delivered {:>6}, lost {}, doubled {}, came back {:>4}, \
             longest away {:>5} ms, publish {:>5} ms, delivery {:>5} ms",
            self.mark,
            self.published,
            self.delivered,
            self.lost,
            self.doubled,
            self.reconnects,
            self.away_ms_max,
            self.publish_ms_max,
            self.delivery_ms_max,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Figures {
        Figures {
            mark: "a test".to_owned(),
            connections: 300,
            quiet: true,
            caught_up: true,
            published: 10,
            delivered: 300,
            lost: 0,
            doubled: 0,
            disagreed: 0,
            refused: 0,
            reconnects: 3,
            away_ms_max: 900,
            publish_ms_max: 40,
            delivery_ms_max: 30,
        }
    }

    #[test]
    fn each_broken_promise_is_seen() {
        assert!(sound().judge(300).is_ok());
        let broken = [
            Figures { published: 0, ..sound() },
            Figures { delivered: 0, ..sound() },
            Figures { connections: 299, ..sound() },
            Figures { quiet: false, ..sound() },
            Figures { caught_up: false, ..sound() },
            Figures { lost: 1, ..sound() },
            Figures { doubled: 1, ..sound() },
            Figures { disagreed: 1, ..sound() },
            Figures { refused: 1, ..sound() },
            Figures { away_ms_max: 5_001, ..sound() },
        ];
        assert!(sound().moved(3).is_ok());
        assert!(sound().moved(4).is_err());
        for figures in broken {
            assert!(figures.judge(300).is_err(), "{figures:?}");
        }
    }
}
