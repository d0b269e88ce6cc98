//! One open WebSocket as a stream of bytes.
//! Invariant: no borrow of `Shared` is held while a waker runs or the browser can call back.
//! Not here: which URL to open and how long to wait for it.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, FutureExt};
use futures_timer::Delay;
use js_sys::{ArrayBuffer, Uint8Array};
use peerloom_shared::limits::{
    WEBSOCKET_BUFFERED_BYTES_HIGH, WEBSOCKET_INCOMING_BYTES_MAX, WEBSOCKET_INCOMING_MAX,
    WEBSOCKET_MESSAGE_BYTES_MAX, WEBSOCKET_RECHECK_MS, WEBSOCKET_SEND_BYTES_MAX,
};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use super::{CLOSE_NORMAL, CLOSE_NOT_BINARY, CLOSE_TOO_FAST, CLOSE_TOO_LARGE};
use crate::dom::{Listener, describe};

/// A WebSocket as bytes. Dropping it closes the socket.
///
/// A flush is done as soon as the browser has the data: waiting until it is on the wire would
/// delay every step of a handshake, and the browser tells no event for it.
pub struct Connection {
    // libp2p asks for Send on every target. A page has one thread, and SendWrapper checks that.
    inner: SendWrapper<Inner>,
}

struct Inner {
    socket: WebSocket,
    shared: Rc<RefCell<Shared>>,
    /// Runs only while a writer waits for the browser's buffer.
    recheck: Option<Delay>,
    _listeners: [Listener; 3],
}

/// What the event listeners tell the stream.
struct Shared {
    state: State,
    incoming: VecDeque<Vec<u8>>,
    incoming_bytes: usize,
    /// Bytes of the first message that were read already.
    consumed: usize,
    reader: Option<Waker>,
    /// Waits for open, or for room to write.
    writer: Option<Waker>,
}

enum State {
    Opening,
    Open,
    /// The other side said goodbye: what came before can be read, then the stream ends.
    Finished,
    Failed(io::ErrorKind, String),
}

impl Connection {
    /// Creates the socket; [`Self::poll_open`] tells when it can be used.
    pub(super) fn start(url: &str) -> io::Result<Self> {
        let socket = WebSocket::new(url).map_err(|error| {
            let text = format!("the browser refused to open {url}: {}", describe(&error));
            io::Error::new(io::ErrorKind::PermissionDenied, text)
        })?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let shared = Rc::new(RefCell::new(Shared::new()));
        let listeners =
            listen(&socket, &shared, url).map_err(|e| io::Error::other(describe(&e)))?;
        let inner = Inner { socket, shared, recheck: None, _listeners: listeners };
        Ok(Self { inner: SendWrapper::new(inner) })
    }

    /// Ready when the socket is open, or with the reason why it never will be.
    pub(super) fn poll_open(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.inner.shared.borrow_mut();
        if matches!(shared.state, State::Opening) {
            shared.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(shared.check_writable())
    }
}

impl Inner {
    /// Ready when the browser holds little enough that more may be handed over.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.socket.buffered_amount() > WEBSOCKET_BUFFERED_BYTES_HIGH {
            let pause = || Delay::new(Duration::from_millis(WEBSOCKET_RECHECK_MS));
            if self.recheck.get_or_insert_with(pause).poll_unpin(cx).is_pending() {
                // An incoming message wakes the writer too: it often means that ours arrived.
                self.shared.borrow_mut().writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            self.recheck = None;
        }
        self.recheck = None;
        Poll::Ready(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut shared = self.inner.shared.borrow_mut();
        let count = shared.take_into(buf);
        if count > 0 || buf.is_empty() {
            return Poll::Ready(Ok(count));
        }
        match &shared.state {
            State::Finished => Poll::Ready(Ok(0)),
            State::Failed(kind, text) => Poll::Ready(Err(io::Error::new(*kind, text.clone()))),
            State::Opening | State::Open => {
                shared.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner.shared.borrow().check_writable()?;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        futures::ready!(self.inner.poll_room(cx));
        let message = buf.get(..WEBSOCKET_SEND_BYTES_MAX).unwrap_or(buf);
        let sent = self.inner.socket.send_with_u8_array(message);
        Poll::Ready(match sent {
            Ok(()) => Ok(message.len()),
            Err(error) => Err(io::Error::new(io::ErrorKind::BrokenPipe, describe(&error))),
        })
    }

    /// Never an error: after the end it would keep the reader from the last bytes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The browser sends what it holds and then says goodbye; there is nothing left to wait for.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        close(&self.inner.socket, CLOSE_NORMAL);
        self.inner.shared.borrow_mut().end(State::Finished);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The listeners fall right after this, before the browser can report the close.
        close(&self.socket, CLOSE_NORMAL);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("url", &self.inner.socket.url()).finish_non_exhaustive()
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            state: State::Opening,
            incoming: VecDeque::new(),
            incoming_bytes: 0,
            consumed: 0,
            reader: None,
            writer: None,
        }
    }

    fn opened(&mut self) {
        if matches!(self.state, State::Opening) {
            self.state = State::Open;
        }
    }

    /// The first end counts: a close that follows our own refusal would only hide its reason.
    fn end(&mut self, state: State) {
        if matches!(self.state, State::Opening | State::Open) {
            self.state = state;
        }
    }

