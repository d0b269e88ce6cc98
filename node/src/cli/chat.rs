//! `peerloom chat`: talk in a room through the running node.
//! Invariant: a line from a pipe is either sent or reported; none is dropped in silence.
//! Not here: rooms and messages themselves; the node stays in the room when the chat ends.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::styling::AnsiColor;
use peerloom_shared::limits;
use peerloom_shared::view::{Message, PeerEvent, RoomInfo};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, Events};
use super::output::{coloured, dim, error_text, stdin_is_terminal};
use super::{Failures, Outcome, Session, room};
use crate::error::{Exit, Failure, codes};
use crate::text::{lines, one_line, short_id};

/// Arguments of `chat`.
#[derive(Debug, Args)]
pub struct ChatArgs {
    /// The room; it is joined when the node is not in it yet
    #[arg(value_name = "ROOM")]
    room: String,
    /// Name shown to others from now on
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
}

/// What wakes the chat up.
enum Input {
    Line(io::Result<String>),
    LinesEnd,
    Event(Box<PeerEvent>),
    EventsEnd,
}

#[derive(Deserialize)]
struct Recent {
    messages: Vec<Message>,
}

/// Talks in a room until standard input ends, `/quit`, or the node is gone.
///
/// # Errors
/// What the node reported, or why it could not be asked.
pub fn run(session: &Session, args: &ChatArgs) -> Outcome {
    let room = room::checked(&args.room)?;
    let client = session.client()?;
    let mut join = json!({ "room": room });
    if let (Some(object), Some(name)) = (join.as_object_mut(), &args.name) {
        object.insert("name".to_owned(), json!(name));
    }
    let _joined: Value = client.post("/api/v1/rooms/join", &join)?;
    // Before the history, so that no message falls between the two.
    let events = client.events()?;
    let typed = stdin_is_terminal();
    let mut chat = Chat {
        session,
        client: &client,
        room,
        typed,
        names: BTreeMap::new(),
        shown: Recently::default(),
    };
    chat.begin()?;
    let (sender, inputs) = sync_channel(limits::CHAT_QUEUE_MAX);
    read_events(events, sender.clone());
    read_lines(sender);
    chat.talk(&inputs)
}

// Both readers block in system calls that nothing can interrupt; they end with the process.
fn read_events(mut events: Events, sender: SyncSender<Input>) {
    thread::spawn(move || {
        while let Some(event) = events.wait() {
            if sender.send(Input::Event(Box::new(event))).is_err() {
                return;
            }
        }
        sender.send(Input::EventsEnd).unwrap_or_default();
    });
}

fn read_lines(sender: SyncSender<Input>) {
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let failed = line.is_err();
            if sender.send(Input::Line(line)).is_err() || failed {
                return;
            }
        }
        sender.send(Input::LinesEnd).unwrap_or_default();
    });
}

/// Ids of messages that were shown or sent, as many as the node keeps for late readers.
#[derive(Default)]
struct Recently {
    ids: std::collections::BTreeSet<String>,
    order: std::collections::VecDeque<String>,
}

impl Recently {
    /// Remembers an id; `false` when it was known.
    fn note(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > limits::ROOM_RECENT_MAX {
            let oldest = self.order.pop_front();
            oldest.map(|oldest| self.ids.remove(&oldest));
        }
        true
    }
}

struct Chat<'a> {
    session: &'a Session,
    client: &'a Client,
    room: String,
    /// A person types, rather than a program.
    typed: bool,
    names: BTreeMap<String, String>,
    shown: Recently,
}

