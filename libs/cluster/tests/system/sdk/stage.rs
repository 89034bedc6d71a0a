//! What the stories of all SDKs are played on: two gateways, a door to each, and a stagehand.
//!
//! A script prints `want WISH` and gets one line for each: a token, or `done`. It prints `ok STEP`
//! when a step held; a story that does not take every step fails, as one that takes another does.
use std::process::{ExitStatus, Stdio};

use cluster::{Shape, System};
use testkit::issuer::Algorithm;
use testkit::issuer::TestKey;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdout, Command};

use super::door::Door;
use crate::s;

/// A system of two gateways, and a door to each.
pub struct Stage {
    /// The system.
    pub system: System,
    /// Doors; each leads to the gateway of its number while that lives.
    pub doors: [Door; 2],
    /// The door to what is sent beside a stream, to the gateway that no story kills. Who has a stream
    /// at the other one is heard there by way of this one.
    side_door: Door,
}

impl Stage {
    /// Starts it. A token counts until its very end, and 3 s of grace are left to refresh it; pings
    /// come while a story lasts; a story may say much at once; rooms of the kind `raw` take any bytes,
    /// and in those of the kind `cache` the newest item counts.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with further settings.
    pub async fn start_with(settings: &[(&'static str, String)]) -> Self {
        let few = Shape { gateways: 2, rooms: 1, presence: 1, auth: 1, ..Shape::processes() };
        let few = settings.iter().fold(few, |few, (key, value)| few.with(key, value));
        let shape = few
            .with("ROOMCAST_AUTH__LEEWAY_MS", 0)
            .with("ROOMCAST_GATEWAY__CONNECTION__EXPIRY_GRACE_MS", 3_000)
            .with("ROOMCAST_GATEWAY__CONNECTION__PING_MS", 2_000)
            .with("ROOMCAST_GATEWAY__LIMITS__PONG_MS", 1_900)
            .with("ROOMCAST_GATEWAY__LIMITS__COMMANDS_PER_SECOND", 1_000)
            .with("ROOMCAST_GATEWAY__LIMITS__COMMANDS_BURST", 1_000)
            .with("ROOMCAST_GATEWAY__LIMITS__USER_PUBLISHES_PER_SECOND", 1_000)
            .with("ROOMCAST_GATEWAY__HTTP__SSE", true)
            .with("ROOMCAST_ROOMS__KINDS__RAW__ENVELOPE", "none")
            .with("ROOMCAST_ROOMS__KINDS__CACHE__RECOVERY", "cache")
            .with("ROOMCAST_ROOMS__KINDS__DELTA__DELTA", true)
            .with("ROOMCAST_ROOMS__KINDS__SIFT__FILTERS", true);
        let system = shape.start().await.unwrap();
        let [first, second] = [system.gateways[0].port, system.gateways[1].port];
        let doors = [Door::open(vec![first, second]).await, Door::open(vec![second, first]).await];
        let side_door = Door::open(vec![first, second]).await;
        Self { system, doors, side_door }
    }

    /// A token of somebody that ends so many seconds from now.
    pub fn token(&self, name: &str, seconds: i64) -> String {
        self.system.outside().unwrap().issuer.token(name).ttl_s(seconds).sign()
    }

    /// A token that nobody trusted has signed.
    pub fn forged_token(&self, name: &str) -> String {
        let key = TestKey::generate(Algorithm::Es256).unwrap().into();
        self.system.outside().unwrap().issuer.token(name).forged_by(&key).sign()
    }

    /// Does what a script wants.
    async fn grant(&self, wish: &str) -> String {
        let words: Vec<&str> = wish.split(' ').collect();
        let number = |text: &str| text.parse::<usize>().expect("a number");
        match words[..] {
            ["token", name, seconds] => return self.token(name, seconds.parse().unwrap()),
            ["forged-token", name] => return self.forged_token(name),
            ["cut", door] => self.doors[number(door)].cut(),
            ["cut-twice", door] => self.doors[number(door)].cut_twice(),
            ["shut", door] => self.doors[number(door)].shut(),
            ["open", door] => self.doors[number(door)].reopen(),
            ["kill", gateway] => self.system.gateways[number(gateway)].kill9(),
            ["restart", gateway] => self.system.gateways[number(gateway)].restart().await.unwrap(),
            _ => panic!("nobody knows how to {wish}"),
        }
        "done".to_owned()
    }

    /// Plays a script to its end; it has to take exactly these steps, in any order.
    pub async fn play(&self, mut script: Command, steps: &[&str]) {
        let doors = self.doors.each_ref().map(|door| door.address().to_string());
        script.env("SIDE_DOOR", self.side_door.address().to_string());
        script.env("DOORS", doors.join(",")).env("NO_PROXY", "127.0.0.1").env("no_proxy", "*");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = script.kill_on_drop(true).spawn().expect("the script's program is there");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut complaints = child.stderr.take().unwrap();
        let complaints = tokio::spawn(async move {
            let mut text = String::new();
            let _ = complaints.read_to_string(&mut text).await;
            text
        });
        let mut taken = Vec::new();
        let play = async {
            self.attend(output, input, &mut taken).await;
            child.wait().await.unwrap()
        };
        let ended: Option<ExitStatus> = tokio::time::timeout(s(120), play).await.ok();
        if ended.is_none() {
            let _ = child.kill().await;
        }
        let complaints = complaints.await.unwrap();
        let fine = ended.is_some_and(|status| status.success());
        assert!(fine, "{ended:?} after {taken:?}\n{complaints}");
        taken.sort();
        let mut expected = steps.to_vec();
        expected.sort_unstable();
        assert_eq!(taken, expected, "{complaints}");
    }

    /// Reads what the script says until it ends.
    async fn attend(
        &self,
        output: ChildStdout,
        mut input: tokio::process::ChildStdin,
        taken: &mut Vec<String>,
    ) {
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            println!("{line}");
            if let Some(step) = line.strip_prefix("ok ") {
                taken.push(step.to_owned());
            } else if let Some(wish) = line.strip_prefix("want ") {
                let answer = self.grant(wish).await;
                // A script that has just failed reads no more; its end says so.
                let _ = input.write_all(format!("{answer}\n").as_bytes()).await;
            }
        }
    }
}
