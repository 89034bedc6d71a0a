//! The ways that an input goes, and what came of it, in the words of the tables.
//!
//! `json`, `protobuf`: a frame on a connection that may act. `json-fresh`, `protobuf-fresh`: on one
//! that has not connected. `frames`: bytes behind the upgrade. `lines`, `delimited`, `events`: the
//! body that opens a stream. `emulation`, `emulation-protobuf`: the body of such a request. `raw`: a
//! whole request.
//!
//! `stays`: an honest command is answered, and nothing else came. `reply`, `error N`: command 9 was
//! answered so, and then the honest one. `close N`: a close frame, or the disconnect push of a stream.
//! `status N`: of the answer. `ends`: the connection ended without a word.
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::table::Case;
use crate::harness::{Running, SOON};
use crate::raw::upgraded_at;
use crate::speaker::{Fields, frame, num, part};

/// The command that an input's own has, and that of the honest one behind it.
const ASKED: u64 = 9;
const HONEST: u64 = 4_000_000_000;

/// Sends an input its way and tells what came.
pub async fn run(running: &Running, number: usize, case: &Case) -> String {
    let came = async {
        match case.way.as_str() {
            "json" => framed(running, number, case, Tongue::Json, true).await,
            "json-fresh" => framed(running, number, case, Tongue::Json, false).await,
            "protobuf" => framed(running, number, case, Tongue::Protobuf, true).await,
            "protobuf-fresh" => framed(running, number, case, Tongue::Protobuf, false).await,
            "frames" => {
                let mut socket = Socket::open(running, Tongue::Json).await;
                socket.send(&case.input).await;
                socket.next().await.unwrap_or_else(|end| end)
            }
            "lines" => stream(running, "http_stream", "application/json", &case.input).await,
            "delimited" => {
                stream(running, "http_stream", "application/octet-stream", &case.input).await
            }
            "events" => stream(running, "sse", "application/json", &case.input).await,
            "emulation" => {
                status(running, &post("/emulation", "application/json", &case.input)).await
            }
            "emulation-protobuf" => {
                let request = post("/emulation", "application/octet-stream", &case.input);
                status(running, &request).await
            }
            "raw" => status(running, &case.input).await,
            other => panic!("no way {other}"),
        }
    };
    timeout(SOON * 3, came).await.unwrap_or_else(|_| "nothing in time".to_owned())
}

#[derive(Clone, Copy, PartialEq)]
enum Tongue {
    Json,
    Protobuf,
}

