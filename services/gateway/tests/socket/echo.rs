//! An echo in place of commands: guard, parser, reader, writer and close are those of any socket.
//!
//! It stands on a route that only this test program has. `cargo xtask autobahn` lets the suite of
//! that name speak to it; here are a few of its sorts of cases without it.
use std::rc::Rc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use gateway::connection::guard::GuardLimits;
use gateway::connection::reader::{Refused, Take};
use gateway::connection::writer::Pushed;
use gateway::connection::{Connection, frame, handshake};
use gateway::http::Upgrade;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use wire::{CloseCode, Format};

use crate::harness::{Running, SOON, start_serving};
use crate::raw::upgraded_at;

/// The suite sends messages of 16 MiB, and some in fragments of 64 bytes.
const LIMITS: GuardLimits = GuardLimits {
    message_bytes_max: 16 * 1024 * 1024,
    fragments_max: 1_000_000,
    greeting_bytes_max: usize::MAX,
    frame_timeout: Duration::from_secs(120),
};
const ECHO: &str = "/echo";

struct Echo;

impl Take for Echo {
    async fn take(
        &self,
        connection: &Rc<Connection>,
        message: Bytes,
        text: bool,
    ) -> Result<(), Refused> {
        let echoed = if text { frame::text(&message) } else { frame::binary(&[], &message) };
        match connection.writer().reply(echoed) {
            Pushed::Overflow => Err(Refused(CloseCode::Slow, "slow")),
            Pushed::Queued | Pushed::Dropped => Ok(()),
        }
    }
}

async fn echo(request: HttpRequest, payload: web::Payload) -> actix_web::Result<HttpResponse> {
    let (format, address) = (Format::Json, None);
    let upgrade = Upgrade { format, subprotocol: None, native_pings: false, address };
    handshake::open_with(&request, payload, upgrade, LIMITS, Echo)
}

async fn serving() -> Running {
    start_serving(
        |config| {
            // Nobody connects: what is sent is no command.
            config.limits.connect_timeout_ms = 3_600_000;
            config.limits.replies_bytes_max = 64 * 1024 * 1024;
        },
        |services| {
            services.route(ECHO, web::get().to(echo));
        },
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "serves `cargo xtask autobahn` until its standard input ends"]
async fn it_is_served() {
    let running = serving().await;
    println!("echo at {}", running.address);
    let until_its_end = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(until_its_end).await.unwrap().unwrap();
    running.stop().await;
}

fn frame_of(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    out.extend_from_slice(payload);
    out
}

/// Its name, the frames that are sent, and the bytes that come back.
type Case = (&'static str, Vec<Vec<u8>>, &'static [u8]);

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_back_as_they_were_and_faults_get_their_code() {
    let running = serving().await;
    let cases: [Case; 8] = [
        ("text", vec![frame_of(0x81, "é".as_bytes())], b"\x81\x02\xc3\xa9"),
        ("binary", vec![frame_of(0x82, b"\xff\0")], b"\x82\x02\xff\0"),
        ("an empty message", vec![frame_of(0x81, b"")], b"\x81\0"),
        (
            "a ping between fragments, and a letter over two of them",
            vec![frame_of(1, b"\xc3"), frame_of(0x89, b"p"), frame_of(0x80, b"\xa9")],
            b"\x8a\x01p\x81\x02\xc3\xa9",
        ),
        ("a pong that nobody asked for", vec![frame_of(0x8a, b"x")], b""),
        ("text that is none", vec![frame_of(0x81, b"\xff")], b"\x88\x0f\x03\xefinvalid utf-8"),
        (
            "fragments of text that is none",
            vec![frame_of(1, b"\xc3"), frame_of(0x80, b"\x28")],
            b"\x88\x0f\x03\xefinvalid utf-8",
        ),
        (
            "a close that may not be",
            vec![frame_of(0x88, b"\x03\xed")],
            b"\x88\x10\x03\xeaprotocol error",
        ),
    ];
    for (what, frames, answer) in cases {
        for whole in [true, false] {
            let mut socket = upgraded_at(&running, ECHO).await;
            let mut bytes = frames.concat();
            let fault = answer.first() == Some(&0x88);
            if !fault {
                bytes.extend(frame_of(0x88, b"\x03\xe8"));
            }
            if whole {
                socket.write_all(&bytes).await.unwrap();
            } else {
                for byte in bytes {
                    socket.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
            if fault {
                // The peer's part of the handshake, so that nobody waits for it.
                socket.write_all(&frame_of(0x88, &answer[2..4])).await.unwrap();
            }
            let mut got = Vec::new();
            timeout(SOON, socket.read_to_end(&mut got)).await.unwrap().unwrap();
            let close: &[u8] = if fault { b"" } else { b"\x88\x02\x03\xe8" };
            assert_eq!(got, [answer, close].concat(), "{what}, whole: {whole}");
        }
    }
    running.stop().await;
}
