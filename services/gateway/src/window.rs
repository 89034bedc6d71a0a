//! The receive window of a socket: how much the process holds of it that nobody has read yet.
//!
//! The HTTP library reads from a socket whenever the kernel has something, up to a quarter of a
//! mebibyte before it looks whether anybody takes it: as much as each flooder would pin. Here a
//! socket is not read while more than its window lies unread; the rest stays in the kernel, and TCP
//! slows the sender. Requests are not narrowed: their bodies have bounds of their own.
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The window of one connection. It is wide open until a WebSocket narrows it. Same thread only.
#[derive(Debug, Clone)]
pub struct ReceiveWindow(Rc<Held>);

#[derive(Debug)]
struct Held {
    /// How much it holds once it is narrowed, in bytes.
    most: usize,
    narrowed: Cell<bool>,
    /// Bytes that were read from the socket since then and that nobody has taken.
    unread: Cell<usize>,
    /// Who would read on.
    waiting: RefCell<Option<Waker>>,
}

impl ReceiveWindow {
    /// A window of `most` bytes.
    pub fn new(most: usize) -> Self {
        let (narrowed, unread) = (Cell::new(false), Cell::new(0));
        Self(Rc::new(Held { most, narrowed, unread, waiting: RefCell::default() }))
    }

    /// Hands `stream`, the connection's payload, on; the window holds no more of it unread than its
    /// size and one read. Wide open again once the answer is dropped, so that the peer's end is seen.
    pub fn narrow<S>(&self, stream: S) -> Narrowed<S> {
        self.0.unread.set(0);
        self.0.narrowed.set(true);
        Narrowed { stream, window: self.clone() }
    }

    fn is_full(&self) -> bool {
        self.0.narrowed.get() && self.0.unread.get() >= self.0.most
    }

    fn read(&self, bytes: usize) {
        if self.0.narrowed.get() {
            self.0.unread.set(self.0.unread.get().saturating_add(bytes));
        }
    }

    fn taken(&self, bytes: usize) {
        self.0.unread.set(self.0.unread.get().saturating_sub(bytes));
        self.wake();
    }

    fn open(&self) {
        self.0.narrowed.set(false);
        self.wake();
    }

    fn wake(&self) {
        if self.is_full() {
            return;
        }
        if let Some(waker) = self.0.waiting.take() {
            waker.wake();
        }
    }
}

/// A payload whose reader makes room in the window. See [`ReceiveWindow::narrow`].
#[derive(Debug)]
pub struct Narrowed<S> {
    stream: S,
    window: ReceiveWindow,
}

impl<S, E> Stream for Narrowed<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.stream).poll_next(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            self.window.taken(chunk.len());
        }
        next
    }
}

impl<S> Drop for Narrowed<S> {
    fn drop(&mut self) {
        self.window.open();
    }
}

/// A connection's bytes, read as its window allows.
#[derive(Debug)]
pub struct Windowed<T> {
    io: T,
    window: ReceiveWindow,
}

impl<T> Windowed<T> {
    /// `io` behind a window of `most` bytes that is still wide open.
    pub fn new(io: T, most: usize) -> Self {
        Self { io, window: ReceiveWindow::new(most) }
    }

    /// Its window.
    pub const fn window(&self) -> &ReceiveWindow {
        &self.window
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Windowed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.window.is_full() {
            self.window.0.waiting.replace(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.window.read(buf.filled().len() - before);
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Windowed<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const WINDOW: usize = 1_000;

    fn chunk(bytes: usize) -> Result<Bytes, io::Error> {
        Ok(Bytes::from(vec![0; bytes]))
    }

    #[tokio::test]
    async fn a_socket_is_read_on_once_somebody_took_what_was_read() {
        let going_on = Cell::new(false);
        let (mut peer, near) = duplex(10_000);
        let mut near = Windowed::new(near, WINDOW);
        let window = near.window().clone();
        let mut taken = window.narrow(stream::iter([chunk(1), chunk(WINDOW)]));
        peer.write_all(&[7; 3 * WINDOW]).await.unwrap();
        let mut buffer = [0; WINDOW];
        near.read_exact(&mut buffer).await.unwrap();
        assert!(near.read(&mut buffer).now_or_never().is_none(), "read beyond the window");

        taken.next().await.unwrap().unwrap();
        let read = near.read(&mut buffer).now_or_never().expect("there is room for a byte");
        assert_eq!(read.unwrap(), WINDOW, "one read more than the window");
        assert!(near.read(&mut buffer).now_or_never().is_none(), "read beyond the window");

        let mut buffer = [0; 10_000];
        let read = async {
            let read = near.read(&mut buffer).await;
            read.map(|bytes| (bytes, going_on.get()))
        };
        let take = async {
            // The reader was asked first, and waits.
            going_on.set(true);
            taken.next().await.unwrap().unwrap();
            drop(taken);
        };
        let (read, ()) = tokio::join!(biased; read, take);
        assert_eq!(read.unwrap(), (WINDOW, true), "whoever waited is woken");
    }

    #[tokio::test]
    async fn before_and_after_a_socket_the_window_is_wide_open() {
        let (mut peer, near) = duplex(100_000);
        let mut near = Windowed::new(near, 0);
        peer.write_all(&[7; 100_000]).await.unwrap();
        let mut buffer = vec![0; 50_000];
        near.read_exact(&mut buffer).await.unwrap();
        drop(near.window().narrow(stream::iter([chunk(1)])));
        assert!(near.read_exact(&mut buffer).now_or_never().is_some());
        drop(peer);
        assert_eq!(near.read(&mut buffer).await.unwrap(), 0, "an end is seen");
    }
}
