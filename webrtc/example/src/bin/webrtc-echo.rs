//! The native peer: commands as lines on standard input, events as JSON, one a line, on standard output.
//! Invariant: every line gets one answer, which repeats it as `command`; the last event is `bye`.
//! Not here: the commands (`command`), carrying them out (`node`).
//!
//! `webrtc-echo [--relay-server] [--webrtc-v1 | --webrtc-v2] [--listen MULTIADDR]...`

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    native::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::io::Write as _;
    use std::pin::pin;
    use std::process::ExitCode;
    use std::rc::Rc;

    use futures::channel::{mpsc, oneshot};
    use futures::future::select;
    use futures::stream::FuturesUnordered;
    use futures::{SinkExt as _, StreamExt as _};
    use peerloom_webrtc::direct::Version;
    use peerloom_webrtc_example::limits::{COMMANDS, LINE_BYTES_MAX};
    use peerloom_webrtc_example::node::{Node, Order, Setup};
    use serde_json::{Value, json};
    use tokio_util::codec::{FramedRead, LinesCodec};
    use web_time::Instant;

    const USAGE: u8 = 2;

    /// One line on standard output. A reader that has gone cannot be told so, hence the process ends.
    fn print(event: &Value) {
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{event}").and_then(|()| out.flush()).is_err() {
            std::process::exit(1);
        }
    }

    fn failure(command: &str, error: &str) {
        print(&json!({ "event": "error", "command": command, "error": error }));
    }

    /// What the command line says.
    fn options() -> Result<Setup, String> {
        let mut setup = Setup::default();
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--relay-server" => setup.is_relay = true,
                "--webrtc-v1" => setup.only = Some(Version::V1),
                "--webrtc-v2" => setup.only = Some(Version::V2),
                "--listen" => {
                    let address = args.next().ok_or("--listen needs a multiaddress")?;
                    let parsed = address.parse().map_err(|error| format!("{address}: {error}"))?;
                    setup.listen.push(parsed);
                }
                other => return Err(format!("unexpected argument `{other}`")),
            }
        }
        Ok(setup)
    }

    pub(super) fn main() -> ExitCode {
        let setup = match options() {
            Ok(setup) => setup,
            Err(why) => {
                failure("start", &why);
                return ExitCode::from(USAGE);
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let done = match runtime {
            Ok(runtime) => runtime.block_on(run(setup)),
            Err(error) => Err(error.to_string()),
        };
        match done {
            Ok(()) => {
                print(&json!({ "event": "bye" }));
                // Not waiting for the thread that reads standard input, which may never end.
                std::process::exit(0)
            }
            Err(why) => {
                failure("start", &why);
                std::process::exit(1)
            }
        }
    }

    /// Until `quit`, which drops what is under way, or the end of the input, which lets it finish.
    async fn run(setup: Setup) -> Result<(), String> {
        let report = Rc::new(|event: Value| print(&event));
        let node = Node::new(setup, report).map_err(|error| error.to_string())?;
        let (orders, all) = mpsc::channel(COMMANDS);
        select(pin!(node.run(all)), pin!(obey(orders))).await;
        Ok(())
    }

    async fn obey(orders: mpsc::Sender<Order>) {
        let codec = LinesCodec::new_with_max_length(LINE_BYTES_MAX);
        let mut lines = FramedRead::new(tokio::io::stdin(), codec);
        let mut open = true;
        let mut answers = FuturesUnordered::new();
        while open || !answers.is_empty() {
            tokio::select! {
                line = lines.next(), if open => match line {
                    Some(Ok(line)) if line.trim() == "quit" => return,
                    Some(Ok(line)) if line.trim().is_empty() => {}
                    Some(Ok(line)) => answers.push(ask(orders.clone(), line.trim().to_owned())),
                    Some(Err(error)) => failure("read", &error.to_string()),
                    None => open = false,
                },
                Some(()) = answers.next() => {}
            }
        }
    }

    async fn ask(mut orders: mpsc::Sender<Order>, line: String) {
        let start = Instant::now();
        let command = match line.parse() {
            Ok(command) => command,
            Err(error) => return failure(&line, &format!("{error}")),
        };
        let (answer, answered) = oneshot::channel();
        if orders.send(Order { command, answer }).await.is_err() {
            return failure(&line, "the peer has ended");
        }
        match answered.await {
            Ok(Ok(Value::Object(mut fields))) => {
                fields.insert("event".to_owned(), "done".into());
                fields.insert("command".to_owned(), line.into());
                fields.insert("ms".to_owned(), (start.elapsed().as_secs_f64() * 1000.0).into());
                print(&Value::Object(fields));
            }
            Ok(Ok(other)) => print(&other),
            Ok(Err(why)) => failure(&line, &why),
            Err(_) => failure(&line, "the connection is gone"),
        }
    }
}
