//! A client that speaks Protobuf by field numbers alone: it knows no message and shares no code with
//! the server, so a wrong number cannot cancel out.
use std::collections::VecDeque;

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::harness::{Running, SOON};

/// A varint.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push((value % 128) as u8 + 128);
        value /= 128;
    }
    bytes.push(value as u8);
    bytes
}

/// A field that is a number.
pub fn num(field: u64, value: u64) -> Vec<u8> {
    [varint(field * 8), varint(value)].concat()
}

/// A field that has a length.
pub fn part(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [&varint(field * 8 + 2), &varint(content.len() as u64), content].concat()
}

/// A frame of these messages.
pub fn frame(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|one| [varint(one.len() as u64), one.clone()].concat()).collect()
}

/// The fields of a message in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields(Vec<(u64, u64, Vec<u8>)>);

impl Fields {
    pub fn read(mut bytes: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = take(&mut bytes);
            let value = take(&mut bytes);
            let content = match key % 8 {
                0 => Vec::new(),
                2 => {
                    let (content, rest) = bytes.split_at(value as usize);
                    bytes = rest;
                    content.to_vec()
                }
                kind => panic!("no field of the protocol has wire type {kind}"),
            };
            fields.push((key / 8, value, content));
        }
        Self(fields)
    }

    /// The number of a field; 0 if it is left out.
    pub fn num(&self, field: u64) -> u64 {
        self.0.iter().find(|(id, ..)| *id == field).map_or(0, |(_, value, _)| *value)
    }

    /// The bytes of a field; empty if it is left out.
    pub fn bytes(&self, field: u64) -> &[u8] {
        self.0.iter().find(|(id, ..)| *id == field).map_or(&[], |(.., content)| content)
    }

    /// The text of a field; empty if it is left out.
    pub fn text(&self, field: u64) -> &str {
        std::str::from_utf8(self.bytes(field)).unwrap()
    }

    /// The message of a field, if it is there.
    pub fn get(&self, field: u64) -> Option<Self> {
        self.all(field).next()
    }

    /// Every message of a field.
    pub fn all(&self, field: u64) -> impl Iterator<Item = Self> {
        let same = move |(id, ..): &&(u64, u64, Vec<u8>)| *id == field;
        self.0.iter().filter(same).map(|(.., content)| Self::read(content))
    }
}

pub fn take(bytes: &mut &[u8]) -> u64 {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).expect("a whole varint");
    let (number, rest) = bytes.split_at(end + 1);
    *bytes = rest;
    number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// See the file's head.
pub struct Speaker {
    pub socket: SplitSink<Socket, Message>,
    /// Binary frames, and at the end the code of the close.
    frames: mpsc::Receiver<Result<Bytes, u16>>,
    /// The connection's id.
    pub id: String,
    come: VecDeque<Fields>,
    commands: u64,
}

impl Speaker {
    /// An open socket that offered the subprotocol.
    pub async fn open(running: &Running) -> Self {
        let mut request = running.url.as_str().into_client_request().unwrap();
        let offer = "centrifuge-protobuf".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", offer);
        let (socket, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
        assert_eq!(answer.headers()["sec-websocket-protocol"], "centrifuge-protobuf");
        let (socket, mut stream) = socket.split();
        let (read, frames) = mpsc::channel(256);
        // Read to the end even if nobody looks, so that the server's close is answered.
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let frame = match message {
                    Message::Binary(frame) => Ok(frame),
                    Message::Close(close) => Err(close.expect("a code").code.into()),
                    other => panic!("neither binary nor a close: {other:?}"),
                };
                let _nobody_looks = read.send(frame).await;
            }
        });
        Self { socket, frames, id: String::new(), come: VecDeque::new(), commands: 0 }
    }

    /// A signed-in client, and its connect result.
    pub async fn connect(running: &Running, user: &str) -> (Self, Fields) {
        let mut speaker = Self::open(running).await;
        let result = speaker.ask(4, 5, part(1, user)).await.unwrap();
        speaker.id = result.text(1).to_owned();
        (speaker, result)
    }

    pub async fn send(&mut self, frame: Vec<u8>) {
        self.socket.send(Message::binary(frame)).await.unwrap();
    }

    /// Asks by the field of its request; the result by its own field, or the error's code. What
    /// else comes meanwhile is kept.
    pub async fn ask(&mut self, request: u64, result: u64, body: Vec<u8>) -> Result<Fields, u64> {
        self.commands += 1;
        let id = self.commands;
        self.send(frame(&[[num(1, id), part(request, body)].concat()])).await;
        let mut kept = VecDeque::new();
        loop {
            let message = self.next().await.unwrap_or_else(|code| panic!("closed with {code}"));
            if message.num(1) == id {
                kept.append(&mut self.come);
                self.come = kept;
                let error = message.get(2).map(|error| error.num(1));
                return error.map_or_else(|| Ok(message.get(result).expect("a result")), Err);
            }
            kept.push_back(message);
        }
    }

    /// Subscribes with join and leave.
    pub async fn subscribe(&mut self, room: &str) -> Fields {
        self.ask(5, 6, [part(1, room), num(11, 1)].concat()).await.unwrap()
    }

    /// Publishes; the code of the error if it is refused.
    pub async fn publish(&mut self, room: &str, data: &[u8]) -> Result<(), u64> {
        let done = self.ask(7, 8, [part(1, room), part(2, data)].concat()).await;
        done.map(|result| assert_eq!(result, Fields::default()))
    }

    /// The next message that is no ping; the code of the close if that comes.
    pub async fn next(&mut self) -> Result<Fields, u16> {
        loop {
            match self.come.pop_front() {
                Some(ping) if ping == Fields::default() => {}
                Some(message) => return Ok(message),
                None => {
                    let mut frame = &self.frame().await?[..];
                    while !frame.is_empty() {
                        let length = take(&mut frame) as usize;
                        let (message, rest) = frame.split_at(length);
                        frame = rest;
                        self.come.push_back(Fields::read(message));
                    }
                }
            }
        }
    }

    /// The next frame as it comes; the code of the close if that comes.
    pub async fn frame(&mut self) -> Result<Bytes, u16> {
        let next = tokio::time::timeout(SOON, self.frames.recv()).await;
        next.expect("something comes in time").expect("the socket is open")
    }

    /// The next push.
    pub async fn push(&mut self) -> Fields {
        let message = self.next().await.unwrap_or_else(|code| panic!("closed with {code}"));
        message.get(4).unwrap_or_else(|| panic!("no push: {message:?}"))
    }

    /// The code with which the connection ends.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }
}
