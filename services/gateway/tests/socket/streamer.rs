//! A client of the streams: plain HTTP on plain sockets, chunks and events taken apart by hand.
//!
//! It shares no code with the server. A stream's messages come one by one, whatever carries them.
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::SOON;
use crate::speaker::{Fields, frame, num, part};

/// How a stream is opened, and what its messages look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Lines,
    Delimited,
    Events,
    EventsByGet,
}

/// A stream that is open, and what came of it.
pub struct Streamer {
    way: Way,
    socket: BufReader<TcpStream>,
    /// The head of the answer, in lower case.
    pub head: String,
    body: Vec<u8>,
    ended: bool,
    pub session: String,
    pub node: String,
    commands: u64,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Lines, Self::Delimited, Self::Events, Self::EventsByGet];
    /// Those in JSON.
    pub const JSON: [Self; 3] = [Self::Lines, Self::Events, Self::EventsByGet];

    fn request(self, first: &[u8]) -> Vec<u8> {
        let (path, kind) = match self {
            Self::Lines => ("/connection/http_stream", "application/json"),
            Self::Delimited => ("/connection/http_stream", "application/octet-stream"),
            Self::Events => ("/connection/sse", "application/json"),
            Self::EventsByGet => {
                let query: String = first.iter().map(|byte| format!("%{byte:02X}")).collect();
                let head = "HTTP/1.1\r\nHost: gateway\r\nAccept: text/event-stream\r\n\r\n";
                return format!("GET /connection/sse?cf_connect={query} {head}").into();
            }
        };
        post(path, kind, first)
    }

    /// The frame of a connect, in the way's format.
    pub fn connect(self, token: &str) -> Vec<u8> {
        match self {
            Self::Delimited => frame(&[[num(1, 1), part(4, part(1, token))].concat()]),
            _ => json!({"id": 1, "connect": {"token": token}}).to_string().into(),
        }
    }
}