/// A frame, and what came of it and of the honest command behind it.
async fn framed(
    running: &Running,
    number: usize,
    case: &Case,
    tongue: Tongue,
    connect: bool,
) -> String {
    let mut socket = Socket::open(running, tongue).await;
    if connect {
        let user = format!("user{number}");
        let hello = match tongue {
            Tongue::Json => format!(r#"{{"id":1,"connect":{{"token":"{user}"}}}}"#).into_bytes(),
            Tongue::Protobuf => frame(&[[num(1, 1), part(4, part(1, user))].concat()]),
        };
        socket.say(&hello).await;
        let greeted = socket.answer(1).await;
        assert_eq!(greeted, Ok("reply".to_owned()));
    }
    socket.say(&case.input).await;
    let wants = case.expected.iter().any(|one| one == "reply" || one.starts_with("error"));
    let mut told = "stays".to_owned();
    if wants {
        match socket.answer(ASKED).await {
            Ok(answer) => told = answer,
            Err(end) => return end,
        }
    }
    if !connect && wants {
        return told;
    }
    let honest = match tongue {
        Tongue::Json => {
            format!(r#"{{"id":{HONEST},"unsubscribe":{{"channel":"x"}}}}"#).into_bytes()
        }
        Tongue::Protobuf => frame(&[[num(1, HONEST), part(6, part(1, "x"))].concat()]),
    };
    socket.say(&honest).await;
    match socket.answer(HONEST).await {
        Ok(answer) if answer == "reply" => told,
        Ok(other) => format!("{told}, then the honest one: {other}"),
        Err(end) => end,
    }
}

/// A socket behind its upgrade, read byte by byte.
struct Socket {
    stream: TcpStream,
    tongue: Tongue,
    /// Messages that came and were not asked for yet.
    come: Vec<(u64, String)>,
}

impl Socket {
    async fn open(running: &Running, tongue: Tongue) -> Self {
        let path = match tongue {
            Tongue::Json => "/ws",
            Tongue::Protobuf => "/ws?format=protobuf",
        };
        Self { stream: upgraded_at(running, path).await, tongue, come: Vec::new() }
    }

    /// Whether the peer still reads shows in what it says.
    async fn send(&mut self, bytes: &[u8]) {
        let _cut_off = self.stream.write_all(bytes).await;
    }

    /// Sends a message in one frame.
    async fn say(&mut self, message: &[u8]) {
        let mut out = match self.tongue {
            Tongue::Json => vec![0x81],
            Tongue::Protobuf => vec![0x82],
        };
        match message.len() {
            length @ 0..=125 => out.push(0x80 | length as u8),
            length @ 126..=0xffff => {
                out.push(0xfe);
                out.extend((length as u16).to_be_bytes());
            }
            length => {
                out.push(0xff);
                out.extend((length as u64).to_be_bytes());
            }
        }
        out.extend([0; 4]);
        out.extend(message);
        self.send(&out).await;
    }

    /// What was answered to a command; else how it ended.
    async fn answer(&mut self, id: u64) -> Result<String, String> {
        loop {
            if let Some(at) = self.come.iter().position(|(own, _)| *own == id) {
                return Ok(self.come.swap_remove(at).1);
            }
            self.next().await.map(drop)?;
        }
    }

    /// The next frame, its messages kept; `Err` is how it ended.
    async fn next(&mut self) -> Result<String, String> {
        let (first, payload) = match timeout(SOON, self.frame()).await {
            Err(_) => return Err("nothing in time".to_owned()),
            Ok(None) => return Err("ends".to_owned()),
            Ok(Some(frame)) => frame,
        };
        match first {
            0x88 => {
                let code = payload.get(..2).map(|two| u16::from(two[0]) * 256 + u16::from(two[1]));
                Err(code.map_or_else(|| "close".to_owned(), |code| format!("close {code}")))
            }
            0x8a => Ok(format!("pong {}", String::from_utf8_lossy(&payload))),
            _ => {
                self.come.extend(messages(self.tongue, &payload));
                Ok("message".to_owned())
            }
        }
    }

    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = match head[1] {
            126 => u64::from(self.stream.read_u16().await.ok()?),
            127 => self.stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some((head[0], payload))
    }
}

/// The messages of a frame: the command that each answers (0: none), and how.
fn messages(tongue: Tongue, payload: &[u8]) -> Vec<(u64, String)> {
    let told = |id: u64, error: Option<u64>| {
        (id, error.map_or_else(|| "reply".to_owned(), |code| format!("error {code}")))
    };
    match tongue {
        Tongue::Json => payload
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
            .map(|value| told(value["id"].as_u64().unwrap_or(0), value["error"]["code"].as_u64()))
            .collect(),
        Tongue::Protobuf => {
            let (mut rest, mut all) = (payload, Vec::new());
            while !rest.is_empty() {
                let length = crate::speaker::take(&mut rest) as usize;
                let (message, more) = rest.split_at(length);
                rest = more;
                let fields = Fields::read(message);
                all.push(told(fields.num(1), fields.get(2).map(|error| error.num(1))));
            }
            all
        }
    }
}

fn post(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {kind}\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The status of the answer to a request.
async fn status(running: &Running, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    let _cut_off = socket.write_all(request).await;
    let mut start = [0; 12];
    match timeout(SOON, socket.read_exact(&mut start)).await {
        Err(_) => "nothing in time".to_owned(),
        Ok(Err(_)) => "ends".to_owned(),
        Ok(Ok(_)) => format!("status {}", String::from_utf8_lossy(&start[9..])),
    }
}

/// Opens a stream; what it says at its end, or `stays` if it does not end.
async fn stream(running: &Running, path: &str, kind: &str, body: &[u8]) -> String {
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    let request = post(&format!("/connection/{path}"), kind, body);
    let _cut_off = socket.write_all(&request).await;
    let mut got = Vec::new();
    let ended = timeout(Duration::from_secs(2), socket.read_to_end(&mut got)).await.is_ok();
    if !got.starts_with(b"HTTP/1.1 200") {
        let start = got.get(9..12).unwrap_or_default();
        return format!("status {}", String::from_utf8_lossy(start));
    }
    let text = String::from_utf8_lossy(&got);
    let code = match text.rsplit_once("\"disconnect\":{\"code\":") {
        Some((_, rest)) => rest.split([',', '}']).next().map(str::to_owned),
        // In Protobuf: a push (4), its disconnect (11), its code (1).
        None => got.windows(2).zip(2..).find(|(two, _)| two[0] == 0x5a).and_then(|(_, at)| {
            let code = got.get(at + 1..at + 3)?;
            Some((u64::from(code[0] & 0x7f) | u64::from(code[1]) << 7).to_string())
        }),
    };
    match (code, ended) {
        (Some(code), true) => format!("close {code}"),
        (Some(code), false) => format!("close {code}, and it stays open"),
        (None, false) => "stays".to_owned(),
        (None, true) => "ends".to_owned(),
    }
}
