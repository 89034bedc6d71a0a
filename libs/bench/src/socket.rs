//! A client that costs little: it looks at frames only as far as it must count them.
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One signed-in connection.
pub struct Socket {
    sink: SplitSink<Stream, Message>,
    stream: SplitStream<Stream>,
    next_id: u32,
}

/// Everything in the bench ends within this.
const WAIT: Duration = Duration::from_secs(60);

impl Socket {
    /// Connects and signs in.
    pub async fn connect(url: &str, token: &str) -> anyhow::Result<Self> {
        let config = WebSocketConfig::default().read_buffer_size(4 * 1024);
        let opening = tokio_tungstenite::connect_async_with_config(url, Some(config), true);
        let (stream, _) = tokio::time::timeout(WAIT, opening).await??;
        let (sink, stream) = stream.split();
        let mut socket = Self { sink, stream, next_id: 1 };
        socket.call("connect", json!({"token": token, "name": "bench"})).await?;
        Ok(socket)
    }

    /// Joins a room.
    pub async fn subscribe(&mut self, room: &str) -> anyhow::Result<()> {
        self.call("subscribe", json!({"channel": room})).await.map(|_| ())
    }

    /// One command and its result; what else comes meanwhile is dropped.
    pub async fn call(&mut self, verb: &str, arguments: Value) -> anyhow::Result<Value> {
        let id = self.send(verb, arguments).await?;
        let answer = async {
            loop {
                for line in self.frame().await?.split('\n') {
                    let reply: Value = serde_json::from_str(line).unwrap_or_default();
                    if reply["id"] == id {
                        if let Some(error) = reply.get("error") {
                            bail!("{verb}: {error}");
                        }
                        return Ok(reply[verb].clone());
                    }
                }
            }
        };
        tokio::time::timeout(WAIT, answer).await.context("no answer")?
    }

    /// Sends a command and waits for nothing.
    pub async fn send(&mut self, verb: &str, arguments: Value) -> anyhow::Result<u32> {
        let id = self.next_id;
        self.next_id += 1;
        self.sink.send(Message::text(json!({"id": id, verb: arguments}).to_string())).await?;
        Ok(id)
    }

    /// Reads until the commands sent so far, `expected` since the handshake, are all answered.
    ///
    /// Fails on the first answer that is an error.
    pub async fn answered(&mut self, expected: usize) -> anyhow::Result<()> {
        let mut answers = 0;
        let all = async {
            while answers < expected {
                for line in self.frame().await?.split('\n') {
                    let reply: Value = serde_json::from_str(line).unwrap_or_default();
                    if let Some(error) = reply.get("error") {
                        bail!("refused: {error}");
                    }
                    answers += usize::from(reply.get("id").is_some());
                }
            }
            Ok(())
        };
        tokio::time::timeout(WAIT, all).await.context("not all answered")?
    }

    /// The next text frame; pings are answered.
    pub async fn frame(&mut self) -> anyhow::Result<String> {
        loop {
            match self.stream.next().await.context("closed")?? {
                Message::Text(text) => {
                    if text.split('\n').any(|line| line == "{}") {
                        self.sink.send(Message::text("{}")).await?;
                    }
                    return Ok(text.as_str().to_owned());
                }
                Message::Close(frame) => bail!("closed: {frame:?}"),
                _ => {}
            }
        }
    }
}