fn post(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The status of an answer whose body nobody needs.
async fn status_of(request: &[u8], at: SocketAddr) -> u16 {
    let mut socket = TcpStream::connect(at).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut start = [0; 12];
    timeout(SOON, socket.read_exact(&mut start)).await.unwrap().unwrap();
    std::str::from_utf8(&start[9..]).unwrap().parse().unwrap()
}

/// Sends a frame beside a stream, in JSON; the status of the answer.
pub async fn emulate(at: SocketAddr, node: &str, session: &str, data: &str) -> u16 {
    let body = json!({"node": node, "session": session, "data": data}).to_string();
    status_of(&post("/emulation", "application/json", body.as_bytes()), at).await
}

impl Streamer {
    /// Sends a first frame; the head of the answer is there.
    pub async fn open(at: SocketAddr, way: Way, first: &[u8]) -> Self {
        let mut socket = BufReader::new(TcpStream::connect(at).await.unwrap());
        socket.write_all(&way.request(first)).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = timeout(SOON, socket.read_line(&mut head)).await.unwrap().unwrap();
            assert!(read > 0, "the answer broke off: {head}");
        }
        let (session, node) = (String::new(), String::new());
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let mut open =
            Self { way, socket, head, body: Vec::new(), ended: false, session, node, commands: 1 };
        if matches!(way, Way::Events | Way::EventsByGet) {
            // The empty line that shows the stream open.
            while open.body.is_empty() {
                open.read_chunk().await;
            }
            assert_eq!(open.body.remove(0), b'\n');
        }
        open
    }

    /// A signed-in client, and its connect result if that is JSON.
    pub async fn connect(at: SocketAddr, way: Way, user: &str) -> (Self, Value) {
        let mut open = Self::open(at, way, &way.connect(user)).await;
        let first = open.message().await.expect("the connect's answer");
        if way == Way::Delimited {
            let result = Fields::read(&first).get(5).expect("a connect result");
            (open.session, open.node) = (result.text(9).to_owned(), result.text(10).to_owned());
            return (open, Value::Null);
        }
        let reply: Value = serde_json::from_slice(&first).unwrap();
        let result = reply["connect"].clone();
        open.session = result["session"].as_str().expect("a session").to_owned();
        open.node = result["node"].as_str().expect("a node").to_owned();
        (open, result)
    }

    /// The socket itself, once all that came is read.
    pub fn socket(&mut self) -> &mut TcpStream {
        assert_eq!(self.socket.buffer(), b"", "something is not read");
        self.socket.get_mut()
    }

    /// The next message; `None` once the body has ended.
    pub async fn message(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(message) = self.take() {
                return Some(message);
            }
            if self.ended {
                assert_eq!(self.body, b"", "the body ends within a message");
                return None;
            }
            self.read_chunk().await;
        }
    }

    /// The next message that is no ping, as JSON.
    pub async fn json(&mut self) -> Value {
        loop {
            let message = self.message().await.expect("the stream is open");
            if message != b"{}" {
                return serde_json::from_slice(&message).unwrap();
            }
        }
    }

    /// The next message that is no ping, as Protobuf.
    pub async fn fields(&mut self) -> Fields {
        loop {
            let message = self.message().await.expect("the stream is open");
            if !message.is_empty() {
                return Fields::read(&message);
            }
        }
    }

    /// What the stream says last: code and whether to come back. Then its body has ended.
    pub async fn closed(&mut self) -> (u64, bool) {
        let mut last = Vec::new();
        while let Some(message) = self.message().await {
            last = message;
        }
        if self.way == Way::Delimited {
            let disconnect = Fields::read(&last).get(4).and_then(|push| push.get(11));
            let disconnect = disconnect.expect("a disconnect push");
            assert!(!disconnect.text(2).is_empty());
            return (disconnect.num(1), disconnect.num(3) == 1);
        }
        let last: Value = serde_json::from_slice(&last).unwrap();
        let disconnect = &last["push"]["disconnect"];
        assert!(disconnect["reason"].is_string(), "no disconnect push: {last}");
        (disconnect["code"].as_u64().unwrap(), disconnect["reconnect"] == json!(true))
    }

    /// Sends a frame to a gateway; the status of its answer.
    pub async fn send(&self, at: SocketAddr, data: &[u8]) -> u16 {
        if self.way == Way::Delimited {
            let fields = [part(1, &self.node), part(2, &self.session), part(3, data)].concat();
            let request = post("/emulation", "application/octet-stream", &fields);
            return status_of(&request, at).await;
        }
        emulate(at, &self.node, &self.session, std::str::from_utf8(data).unwrap()).await
    }

    /// Asks in JSON by way of a gateway. What comes before the answer is given too.
    pub async fn ask(&mut self, at: SocketAddr, verb: &str, body: Value) -> (Value, Vec<Value>) {
        self.commands += 1;
        let id = self.commands;
        let command = json!({"id": id, verb: body}).to_string();
        assert_eq!(self.send(at, command.as_bytes()).await, 204);
        let mut before = Vec::new();
        loop {
            let message = self.json().await;
            if message["id"] == json!(id) {
                return (message, before);
            }
            before.push(message);
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let until = |body: &[u8], end: &[u8]| body.windows(end.len()).position(|part| part == end);
        match self.way {
            Way::Lines => {
                let end = until(&self.body, b"\n")?;
                let line = self.body.drain(..=end).collect::<Vec<u8>>();
                Some(line[..end].to_vec())
            }
            Way::Events | Way::EventsByGet => {
                let end = until(&self.body, b"\n\n")?;
                let event: Vec<u8> = self.body.drain(..end + 2).collect();
                Some(event.strip_prefix(b"data: ").expect("data")[..end - 6].to_vec())
            }
            Way::Delimited => {
                let prefix = self.body.iter().position(|byte| byte & 0x80 == 0)?;
                let length = (0..=prefix)
                    .rev()
                    .fold(0, |value, at| value << 7 | usize::from(self.body[at] & 0x7f));
                let end = prefix + 1 + length;
                (self.body.len() >= end).then(|| self.body.drain(..end).skip(prefix + 1).collect())
            }
        }
    }

    async fn read_chunk(&mut self) {
        let mut line = String::new();
        timeout(SOON, self.socket.read_line(&mut line)).await.expect("a chunk in time").unwrap();
        let length = usize::from_str_radix(line.trim(), 16).expect("the length of a chunk");
        let mut chunk = vec![0; length + 2];
        timeout(SOON, self.socket.read_exact(&mut chunk)).await.unwrap().unwrap();
        self.ended = length == 0;
        self.body.extend_from_slice(&chunk[..length]);
    }
}