    /// After a broken rule nothing of this peer is read any more.
    fn refuse(&mut self, text: &str) {
        self.end(State::Failed(io::ErrorKind::InvalidData, text.to_owned()));
        self.incoming.clear();
        self.incoming_bytes = 0;
        self.consumed = 0;
    }

    fn check_writable(&self) -> io::Result<()> {
        match &self.state {
            State::Open => Ok(()),
            State::Opening => Err(io::ErrorKind::NotConnected.into()),
            State::Finished => {
                Err(io::Error::new(io::ErrorKind::BrokenPipe, "the WebSocket is closed"))
            }
            State::Failed(kind, text) => Err(io::Error::new(*kind, text.clone())),
        }
    }

    /// Queues one message, or tells the close code and text with which to refuse it.
    fn push(&mut self, data: &JsValue) -> Result<(), (u16, &'static str)> {
        if !matches!(self.state, State::Open) {
            return Ok(());
        }
        let Some(buffer) = data.dyn_ref::<ArrayBuffer>() else {
            return Err((CLOSE_NOT_BINARY, "the other side sent text instead of bytes"));
        };
        let length = usize::try_from(buffer.byte_length()).unwrap_or(usize::MAX);
        if length > WEBSOCKET_MESSAGE_BYTES_MAX {
            return Err((CLOSE_TOO_LARGE, "the other side sent a message over 128 KiB"));
        }
        let bytes = self.incoming_bytes.saturating_add(length);
        if self.incoming.len() >= WEBSOCKET_INCOMING_MAX || bytes > WEBSOCKET_INCOMING_BYTES_MAX {
            return Err((CLOSE_TOO_FAST, "the other side sent faster than we could read"));
        }
        // An empty message would look like the end of the stream.
        if length > 0 {
            self.incoming.push_back(Uint8Array::new(buffer).to_vec());
            self.incoming_bytes = bytes;
        }
        Ok(())
    }

    /// Moves queued bytes into `buf` and returns how many.
    fn take_into(&mut self, buf: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(message) = self.incoming.front() {
            let source = message.get(self.consumed..).unwrap_or_default();
            let target = buf.get_mut(filled..).unwrap_or_default();
            let count = source.len().min(target.len());
            if let (Some(from), Some(to)) = (source.get(..count), target.get_mut(..count)) {
                to.copy_from_slice(from);
            }
            filled = filled.saturating_add(count);
            self.consumed = self.consumed.saturating_add(count);
            if self.consumed < message.len() {
                break;
            }
            self.incoming_bytes = self.incoming_bytes.saturating_sub(message.len());
            self.incoming.pop_front();
            self.consumed = 0;
        }
        filled
    }
}

fn listen(
    socket: &WebSocket,
    shared: &Rc<RefCell<Shared>>,
    url: &str,
) -> Result<[Listener; 3], JsValue> {
    let opened = shared.clone();
    let on_open = Listener::new(socket, &["open"], move |_| {
        opened.borrow_mut().opened();
        wake(&opened);
    })?;
    let received = shared.clone();
    let for_refusal = socket.clone();
    let on_message = Listener::new(socket, &["message"], move |event| {
        let Some(event) = event.dyn_ref::<MessageEvent>() else {
            return;
        };
        let outcome = received.borrow_mut().push(&event.data());
        if let Err((code, text)) = outcome {
            received.borrow_mut().refuse(text);
            close(&for_refusal, code);
        }
        wake(&received);
    })?;
    let (closed, url) = (shared.clone(), url.to_owned());
    // The browser tells nothing in an error event, and a close event always follows it.
    let on_close = Listener::new(socket, &["close"], move |event| {
        let opening = matches!(closed.borrow().state, State::Opening);
        let end = if opening { never_opened(&url, &event) } else { ended(&event) };
        closed.borrow_mut().end(end);
        wake(&closed);
    })?;
    Ok([on_open, on_message, on_close])
}

fn never_opened(url: &str, event: &Event) -> State {
    let code = event.dyn_ref::<CloseEvent>().map_or(0, CloseEvent::code);
    let text = format!(
        "no WebSocket at {url}: connection refused, no answer, or blocked by the browser \
         (closed with code {code})"
    );
    State::Failed(io::ErrorKind::ConnectionRefused, text)
}

/// 1000, 1001 (going away) and 1005 (no code given) are goodbyes; every other code is a failure.
fn ended(event: &Event) -> State {
    let Some(event) = event.dyn_ref::<CloseEvent>() else {
        return State::Failed(io::ErrorKind::ConnectionReset, "the WebSocket was closed".into());
    };
    let (code, reason) = (event.code(), event.reason());
    if event.was_clean() && matches!(code, 1000 | 1001 | 1005) {
        return State::Finished;
    }
    let said = if reason.is_empty() { String::new() } else { format!(": {reason:?}") };
    let text = format!("the WebSocket was closed with code {code}{said}");
    State::Failed(io::ErrorKind::ConnectionReset, text)
}

fn wake(shared: &RefCell<Shared>) {
    let mut guard = shared.borrow_mut();
    let wakers = [guard.reader.take(), guard.writer.take()];
    drop(guard);
    wakers.into_iter().flatten().for_each(Waker::wake);
}

/// Closing twice is harmless, and the codes above are all ones a page may use.
fn close(socket: &WebSocket, code: u16) {
    drop(socket.close_with_code(code));
}