impl Chat<'_> {
    fn begin(&mut self) -> Result<(), Failures> {
        let info = self.info()?;
        for member in info.iter().flat_map(|info| &info.members) {
            self.learn(&member.id, member.name.as_deref());
        }
        let path =
            format!("/api/v1/rooms/messages?room={}&limit={}", self.room, limits::CHAT_HISTORY);
        let Recent { messages } = self.client.get(&path)?;
        for message in messages {
            self.show(&message)?;
        }
        let people = info.map(|info| self.people(&info)).unwrap_or_default();
        self.remark(&format!("in room {}: {people}", self.room));
        if self.typed {
            self.remark("type a message and Enter; /members, /quit");
        }
        Ok(())
    }

    fn info(&self) -> Result<Option<RoomInfo>, Failure> {
        let (_, rooms) = room::rooms(self.client)?;
        Ok(rooms.into_iter().find(|info| info.name == self.room))
    }

    fn people(&self, info: &RoomInfo) -> String {
        let names: Vec<_> = info.members.iter().map(|member| self.label(&member.id)).collect();
        match names.len() {
            0 => room::people(0),
            count => format!("{} ({})", room::people(count), names.join(", ")),
        }
    }

    fn talk(&mut self, inputs: &Receiver<Input>) -> Outcome {
        // The channel ends only when both readers have, which say so first.
        while let Ok(input) = inputs.recv() {
            match input {
                Input::Event(event) => self.event(*event)?,
                Input::LinesEnd => return self.end(),
                Input::EventsEnd => {
                    let text = "the node has stopped or closed the stream of events";
                    return Err(Failure::new(&codes::NODE_003, text).into());
                }
                Input::Line(line) => {
                    let line = line.map_err(|error| {
                        let text = format!("cannot read standard input: {error}");
                        Failure::new(&codes::CLI_002, text)
                    })?;
                    match self.command(&line)? {
                        Command::Say(text) => self.say(&text)?,
                        Command::Done => {}
                        Command::Quit => return self.end(),
                    }
                }
            }
        }
        Ok(Exit::DONE)
    }

    fn end(&self) -> Outcome {
        if self.typed {
            let room = &self.room;
            self.remark(&format!("the node stays in the room; peerloom room leave {room}"));
        }
        Ok(Exit::DONE)
    }

    fn command(&self, line: &str) -> Result<Command, Failures> {
        let command = command(line, self.typed);
        match &command {
            Command::Done if line.trim() == "/members" => {
                if let Some(info) = self.info()? {
                    self.remark(&self.people(&info));
                }
            }
            Command::Done if !line.trim().is_empty() => {
                self.remark("commands are /members and /quit; // sends a line that begins with /");
            }
            Command::Done | Command::Say(_) | Command::Quit => {}
        }
        Ok(command)
    }

    /// Sends a text. While nobody is there to take it, a pipe waits and tries again; a person is
    /// told at once.
    fn say(&mut self, text: &str) -> Result<(), Failures> {
        let body = json!({ "room": self.room, "text": text });
        let began = Instant::now();
        loop {
            let failure = match self.client.post::<Message>("/api/v1/rooms/send", &body) {
                Ok(message) => return self.sent(&message),
                Err(failure) => failure,
            };
            let gone = failure.is(&codes::CLI_003);
            if self.typed && !gone {
                self.session.out.note(&error_text(&failure));
                return Ok(());
            }
            if gone || !failure.retryable() || began.elapsed() > self.client.timeout() {
                return Err(failure.into());
            }
            thread::park_timeout(Duration::from_millis(limits::CHAT_RETRY_MS));
        }
    }

    fn sent(&mut self, message: &Message) -> Result<(), Failures> {
        // The event of the same message may come before or after this answer.
        let new = self.shown.note(&message.id);
        if new && self.session.out.is_json() {
            self.session.out.json(message)?;
        }
        Ok(())
    }

    fn event(&mut self, event: PeerEvent) -> Result<(), Failures> {
        match event {
            PeerEvent::Message { message } if message.room == self.room => self.show(&message),
            PeerEvent::Member { room, id, name, present } if room == self.room => {
                let known = self.names.contains_key(&id);
                self.learn(&id, name.as_deref());
                let label = self.label(&id);
                match (present, known) {
                    (true, false) => self.remark(&format!("{label} is here")),
                    (false, _) => {
                        self.names.remove(&id);
                        self.remark(&format!("{label} has left"));
                    }
                    (true, true) => {}
                }
                Ok(())
            }
            PeerEvent::Gap { lost } => {
                self.remark(&format!("{lost} events were lost; messages may be missing"));
                Ok(())
            }
            PeerEvent::Message { .. }
            | PeerEvent::Member { .. }
            | PeerEvent::Status { .. }
            | PeerEvent::PolicyReloaded { .. }
            | PeerEvent::PolicyFailed { .. } => Ok(()),
        }
    }

    fn show(&mut self, message: &Message) -> Result<(), Failures> {
        if !self.shown.note(&message.id) {
            return Ok(());
        }
        if self.session.out.is_json() {
            return self.session.out.json(message);
        }
        let author = if message.own {
            dim("me")
        } else {
            coloured(AnsiColor::Cyan, &self.label(&message.author))
        };
        // Lines after the first one are set in, so that nobody can fake another author's line.
        let text = lines(&message.text).replace('\n', "\n    ");
        self.session.out.data(&format!("{author}: {text}"))
    }

    fn learn(&mut self, id: &str, name: Option<&str>) {
        let name = name.map(one_line).unwrap_or_default();
        if self.names.len() < limits::ROOM_MEMBERS_MAX || self.names.contains_key(id) {
            self.names.insert(id.to_owned(), name);
        }
    }

    /// The name that an author gives itself, and always the id, because names prove nothing.
    fn label(&self, id: &str) -> String {
        let shown = if self.session.out.is_plain() { one_line(id) } else { short_id(id) };
        match self.names.get(id).filter(|name| !name.is_empty()) {
            Some(name) => format!("{name} ({shown})"),
            None => shown,
        }
    }

    fn remark(&self, text: &str) {
        self.session.out.note(&dim(&format!("* {text}")));
    }
}

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    Say(String),
    Quit,
    Done,
}

fn command(line: &str, typed: bool) -> Command {
    let word = line.trim();
    if word == "/quit" {
        Command::Quit
    } else if word.is_empty() {
        Command::Done
    } else if !typed || !word.starts_with('/') {
        // A program's lines are texts, whatever they begin with.
        Command::Say(line.to_owned())
    } else if let Some(rest) = word.strip_prefix("//") {
        Command::Say(format!("/{rest}"))
    } else {
        Command::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_texts_or_commands() {
        let say = |text: &str| Command::Say(text.to_owned());
        for (line, typed, wanted) in [
            ("hello", true, say("hello")),
            ("  indented", false, say("  indented")),
            ("/quit", true, Command::Quit),
            ("/quit", false, Command::Quit),
            ("/members", true, Command::Done),
            ("/mebers", true, Command::Done),
            ("/etc/passwd", false, say("/etc/passwd")),
            ("//slash", true, say("/slash")),
            ("   ", false, Command::Done),
        ] {
            assert_eq!(command(line, typed), wanted, "{line:?}");
        }
    }

    #[test]
    fn a_message_is_shown_once_and_memory_is_bounded() {
        let mut recently = Recently::default();
        assert!(recently.note("a") && !recently.note("a"));
        for number in 0..limits::ROOM_RECENT_MAX {
            assert!(recently.note(&number.to_string()));
        }
        assert_eq!(recently.ids.len(), limits::ROOM_RECENT_MAX);
        assert!(recently.note("a"), "forgotten by now");
    }
}
