//! One WebSocket connection, as an SDK would hold it: commands, replies, pushes, pongs.
//!
//! Reads and writes the JSON wire with structs of its own, so that a defect of the server's codec
//! cannot hide behind the same defect here. Queues are bounded: a test that stops reading pushes
//! stops the socket, like a slow client.
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

/// How long a command may stay unanswered, as in the SDKs.
const COMMAND_WAIT: Duration = Duration::from_secs(5);
/// Pushes that may wait for the test.
const PUSHES_MAX: usize = 4096;

/// A coded failure.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{code} {message}")]
pub struct Refusal {
    /// The protocol's code.
    pub code: u32,
    /// The server's sentence.
    #[serde(default)]
    pub message: String,
    /// Whether to try again.
    #[serde(default)]
    pub temporary: bool,
}

/// How a command ended that got no result.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The server said no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// No answer in time, or the connection went.
    #[error("no answer: {0}")]
    Unanswered(&'static str),
}

/// What comes in unasked.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// A push.
    Push(Push),
    /// A reply that was asked for in band, so that it keeps its place among the pushes.
    Reply(u32, Result<Value, Refusal>),
    /// The connection ended: close code and reason; 1006 if there was no close frame.
    Closed(u16, String),
}

/// A push as it stood on the wire.
#[derive(Debug, Clone, Deserialize)]
pub struct Push {
    /// The channel.
    #[serde(default)]
    pub channel: Arc<str>,
    /// A publication.
    #[serde(rename = "pub")]
    pub publication: Option<Publication>,
    /// Somebody came.
    pub join: Option<Value>,
    /// Somebody went.
    pub leave: Option<Value>,
    /// The server ended the subscription.
    pub unsubscribe: Option<Box<Value>>,
    /// The server began a subscription.
    pub subscribe: Option<Box<Value>>,
    /// A message on no channel.
    pub message: Option<Value>,
}

/// A publication as it stood on the wire.
#[derive(Debug, Clone, Deserialize)]
pub struct Publication {
    /// The payload's text.
    pub data: Arc<RawValue>,
    /// Its place; 0 if it has none.
    #[serde(default)]
    pub offset: u64,
    /// Who published.
    #[serde(default)]
    pub info: Option<Value>,
    /// The author's tags, and `gateway`.
    #[serde(default)]
    pub tags: Option<Value>,
    /// Unix milliseconds.
    #[serde(default)]
    pub time: i64,
}

/// The result of a subscribe.
#[derive(Debug, Clone, Deserialize)]
pub struct Subscribed {
    /// The log's epoch.
    #[serde(default)]
    pub epoch: Arc<str>,
    /// The head, or the client's own offset after a recovery.
    #[serde(default)]
    pub offset: u64,
    /// Whether everything missed was found.
    #[serde(default)]
    pub recovered: bool,
    /// Whether recovery was asked.
    #[serde(default)]
    pub was_recovering: bool,
    /// Whether it can be recovered later.
    #[serde(default)]
    pub recoverable: bool,
    /// What was missed.
    #[serde(default)]
    pub publications: Vec<Publication>,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(default)]
    id: u32,
    error: Option<Refusal>,
    push: Option<Push>,
    #[serde(flatten)]
    results: HashMap<String, Value>,
}

/// Where a reply goes.
enum Waiting {
    Caller(oneshot::Sender<Result<Value, Refusal>>),
    InBand,
}

type Pending = Arc<parking_lot::Mutex<HashMap<u32, Waiting>>>;

/// One connection.
pub struct Client {
    out: mpsc::Sender<Message>,
    pending: Pending,
    next_id: AtomicU32,
    task: tokio::task::JoinHandle<()>,
}

impl Client {
    /// Opens a socket and nothing else.
    pub async fn open(url: &str) -> anyhow::Result<(Self, mpsc::Receiver<Incoming>)> {
        Self::open_with(url, &[]).await
    }

    /// Opens a socket with further request headers.
    pub async fn open_with(
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> anyhow::Result<(Self, mpsc::Receiver<Incoming>)> {
        let mut request = url.into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        // The default read buffer of 128 KiB a socket would be most of a load test's memory.
        let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
        let (socket, _) = tokio::time::timeout(
            Duration::from_secs(10),
            tokio_tungstenite::connect_async_with_config(request, Some(config), true),
        )
        .await
        .context("no answer to the upgrade")??;
        Ok(Self::on(socket))
    }

    /// Upgrades a stream that is open already, as one of TLS, to the socket of `url`.
    pub async fn open_over<S>(
        url: &str,
        stream: S,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Incoming>)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let upgrade = tokio_tungstenite::client_async(url, stream);
        let upgraded = tokio::time::timeout(Duration::from_secs(10), upgrade).await;
        let (socket, _) = upgraded.context("no answer to the upgrade")??;
        Ok(Self::on(socket))
    }

    fn on<S>(socket: WebSocketStream<S>) -> (Self, mpsc::Receiver<Incoming>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (out, commands) = mpsc::channel(256);
        let (pushes, incoming) = mpsc::channel(PUSHES_MAX);
        let pending = Pending::default();
        let task = tokio::spawn(run(socket, commands, pushes, pending.clone()));
        (Self { out, pending, next_id: AtomicU32::new(1), task }, incoming)
    }

