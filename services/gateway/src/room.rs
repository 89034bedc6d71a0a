//! A room with local members: its reader, shared by all workers, and who is to be told of news.
//!
//! Locks are held for a few pushes and never over an await. Workers hold the members; a room
//! knows only how many sit at each worker and tells each worker once that there is news.
pub mod binding;
pub mod filler;
pub mod filter;
pub mod item;
pub mod member;
pub mod pages;
pub mod reader;
pub mod recovery;
pub mod ring;
pub mod shelf;
pub mod table;
pub mod view;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use domain::{Position, RoomBatch, RoomName, RoomSettings};
use parking_lot::Mutex;
use rpc::rooms::{FetchRange, Fetched};
use wire::UnsubscribeCode;

use crate::connection::frames::SharedPush;
use crate::worker::inbox::Inbox;
use reader::{Need, Next, Outcome, Reader};
use shelf::{Shelf, Tally};

/// Most items that are taken out of a ring under one lock.
const READ_ITEMS_MAX: usize = 64;

/// What pushes of a room must know of it.
#[derive(Debug, Clone)]
pub struct Handle {
    /// Its name.
    pub name: RoomName,
    /// What stands for the name where a client takes numbers: above 0, and of no other room that
    /// this process ever held.
    pub number: i64,
    /// Whether its kind allows patches, and has a log to make them of.
    pub patched: bool,
}

/// One room with local members. See the file's head.
pub struct Room {
    handle: Handle,
    settings: RoomSettings,
    state: Mutex<State>,
    /// Whether the filler has it in its queue.
    filling: AtomicBool,
    /// Whether it got an item since the last look for idle rooms.
    touched: AtomicBool,
    shelf: Arc<Shelf>,
    lost: OnceLock<SharedPush>,
}

struct State {
    reader: Reader,
    seats: Vec<Seat>,
}

/// The members of a room at one worker.
struct Seat {
    inbox: Arc<Inbox>,
    members: usize,
    /// News were told and not yet looked at.
    told: Arc<AtomicBool>,
}

impl Room {
    /// A room whose log stands at `head`.
    pub fn new(
        handle: Handle,
        settings: RoomSettings,
        head: Position,
        held_items_max: usize,
        shelf: Arc<Shelf>,
    ) -> Self {
        let tally = Arc::new(Tally::new(shelf.clone()));
        let reader = Reader::new(handle.clone(), head, tally, held_items_max);
        let state = Mutex::new(State { reader, seats: Vec::new() });
        let (filling, touched) = (AtomicBool::new(false), AtomicBool::new(true));
        Self { handle, settings, state, filling, touched, shelf, lost: OnceLock::new() }
    }

    /// Its name.
    pub fn name(&self) -> &RoomName {
        &self.handle.name
    }

    /// What its pushes must know of it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Tells a member that its place in the log is lost: one push for all who lose it at once.
    pub fn lost(&self) -> &SharedPush {
        let code = UnsubscribeCode::InsufficientState;
        self.lost.get_or_init(|| SharedPush::unsubscribe(self.name(), code, code.text()))
    }

    /// What its kind is like.
    pub fn settings(&self) -> RoomSettings {
        self.settings
    }

    /// Where its reader stands, and the generation of that place.
    pub fn position(&self) -> (Position, u64) {
        let state = self.state.lock();
        (state.reader.position(), state.reader.generation())
    }

    /// What comes after `offset` for a member of `generation`.
    pub fn after(&self, generation: u64, offset: u64) -> Next {
        let mut state = self.state.lock();
        // Frames that were made since the last news count too.
        self.trim(&mut state.reader);
        state.reader.after(generation, offset, READ_ITEMS_MAX)
    }

    /// Takes a batch from the bus.
    #[must_use]
    pub fn offer(&self, batch: &RoomBatch) -> Need {
        self.feed(|reader| reader.offer(batch))
    }

    /// Takes a head.
    #[must_use]
    pub fn note_head(&self, head: &Position) -> Need {
        self.feed(|reader| reader.note_head(head))
    }

    /// Takes what was fetched.
    #[must_use]
    pub fn fetched(&self, asked: &FetchRange, answer: Fetched) -> Need {
        self.feed(|reader| reader.fetched(asked, answer))
    }

    /// What must be fetched now.
    pub fn missing(&self) -> Option<FetchRange> {
        self.state.lock().reader.missing()
    }

    /// How many items its log is known to hold that were not read here yet.
    pub fn behind(&self) -> u64 {
        self.state.lock().reader.behind()
    }

    /// Marks it as queued for the filler; false if it was already.
    pub fn begin_filling(&self) -> bool {
        !self.filling.swap(true, Ordering::AcqRel)
    }

    /// Marks it as not queued.
    pub fn end_filling(&self) {
        self.filling.store(false, Ordering::Release);
    }

    /// Whether it got no item since this was asked last.
    pub fn idle(&self) -> bool {
        !self.touched.swap(false, Ordering::Relaxed)
    }

    /// Drops its recent items: nobody needs them, or memory is short.
    pub fn forget_items(&self) {
        self.state.lock().reader.trim(0);
    }

    /// Workers with members in it.
    pub fn inboxes(&self) -> Vec<Arc<Inbox>> {
        self.state.lock().seats.iter().map(|seat| seat.inbox.clone()).collect()
    }

    /// Members at all workers.
    pub fn members(&self) -> usize {
        self.state.lock().seats.iter().map(|seat| seat.members).sum()
    }

    /// Seats one more member at a worker. Answers how many there are now, and the worker's mark.
    fn sit(&self, inbox: &Arc<Inbox>) -> (usize, Arc<AtomicBool>) {
        let mut state = self.state.lock();
        let seats = &mut state.seats;
        let known = seats.iter().position(|seat| Arc::ptr_eq(&seat.inbox, inbox));
        let index = known.unwrap_or_else(|| {
            seats.push(Seat { inbox: inbox.clone(), members: 0, told: Arc::default() });
            seats.len() - 1
        });
        seats[index].members += 1;
        let told = seats[index].told.clone();
        (seats.iter().map(|seat| seat.members).sum(), told)
    }

    /// One member of a worker goes. Answers how many are left at all workers.
    fn rise(&self, inbox: &Arc<Inbox>) -> usize {
        let mut state = self.state.lock();
        if let Some(seat) = state.seats.iter_mut().find(|seat| Arc::ptr_eq(&seat.inbox, inbox)) {
            seat.members = seat.members.saturating_sub(1);
        }
        state.seats.retain(|seat| seat.members > 0);
        state.seats.iter().map(|seat| seat.members).sum()
    }

    fn feed(&self, input: impl FnOnce(&mut Reader) -> Outcome) -> Need {
        let mut state = self.state.lock();
        let outcome = input(&mut state.reader);
        self.trim(&mut state.reader);
        if outcome.news {
            self.touched.store(true, Ordering::Relaxed);
            for seat in &state.seats {
                if !seat.told.swap(true, Ordering::AcqRel) {
                    seat.inbox.news(self.name());
                }
            }
        }
        outcome.need
    }

    fn trim(&self, reader: &mut Reader) {
        reader.trim(self.shelf.allowed(reader.bytes()));
    }
}
