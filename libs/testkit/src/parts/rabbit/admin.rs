//! What an operator does to a broker: vhosts, lists, alarms, deletions, closed connections.
//!
//! Most of it is one Erlang expression, evaluated in the node by `erl_call`, which answers in
//! milliseconds where `rabbitmqctl` takes a third of a second and more.
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use super::super::blocking;
use super::super::process::output;
use super::{Inner, Rabbit};

/// A vhost of a test's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vhost {
    /// Its name, also the last part of the url.
    pub name: String,
    /// `amqp://guest:guest@127.0.0.1:<port>/<name>`
    pub url: String,
}

/// One binding of a queue, as the broker has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// The exchange; empty for the default one, to which every queue is bound by its name.
    pub exchange: String,
    /// The routing key.
    pub key: String,
    /// The queue.
    pub queue: String,
}

/// One queue and its counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Messages in it, ready and unacknowledged.
    pub messages: u64,
    /// Those of them that a consumer holds unacknowledged.
    pub unacknowledged: u64,
    /// Its consumers.
    pub consumers: u64,
}

impl Rabbit {
    /// Makes an empty vhost for a test, with full rights for `guest`.
    pub async fn new_vhost(&self) -> Result<Vhost> {
        let name = format!("test-{}", uuid::Uuid::new_v4().simple());
        // The log is synced so that the vhost is still there after a kill.
        let text = format!(
            "ok = rabbit_vhost:add(<<\"{name}\">>, <<\"test\">>), \
             ok = rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, <<\"{name}\">>, \
             <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"test\">>), mnesia:sync_log()."
        );
        let answer = self.eval(&text).await?;
        if answer != "{ok, ok}" {
            bail!("no vhost was made: {answer}");
        }
        Ok(Vhost { url: self.0.url(&name), name })
    }

    /// Evaluates an Erlang expression in the node; the answer is `{ok, Value}` if it did not fail.
    pub async fn eval(&self, expression: &str) -> Result<String> {
        let (inner, text) = (self.0.clone(), expression.to_owned());
        blocking(move || inner.eval(&text)).await
    }

    /// Runs `rabbitmqctl` with these arguments and gives what it prints.
    pub async fn ctl(&self, args: &[&str]) -> Result<String> {
        let inner = self.0.clone();
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        blocking(move || {
            let mut command = inner.ctl.command(&inner.ctl.program);
            output(command.arg("-q").args(args))
        })
        .await
    }

    /// All bindings of queues in a vhost to named exchanges, sorted.
    pub async fn bindings(&self, vhost: &str) -> Result<Vec<Binding>> {
        let text = format!(
            "[io:format(\"~s\\t~s\\t~s~n\", [X, K, Q]) || \
             {{binding, {{resource, _, exchange, X}}, K, {{resource, _, queue, Q}}, _}} <- \
             rabbit_binding:list(<<\"{vhost}\">>), X =/= <<>>], ok."
        );
        let mut found = self
            .rows(&text)
            .await?
            .into_iter()
            .map(|row| match <[String; 3]>::try_from(row) {
                Ok([exchange, key, queue]) => Ok(Binding { exchange, key, queue }),
                Err(row) => Err(anyhow!("no binding: {row:?}")),
            })
            .collect::<Result<Vec<_>>>()?;
        found.sort();
        Ok(found)
    }

    /// All queues of a vhost.
    pub async fn queues(&self, vhost: &str) -> Result<Vec<Queue>> {
        let text = format!(
            "[io:format(\"~s\\t~b\\t~b\\t~b~n\", [N, M, U, C]) || \
             [{{name, {{resource, _, queue, N}}}}, {{messages, M}}, \
             {{messages_unacknowledged, U}}, {{consumers, C}}] <- \
             rabbit_amqqueue:info_all(<<\"{vhost}\">>, \
             [name, messages, messages_unacknowledged, consumers])], ok."
        );
        self.rows(&text)
            .await?
            .into_iter()
            .map(|row| match <[String; 4]>::try_from(row) {
                Ok([name, messages, held, consumers]) => Ok(Queue {
                    name,
                    messages: messages.parse()?,
                    unacknowledged: held.parse()?,
                    consumers: consumers.parse()?,
                }),
                Err(row) => Err(anyhow!("no queue: {row:?}")),
            })
            .collect()
    }

    /// Raises the memory alarm (publishers of all vhosts are blocked) or ends it.
    pub async fn memory_alarm(&self, on: bool) -> Result<()> {
        let mark = if on { "0.00001" } else { "0.6" };
        self.eval(&format!("vm_memory_monitor:set_vm_memory_high_watermark({mark})."))
            .await
            .map(|_| ())
    }

    /// Deletes a queue, whoever holds it.
    pub async fn delete_queue(&self, vhost: &str, queue: &str) -> Result<()> {
        self.act(&format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"{vhost}\">>, queue, \
             <<\"{queue}\">>)), {{ok, _}} = rabbit_amqqueue:delete(Q, false, false, <<\"test\">>), ok."
        ))
        .await
    }

    /// Deletes an exchange with its bindings.
    pub async fn delete_exchange(&self, vhost: &str, exchange: &str) -> Result<()> {
        self.act(&format!(
            "rabbit_exchange:delete(rabbit_misc:r(<<\"{vhost}\">>, exchange, \
             <<\"{exchange}\">>), false, <<\"test\">>)."
        ))
        .await
    }

    /// Closes all connections to a vhost, telling them `reason`.
    pub async fn close_connections(&self, vhost: &str, reason: &str) -> Result<()> {
        self.ctl(&["close_all_connections", "--vhost", vhost, reason]).await.map(|_| ())
    }

    async fn act(&self, expression: &str) -> Result<()> {
        match self.eval(expression).await?.as_str() {
            "{ok, ok}" => Ok(()),
            other => Err(anyhow!("the broker answered {other}")),
        }
    }

    async fn rows(&self, expression: &str) -> Result<Vec<Vec<String>>> {
        let (inner, text) = (self.0.clone(), expression.to_owned());
        let printed =
            blocking(move || inner.call(&["-fetch_stdout", "-no_result_term"], &text)).await?;
        Ok(printed.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }
}

impl Inner {
    pub(super) fn eval(&self, expression: &str) -> Result<String> {
        self.call(&[], expression)
    }

    fn call(&self, flags: &[&str], expression: &str) -> Result<String> {
        let address = format!("localhost:{}", self.dist_port);
        // A name for each call: the node refuses two callers of one name at a time.
        let name = format!("call{}", uuid::Uuid::new_v4().simple());
        let mut child = Command::new(&self.erl_call)
            .args(["-h", &name, "-timeout", "20", "-address", &address, "-c", &self.cookie])
            .args(flags)
            .arg("-e")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start erl_call")?;
        if let Some(mut input) = child.stdin.take() {
            // It reads whole lines. It may have ended already: then its answer says why.
            let _ = writeln!(input, "{expression}");
        }
        let done = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        if !done.status.success() {
            bail!("erl_call: {text}{}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(text)
    }
}