    /// Opens a socket and signs in. Answers with the connect result too.
    pub async fn connect(
        url: &str,
        token: &str,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Incoming>, Value)> {
        let (client, incoming) = Self::open(url).await?;
        let result = client
            .command("connect", json!({"token": token, "name": "testkit"}))
            .await
            .context("connect")?;
        Ok((client, incoming, result))
    }

    /// Sends a command and waits for its reply, 5 s at most.
    pub async fn command(&self, verb: &str, arguments: Value) -> Result<Value, CommandError> {
        self.begin(verb, arguments).await?.wait().await
    }

    /// Sends a command; the answer is waited for apart, so that commands can be pipelined.
    pub async fn begin(&self, verb: &str, arguments: Value) -> Result<Answer, CommandError> {
        let (done, answer) = oneshot::channel();
        self.post(verb, arguments, Waiting::Caller(done)).await?;
        Ok(Answer { answer })
    }

    /// Sends a command whose reply comes among the pushes, as [`Incoming::Reply`] with the id answered here.
    pub async fn begin_in_band(&self, verb: &str, arguments: Value) -> Result<u32, CommandError> {
        self.post(verb, arguments, Waiting::InBand).await
    }

    async fn post(&self, verb: &str, arguments: Value, to: Waiting) -> Result<u32, CommandError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.pending.lock().insert(id, to);
        let text = json!({"id": id, verb: arguments}).to_string();
        if self.out.send(Message::text(text)).await.is_err() {
            self.pending.lock().remove(&id);
            return Err(CommandError::Unanswered("the connection is closed"));
        }
        Ok(id)
    }

    /// Subscribes to a room from a position, or from now.
    pub async fn subscribe(
        &self,
        room: &str,
        position: Option<(&str, u64)>,
    ) -> Result<Subscribed, CommandError> {
        let arguments = match position {
            Some((epoch, offset)) => {
                json!({"channel": room, "recover": true, "epoch": epoch, "offset": offset})
            }
            None => {
                json!({"channel": room, "positioned": true, "recoverable": true, "join_leave": true})
            }
        };
        let result = self.command("subscribe", arguments).await?;
        serde_json::from_value(result)
            .map_err(|_| CommandError::Unanswered("an unreadable subscribe result"))
    }

    /// Sends bytes as one frame, whatever they say.
    pub async fn raw(&self, message: Message) -> anyhow::Result<()> {
        self.out.send(message).await.context("the connection is closed")
    }

    /// Cuts the connection without a close handshake.
    pub fn cut(&self) {
        self.task.abort();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A reply on its way.
pub struct Answer {
    answer: oneshot::Receiver<Result<Value, Refusal>>,
}

impl Answer {
    /// Waits for it, 5 s at most.
    pub async fn wait(self) -> Result<Value, CommandError> {
        match tokio::time::timeout(COMMAND_WAIT, self.answer).await {
            Err(_) => Err(CommandError::Unanswered("no reply within 5 s")),
            Ok(Err(_)) => Err(CommandError::Unanswered("the connection ended")),
            Ok(Ok(Err(refusal))) => Err(CommandError::Refused(refusal)),
            Ok(Ok(Ok(result))) => Ok(result),
        }
    }
}

async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    mut commands: mpsc::Receiver<Message>,
    pushes: mpsc::Sender<Incoming>,
    pending: Pending,
) {
    let (mut sink, mut stream) = socket.split();
    let mut closed = (1006, String::new());
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(message) => if sink.send(message).await.is_err() { break },
                None => break,
            },
            frame = stream.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    match take(&text, &pushes, &pending).await {
                        Ok(true) => if sink.send(Message::text("{}")).await.is_err() { break },
                        Ok(false) => {}
                        Err(error) => {
                            closed = (0, format!("the server broke the protocol: {error}"));
                            break;
                        }
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    if let Some(frame) = frame {
                        closed = (frame.code.into(), frame.reason.to_string());
                    }
                    let _ = sink.close().await;
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    pending.lock().clear();
    let _ = pushes.send(Incoming::Closed(closed.0, closed.1)).await;
}

/// Takes one frame apart; answers whether it held a ping.
async fn take(
    text: &str,
    pushes: &mpsc::Sender<Incoming>,
    pending: &Pending,
) -> anyhow::Result<bool> {
    let mut ping = false;
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let mut frame: Frame = serde_json::from_str(line).with_context(|| line.to_owned())?;
        if let Some(push) = frame.push {
            if pushes.send(Incoming::Push(push)).await.is_err() {
                bail!("nobody listens");
            }
        } else if frame.id == 0 {
            ping = true;
        } else if let Some(to) = { pending.lock().remove(&frame.id) } {
            let result = match frame.error {
                Some(refusal) => Err(refusal),
                None => Ok(frame.results.drain().next().context("a reply without a result")?.1),
            };
            match to {
                Waiting::Caller(done) => drop(done.send(result)),
                Waiting::InBand => {
                    if pushes.send(Incoming::Reply(frame.id, result)).await.is_err() {
                        bail!("nobody listens");
                    }
                }
            }
        } else {
            bail!("a reply to no command: {line}");
        }
    }
    Ok(ping)
}
