//! What a member and its gateway agreed on when it subscribed: how it sees its room.
//!
//! A number instead of the room's name, patches instead of whole payloads, a part instead of all.
//! Whoever asks for none of that has the view of everybody, and costs nothing more.
use domain::{Error, Result, RoomSettings};
use wire::{Publication, SubscribeRequest};

use super::filter::Filter;
use super::item::RingItem;
use crate::connection::carrier::Carrier;
use crate::connection::frames::{Payload, Shape};

/// Takes the room's number for its name.
const FLAG_TAKES_NUMBER: i64 = 1;

/// See the file's head.
#[derive(Debug, Default)]
pub struct View {
    /// Whether the room's number stands for its name.
    pub numbered: bool,
    /// Whether payloads come as patches where that is shorter.
    pub patched: bool,
    /// What it wants; all if there is none.
    pub filter: Option<Box<Filter>>,
}

/// What the client of a member can apply a patch to: the payload that it was sent last.
///
/// A patch on anything else would make garbage of it, so a patch is sent only if it was made of what
/// is noted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Base {
    /// No patches were agreed on.
    #[default]
    Never,
    /// Nothing yet.
    Nothing,
    /// The payload with this print. See [`RingItem::print`].
    Holds(u64),
}

/// The first part of what was missed, as a view shows it.
#[derive(Debug, Default)]
pub struct Shown {
    /// What goes into the answer.
    pub publications: Vec<Publication>,
    /// How far that goes, with what the filter leaves out.
    pub until: u64,
    /// What the client holds then.
    pub base: Base,
}

impl View {
    /// What a request's wishes come to in a room. `InvalidArgument` for a filter that is no good, or
    /// that the room's kind does not allow: whoever asks for a part must not be given the whole.
    ///
    /// `numbers` says whether this gateway gives numbers.
    pub fn agree(request: &SubscribeRequest, kind: RoomSettings, numbers: bool) -> Result<Self> {
        let filter = match &request.tf {
            None => None,
            Some(_) if !kind.filters => {
                return Err(Error::invalid("this kind of room is not filtered"));
            }
            Some(asked) => {
                let filter = Filter::new(asked);
                Some(filter.ok_or_else(|| Error::invalid("a filter that is not understood"))?)
            }
        };
        // A patch is made of what went before in the log, which a filter may have left out.
        let allowed = kind.stored && kind.delta && filter.is_none();
        Ok(Self {
            numbered: numbers && request.flag & FLAG_TAKES_NUMBER != 0,
            patched: allowed && request.delta == "fossil",
            filter: filter.map(Box::new),
        })
    }

    /// The shape of pushes to it that are no patches.
    pub fn shape(&self, carrier: Carrier) -> Shape {
        Shape { carrier, numbered: self.numbered, payload: Payload::Plain }
    }

    /// What its client holds before anything was sent.
    pub fn base(&self) -> Base {
        if self.patched { Base::Nothing } else { Base::Never }
    }

    /// Whether it wants an item.
    pub fn wants(&self, item: &RingItem) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.wants(item.item()))
    }

    /// What was missed after `after`, as publications of `bytes_max` bytes or the first of them.
    pub fn show<'a>(
        &self,
        items: impl IntoIterator<Item = &'a RingItem>,
        after: u64,
        carrier: Carrier,
        bytes_max: usize,
    ) -> Shown {
        let mut shown = Shown { publications: Vec::new(), until: after, base: self.base() };
        let mut bytes = 0;
        for item in items {
            if self.wants(item) {
                let publication = item.publication(carrier.format(), shown.base.payload(item));
                // As text a payload may be twice as long as it is.
                bytes += item.answer_bytes().max(publication.data.len());
                if bytes > bytes_max && !shown.publications.is_empty() {
                    break;
                }
                shown.publications.push(publication);
                shown.base = shown.base.after(item);
            }
            shown.until = item.offset();
        }
        shown
    }
}

impl Base {
    /// How an item's payload is to be written for whom holds this.
    pub fn payload(self, item: &RingItem) -> Payload {
        match self {
            Self::Never => Payload::Plain,
            Self::Holds(print) if item.patches(print) => Payload::Patch,
            Self::Nothing | Self::Holds(_) => Payload::Whole,
        }
    }

    /// What is held once an item was sent.
    pub fn after(self, item: &RingItem) -> Self {
        match self {
            Self::Never => Self::Never,
            Self::Nothing | Self::Holds(_) => Self::Holds(item.print()),
        }
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
