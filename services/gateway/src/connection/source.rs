//! Where a connection's frames come from: its own socket, or requests beside its stream.
//!
//! The reader asks a source for what comes next and knows nothing of how it came. What a socket's
//! library and the guard in front of it find fault with becomes a close code here.
use std::rc::Rc;

use actix_ws::{AggregatedMessage, AggregatedMessageStream, ProtocolError};
use bytes::Bytes;
use wire::CloseCode;

use super::guard::GuardReport;
use super::writer::Writer;
use crate::sessions::Letterbox;

/// What is read and thrown away after our close, in bytes; to read on would be a flooder's to decide.
const THROWN_BYTES_MAX: usize = 128 * 1024;
/// As how many bytes a message counts beside its own.
const MESSAGE_COST: usize = 128;

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// A whole text message.
    Text(Bytes),
    /// A whole binary message, or a request's body.
    Binary(Bytes),
    /// A native ping, to be answered with its payload.
    Ping(Bytes),
    /// A native pong.
    Pong,
    /// Something that the connection must be closed for.
    Refused(CloseCode),
    /// The peer closed, with this code if it gave one.
    Closed(Option<u16>),
    /// The link was lost.
    Lost,
}

/// See the file's head.
pub trait Source {
    /// What comes next. Nothing is lost by whoever stops waiting.
    fn next(&mut self) -> impl Future<Output = Arrival>;

    /// Waits until the peer has taken our close. Without a bound.
    fn closed(&mut self) -> impl Future<Output = ()>;
}

/// The frames of a WebSocket.
pub struct SocketFrames {
    stream: AggregatedMessageStream,
    report: GuardReport,
}

/// The frame that opened a stream, and those that come by requests of their own.
pub struct Requests {
    first: Option<Bytes>,
    letterbox: Letterbox,
    writer: Rc<Writer>,
}

impl SocketFrames {
    /// What `stream` brings; `report` is of the guard in front of it.
    pub fn new(stream: AggregatedMessageStream, report: GuardReport) -> Self {
        Self { stream, report }
    }
}

impl Source for SocketFrames {
    async fn next(&mut self) -> Arrival {
        let message = tokio::select! {
            biased;
            message = self.stream.recv() => message,
            code = self.report.refused() => return Arrival::Refused(code),
        };
        match message {
            Some(Ok(AggregatedMessage::Text(text))) => Arrival::Text(text.into_bytes()),
            Some(Ok(AggregatedMessage::Binary(bytes))) => Arrival::Binary(bytes),
            Some(Ok(AggregatedMessage::Ping(payload))) => Arrival::Ping(payload),
            Some(Ok(AggregatedMessage::Pong(_))) => Arrival::Pong,
            Some(Ok(AggregatedMessage::Close(reason))) => {
                Arrival::Closed(reason.map(|reason| u16::from(reason.code)))
            }
            Some(Err(error)) => match (fault(&error), self.report.close_code()) {
                // Text that stood before what the guard refused: the same code wherever the cuts
                // between two reads lie.
                (text @ Arrival::Refused(CloseCode::InvalidText), _) => text,
                // The guard knows better why a stream broke off that it cut itself.
                (_, Some(code)) => Arrival::Refused(code),
                (other, None) => other,
            },
            None => self.report.close_code().map_or(Arrival::Lost, Arrival::Refused),
        }
    }

    async fn closed(&mut self) {
        if self.report.peer_closes() {
            return;
        }
        let mut thrown = 0;
        while let Some(message) = self.stream.recv().await {
            thrown += match message {
                Err(_) | Ok(AggregatedMessage::Close(_)) => return,
                Ok(AggregatedMessage::Text(text)) => text.len(),
                Ok(AggregatedMessage::Binary(bytes)) => bytes.len(),
                Ok(AggregatedMessage::Ping(bytes) | AggregatedMessage::Pong(bytes)) => bytes.len(),
            } + MESSAGE_COST;
            if thrown >= THROWN_BYTES_MAX {
                // Who goes on like this does not wait for an answer. The rest stays with it.
                return std::future::pending().await;
            }
        }
    }
}

impl Requests {
    /// `first`, then what comes into `letterbox`, until the stream of `writer` is lost.
    pub fn new(first: Bytes, letterbox: Letterbox, writer: Rc<Writer>) -> Self {
        Self { first: Some(first), letterbox, writer }
    }
}

impl Source for Requests {
    async fn next(&mut self) -> Arrival {
        if let Some(first) = self.first.take() {
            return Arrival::Binary(first);
        }
        tokio::select! {
            biased;
            () = self.writer.lost() => Arrival::Lost,
            frame = self.letterbox.next() => frame.map_or(Arrival::Lost, Arrival::Binary),
        }
    }

    /// A stream has no answer to wait for: it ends once all is written.
    async fn closed(&mut self) {}
}

fn fault(error: &ProtocolError) -> Arrival {
    let code = match error {
        ProtocolError::Overflow => CloseCode::TooBig,
        ProtocolError::Io(error) => match error.get_ref() {
            Some(inner) if inner.is::<actix_web::error::PayloadError>() => return Arrival::Lost,
            // The library's word for text that is no UTF-8, in one frame or in fragments. It is
            // also its word for reserved bits, which the guard has refused before.
            _ if error.kind() == std::io::ErrorKind::InvalidData => CloseCode::InvalidText,
            _ if error.to_string().contains("continuation size") => CloseCode::TooBig,
            _ => CloseCode::Protocol,
        },
        _ => CloseCode::Protocol,
    };
    Arrival::Refused(code)
}
