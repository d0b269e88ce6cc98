//! The rows of the table "WebRTC streams", the marks of back-pressure, and how streams end.

use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::{Output, Read, Stream, StreamError, Write};
use crate::frame::{Decoder, Flag, Frame, FrameError, encode};
use crate::limits::StreamLimits;

mod pair;

const LIMITS: StreamLimits = StreamLimits::DEFAULT;
const START: Duration = Duration::ZERO;

fn message(flag: Option<Flag>, data: &[u8]) -> Bytes {
    encode(&Frame { flag, data: Bytes::copy_from_slice(data) })
}

fn flag(flag: Flag) -> Bytes {
    message(Some(flag), b"")
}

fn stream() -> Stream {
    Stream::new(LIMITS)
}

/// Everything that is to be done now. The channel sends at once.
fn outputs(stream: &mut Stream, now: Duration) -> Vec<Output> {
    let mut all = Vec::new();
    while let Some(output) = stream.poll_output() {
        let send = matches!(output, Output::Send(_));
        all.push(output);
        if send {
            stream.set_buffered(now, 0);
        }
    }
    all
}

fn send(with: Flag) -> Output {
    Output::Send(flag(with))
}

fn read_all(stream: &mut Stream) -> (Vec<u8>, Result<Read, StreamError>) {
    let mut all = Vec::new();
    let mut buffer = [0; 700];
    loop {
        match stream.read(&mut buffer) {
            Ok(Read::Taken(taken)) => all.extend_from_slice(&buffer[..taken]),
            end => return (all, end),
        }
    }
}

/// Both halves finished here, FIN sent and acknowledged, and FIN of the other side taken.
fn finished_both_ways() -> Stream {
    let mut stream = stream();
    stream.finish(START);
    stream.receive(START, flag(Flag::Fin));
    stream.receive(START, flag(Flag::FinAck));
    stream
}

#[test]
fn data_comes_before_the_flag_of_the_same_frame() {
    let mut fin = stream();
    fin.receive(START, message(Some(Flag::Fin), b"last words"));
    assert_eq!(read_all(&mut fin), (b"last words".to_vec(), Ok(Read::End)));

    let mut stop = stream();
    stop.receive(START, message(Some(Flag::StopSending), b"but read this"));
    assert_eq!(read_all(&mut stop), (b"but read this".to_vec(), Ok(Read::Pending)));
    assert_eq!(stop.write(b"x"), Err(StreamError::Stopped));
}

#[test]
fn a_frame_without_data_is_never_the_end() {
    let mut stream = stream();
    for flag in [None, Some(Flag::StopSending), Some(Flag::FinAck)] {
        stream.receive(START, message(flag, b""));
        assert_eq!(stream.read(&mut [0; 8]), Ok(Read::Pending), "{flag:?}");
    }
    assert_eq!(stream.ignored_frames(), 1);
    stream.receive(START, Bytes::new());
    assert_eq!(stream.ignored_frames(), 1, "an empty message is not a frame");
}

#[test]
fn a_flag_that_we_do_not_know_is_ignored_and_counted() {
    let mut stream = stream();
    stream.receive(START, Bytes::from_static(&[0x02, 0x08, 0x09]));
    assert_eq!(stream.ignored_frames(), 1);
    assert_eq!(outputs(&mut stream, START), []);
}

#[test]
fn fin_is_acknowledged_at_once_and_each_time() {
    let mut stream = stream();
    stream.receive(START, message(None, b"data"));
    for _ in 0..3 {
        stream.receive(START, flag(Flag::Fin));
        assert_eq!(outputs(&mut stream, START), [send(Flag::FinAck)], "before anything is read");
    }
    assert_eq!(read_all(&mut stream), (b"data".to_vec(), Ok(Read::End)));
}

#[test]
fn data_after_fin_is_ignored() {
    let mut stream = stream();
    stream.receive(START, message(Some(Flag::Fin), b"all"));
    stream.receive(START, message(None, b" and more"));
    assert_eq!(read_all(&mut stream), (b"all".to_vec(), Ok(Read::End)));
}

#[test]
fn a_flood_of_fin_does_not_grow_anything() {
    let mut stream = stream();
    let flood: Vec<u8> = (0..80_000).flat_map(|_| flag(Flag::Fin).to_vec()).collect();
    stream.receive(START, Bytes::from(flood));
    assert_eq!(outputs(&mut stream, START), [send(Flag::FinAck)]);

    // Nor the channel's buffer, when the other side takes nothing.
    let mut handed = 0;
    for _ in 0..200_000 {
        stream.receive(START, flag(Flag::Fin));
        while let Some(output) = stream.poll_output() {
            let Output::Send(message) = output else { panic!("{output:?}") };
            handed += message.len();
        }
    }
    assert!(handed <= LIMITS.send_high_bytes + LIMITS.send_frame_bytes + 3, "{handed}");
    stream.set_buffered(START, 0);
    assert_eq!(outputs(&mut stream, START), [send(Flag::FinAck)]);
}

#[test]
fn fin_ack_ends_the_writing_half_and_no_reader_sees_it() {
    let mut stream = stream();
    stream.finish(START);
    assert_eq!(outputs(&mut stream, START), [send(Flag::Fin), Output::WakeWriter]);
    assert_eq!(stream.next_wake(), Some(LIMITS.fin_ack));
    assert_eq!(stream.read(&mut [0; 8]), Ok(Read::Pending));
    stream.receive(START, flag(Flag::FinAck));
    assert_eq!(outputs(&mut stream, START), [], "no wake, no close");
    assert_eq!(stream.read(&mut [0; 8]), Ok(Read::Pending));
    assert_eq!(stream.next_wake(), None);
    assert_eq!(stream.write_is_finished(), Ok(true));
}

#[test]
fn a_made_up_fin_ack_costs_nothing() {
    let mut stream = stream();
    stream.receive(START, flag(Flag::FinAck));
    stream.receive(START, flag(Flag::Fin));
    assert_eq!(stream.write(b"data"), Ok(Write::Taken(4)));
    stream.finish(START);
    stream.receive(START, flag(Flag::FinAck));
    assert_eq!(
        outputs(&mut stream, START),
        [
            send(Flag::FinAck),
            Output::Send(message(None, b"data")),
            send(Flag::Fin),
            Output::WakeWriter
        ]
    );
}

#[test]
fn stop_sending_breaks_our_pipe_and_nothing_else() {
    let mut stream = stream();
    assert_eq!(stream.write(b"not handed over yet"), Ok(Write::Taken(19)));
    stream.receive(START, flag(Flag::StopSending));
    assert_eq!(stream.write(b"x"), Err(StreamError::Stopped));
    assert_eq!(io::Error::from(StreamError::Stopped).kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(outputs(&mut stream, START), [send(Flag::Fin)], "no RESET, no data");
    stream.receive(START, message(None, b"still reading"));
    assert_eq!(read_all(&mut stream), (b"still reading".to_vec(), Ok(Read::Pending)));
    stream.finish(START);
    assert_eq!(stream.write_is_finished(), Ok(true), "closing is no error");
    assert_eq!(outputs(&mut stream, START), [Output::WakeReader][..0]);
}

#[test]
fn stop_sending_wakes_a_full_writer() {
    let mut stream = stream();
    fill(&mut stream);
    stream.receive(START, flag(Flag::StopSending));
    assert_eq!(stream.poll_output(), Some(Output::WakeWriter));
}

#[test]
fn reset_ends_both_halves() {
    let mut stream = stream();
    stream.receive(START, message(None, b"unread"));
    assert_eq!(stream.write(b"unsent"), Ok(Write::Taken(6)));
    stream.receive(START, flag(Flag::Reset));
    assert_eq!(stream.read(&mut [0; 8]), Err(StreamError::Reset));
    assert_eq!(stream.write(b"x"), Err(StreamError::Reset));
    assert_eq!(stream.write_is_finished(), Err(StreamError::Reset));
    assert_eq!(io::Error::from(StreamError::Reset).kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(outputs(&mut stream, START), [Output::CloseChannel], "and is not answered");
    assert!(stream.is_over());
}

#[test]
fn reset_leaves_what_came_whole() {
    let mut stream = stream();
    stream.receive(START, message(Some(Flag::Fin), b"whole"));
    stream.receive(START, flag(Flag::Reset));
    assert_eq!(read_all(&mut stream), (b"whole".to_vec(), Ok(Read::End)));
    assert_eq!(stream.write(b"x"), Err(StreamError::Reset));
}

#[test]
fn our_reset() {
    let mut stream = stream();
    stream.receive(START, message(None, b"unread"));
    assert_eq!(stream.write(b"unsent"), Ok(Write::Taken(6)));
    stream.reset();
    assert_eq!(stream.poll_output(), Some(send(Flag::Reset)));
    assert_eq!(stream.poll_output(), None, "the channel is not empty");
    assert!(stream.next_wake().is_some(), "somebody has to look");
    stream.receive(START, message(Some(Flag::Fin), b"late"));
    assert_eq!(stream.read(&mut [0; 8]), Err(StreamError::Reset));
    stream.set_buffered(START, 0);
    assert_eq!(outputs(&mut stream, START), [Output::CloseChannel]);
    stream.reset();
    assert_eq!(outputs(&mut stream, START), []);
}

#[test]
fn the_channel_closes_after_fin_and_fin_ack_both_ways() {
    let mut stream = finished_both_ways();
    // FIN_ACK came before FIN was handed over, so it does not count.
    assert_eq!(
        outputs(&mut stream, START),
        [send(Flag::FinAck), send(Flag::Fin), Output::WakeWriter]
    );
    stream.receive(START, flag(Flag::FinAck));
    stream.set_buffered(START, 3);
    assert_eq!(outputs(&mut stream, START), [], "not before the channel is empty");
    let look = stream.next_wake().expect("somebody has to look");
    assert!(look > START && look < LIMITS.fin_ack);
    stream.set_buffered(look, 0);
    stream.tick(look);
    assert_eq!(outputs(&mut stream, START), [Output::CloseChannel]);
    assert!(stream.is_over());
    stream.receive(START, flag(Flag::Fin));
    stream.channel_closed();
    assert_eq!(outputs(&mut stream, START), [], "once");
}

#[test]
fn unread_data_survives_the_close_of_the_channel() {
    let mut stream = stream();
    stream.finish(START);
    outputs(&mut stream, START);
    stream.receive(START, message(Some(Flag::Fin), b"kept"));
    stream.receive(START, flag(Flag::FinAck));
    assert_eq!(outputs(&mut stream, START), [send(Flag::FinAck), Output::CloseChannel]);
    stream.channel_closed();
    assert_eq!(read_all(&mut stream), (b"kept".to_vec(), Ok(Read::End)));
}

#[test]
fn without_fin_ack_the_channel_closes_after_a_time() {
    let mut stream = stream();
    stream.finish(START);
    outputs(&mut stream, START);
    stream.receive(START, flag(Flag::Fin));
    outputs(&mut stream, START);
    assert_eq!(stream.next_wake(), Some(LIMITS.fin_ack));
    stream.tick(LIMITS.fin_ack - Duration::from_millis(1));
    assert_eq!(outputs(&mut stream, START), []);
    stream.tick(LIMITS.fin_ack);
    assert_eq!(outputs(&mut stream, START), [Output::CloseChannel]);
}

#[test]
fn the_time_alone_does_not_close_a_half_that_is_read() {
    let mut stream = stream();
    stream.finish(START);
    outputs(&mut stream, START);
    let late = LIMITS.fin_ack * 3;
    stream.tick(late);
    assert_eq!(outputs(&mut stream, late), []);
    stream.receive(late, message(None, b"a slow answer"));
    assert_eq!(outputs(&mut stream, late), []);
    stream.receive(late, flag(Flag::Fin));
    assert_eq!(outputs(&mut stream, late), [send(Flag::FinAck), Output::CloseChannel]);
    assert_eq!(read_all(&mut stream), (b"a slow answer".to_vec(), Ok(Read::End)));
}

#[test]
fn a_slow_path_gets_its_time() {
    let mut stream = stream();
    stream.receive(START, flag(Flag::Fin));
    let written = fill(&mut stream);
    stream.finish(START);
    while stream.poll_output().is_some() {}
    // The channel moves, at 10 KB a second.
    let mut left = written;
    let mut now = START;
    while left > 0 {
        now += Duration::from_secs(1);
        left = left.saturating_sub(10_000);
        stream.set_buffered(now, left);
        stream.tick(now);
        while let Some(output) = stream.poll_output() {
            assert_eq!(output, Output::WakeWriter);
        }
    }
    assert!(now > LIMITS.fin_ack * 2, "the test takes longer than the wait: {now:?}");
    stream.receive(now, flag(Flag::FinAck));
    assert_eq!(stream.poll_output(), Some(Output::CloseChannel));
}

#[test]
fn a_channel_that_closes_without_fin_is_a_loss() {
    let mut stream = stream();
    stream.receive(START, message(None, b"half a"));
    stream.receive(START, message(None, b" file").slice(..4));
    stream.channel_closed();
    assert_eq!(read_all(&mut stream), (b"half a".to_vec(), Err(StreamError::Lost)));
    assert_eq!(io::Error::from(StreamError::Lost).kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(stream.write(b"x"), Err(StreamError::Stopped));
    assert_eq!(outputs(&mut stream, START), []);
    assert!(stream.is_over());
}

#[test]
fn a_channel_that_closes_wakes_both() {
    let mut stream = stream();
    fill(&mut stream);
    assert_eq!(stream.read(&mut [0; 8]), Ok(Read::Pending));
    stream.channel_closed();
    assert!(!stream.is_over(), "somebody is to be woken");
    assert_eq!(outputs(&mut stream, START), [Output::WakeReader, Output::WakeWriter]);
    assert!(stream.is_over());
}

#[test]
fn bytes_that_are_no_frame_reset_the_stream() {
    let mut stream = stream();
    assert_eq!(stream.read(&mut [0; 8]), Ok(Read::Pending));
    stream.receive(START, Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]));
    let error = StreamError::Protocol(FrameError::TooLong { limit: LIMITS.receive_frame_bytes });
    assert_eq!(stream.read(&mut [0; 8]), Err(error.clone()));
    assert_eq!(stream.write(b"x"), Err(error.clone()));
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
    assert_eq!(
        outputs(&mut stream, START),
        [Output::WakeReader, send(Flag::Reset), Output::CloseChannel]
    );
    assert_eq!(stream.kept_bytes(), 0);
}

/// Writes until there is no room; gives how many bytes the channel gets.
fn fill(stream: &mut Stream) -> usize {
    let data = vec![0x55; 100_000];
    let mut handed = 0;
    let mut written = 0;
    loop {
        match stream.write(&data) {
            Ok(Write::Taken(taken)) => written += taken,
            Ok(Write::Full) => break,
            Err(error) => panic!("{error}"),
        }
        while let Some(output) = stream.poll_output() {
            let Output::Send(message) = output else { panic!("{output:?}") };
            assert!(message.len() <= LIMITS.send_frame_bytes);
            handed += message.len();
        }
    }
    assert!(written < handed);
    handed
}

#[test]
fn writing_stops_above_the_high_mark_and_goes_on_below_the_low_one() {
    let mut stream = stream();
    let handed = fill(&mut stream);
    assert!(handed >= LIMITS.send_high_bytes);
    assert!(handed < LIMITS.send_high_bytes + LIMITS.send_frame_bytes);
    stream.set_buffered(START, LIMITS.send_low_bytes + 1);
    assert_eq!(outputs(&mut stream, START), []);
    assert_eq!(stream.write(b"x"), Ok(Write::Full));
    stream.set_buffered(START, LIMITS.send_low_bytes);
    assert_eq!(outputs(&mut stream, START), [Output::WakeWriter]);
    assert_eq!(stream.write(b"x"), Ok(Write::Taken(1)));
}

#[test]
fn what_nobody_takes_is_bounded_too() {
    let mut stream = stream();
    while stream.write(&[1; 50_000]) != Ok(Write::Full) {}
    assert!(stream.kept_bytes() >= LIMITS.send_high_bytes);
    assert!(stream.kept_bytes() < LIMITS.send_high_bytes + LIMITS.send_frame_bytes);
}

#[test]
fn an_empty_write_sends_nothing() {
    let mut stream = stream();
    assert_eq!(stream.write(b""), Ok(Write::Taken(0)));
    assert_eq!(outputs(&mut stream, START), []);
}

#[test]
fn a_slow_reader_holds_the_channel() {
    let mut stream = stream();
    let chunk = message(None, &[1; 16_000]);
    let mut unread = 0;
    while unread <= LIMITS.receive_high_bytes {
        assert_eq!(outputs(&mut stream, START), []);
        stream.receive(START, chunk.clone());
        unread += 16_000;
    }
    assert_eq!(outputs(&mut stream, START), [Output::Hold(true)]);
    let mut buffer = vec![0; 4_000];
    while unread > LIMITS.receive_high_bytes / 2 {
        assert_eq!(outputs(&mut stream, START), []);
        assert_eq!(stream.read(&mut buffer), Ok(Read::Taken(4_000)));
        unread -= 4_000;
    }
    assert_eq!(outputs(&mut stream, START), [Output::Hold(false)]);
}

#[test]
fn a_held_channel_is_let_go_whenever_reading_ends() {
    let held = || {
        let mut stream = stream();
        for _ in 0..80 {
            stream.receive(START, message(None, &[1; 16_000]));
        }
        assert_eq!(outputs(&mut stream, START), [Output::Hold(true)]);
        stream
    };
    let mut fin = held();
    fin.receive(START, flag(Flag::Fin));
    assert_eq!(outputs(&mut fin, START)[0], Output::Hold(false));
    let mut stop = held();
    stop.stop_reading();
    assert_eq!(outputs(&mut stop, START), [Output::Hold(false), send(Flag::StopSending)]);
    let mut reset = held();
    reset.reset();
    assert_eq!(outputs(&mut reset, START)[0], Output::Hold(false));
    let mut theirs = held();
    theirs.receive(START, flag(Flag::Reset));
    assert_eq!(outputs(&mut theirs, START)[0], Output::Hold(false));
}

#[test]
fn a_sender_that_cannot_be_held_is_reset() {
    let mut stream = stream();
    let chunk = message(None, &[1; 16_000]);
    let mut unread = 0;
    while unread + 16_000 <= LIMITS.receive_max_bytes {
        stream.receive(START, chunk.clone());
        unread += 16_000;
        assert!(stream.kept_bytes() <= LIMITS.receive_max_bytes);
        assert!(stream.inbox.capacity() <= LIMITS.receive_max_bytes);
    }
    assert_eq!(outputs(&mut stream, START), [Output::Hold(true)]);
    stream.receive(START, chunk);
    assert_eq!(stream.kept_bytes(), 0);
    assert_eq!(stream.read(&mut [0; 8]), Err(StreamError::Overrun));
    assert_eq!(stream.write(b"x"), Err(StreamError::Overrun));
    assert_eq!(io::Error::from(StreamError::Overrun).kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(
        outputs(&mut stream, START),
        [Output::Hold(false), send(Flag::Reset), Output::CloseChannel]
    );
}

#[test]
fn frames_in_pieces_and_joined() {
    let mut bytes = Vec::new();
    for part in [&b"one "[..], b"two ", b"three"] {
        bytes.extend_from_slice(&message(None, part));
    }
    bytes.extend_from_slice(&flag(Flag::Fin));
    for size in 1..=bytes.len() {
        let mut stream = stream();
        for piece in bytes.chunks(size) {
            stream.receive(START, Bytes::copy_from_slice(piece));
        }
        assert_eq!(read_all(&mut stream), (b"one two three".to_vec(), Ok(Read::End)), "{size}");
    }
}

#[test]
fn a_message_may_be_longer_than_a_frame() {
    let mut stream = stream();
    let bytes: Vec<u8> = (0..40).flat_map(|_| message(None, &[9; 16_000]).to_vec()).collect();
    assert!(bytes.len() > LIMITS.receive_frame_bytes * 2);
    stream.receive(START, Bytes::from(bytes));
    assert_eq!(read_all(&mut stream), (vec![9; 640_000], Ok(Read::Pending)));
}

#[test]
fn finishing_sends_data_first_and_tells_when_fin_is_out() {
    let mut stream = stream();
    assert_eq!(stream.write(b"data"), Ok(Write::Taken(4)));
    stream.finish(START);
    assert_eq!(stream.write(b"more"), Err(StreamError::Finished));
    assert_eq!(io::Error::from(StreamError::Finished).kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(stream.write_is_finished(), Ok(false));
    assert_eq!(
        outputs(&mut stream, START),
        [Output::Send(message(None, b"data")), send(Flag::Fin), Output::WakeWriter]
    );
    assert_eq!(stream.write_is_finished(), Ok(true));
    stream.finish(START);
    assert_eq!(outputs(&mut stream, START), [], "once");
}

#[test]
fn stopping_to_read() {
    let mut stream = stream();
    stream.receive(START, message(None, b"unread"));
    stream.stop_reading();
    stream.stop_reading();
    assert_eq!(outputs(&mut stream, START), [send(Flag::StopSending)]);
    stream.receive(START, message(None, b"dropped"));
    assert_eq!(stream.kept_bytes(), 0);
    assert_eq!(stream.read(&mut [0; 8]), Ok(Read::End));
    assert_eq!(stream.write(b"writing goes on"), Ok(Write::Taken(15)));
    // Flags still count.
    stream.finish(START);
    outputs(&mut stream, START);
    stream.receive(START, message(Some(Flag::Fin), b"dropped"));
    assert_eq!(outputs(&mut stream, START), [send(Flag::FinAck)]);
    stream.receive(START, flag(Flag::FinAck));
    assert_eq!(outputs(&mut stream, START), [Output::CloseChannel]);
}

#[test]
fn a_reader_is_woken_by_data_and_by_the_end() {
    let mut stream = stream();
    stream.receive(START, message(None, b"nobody waits"));
    assert_eq!(outputs(&mut stream, START), []);
    assert_eq!(read_all(&mut stream).1, Ok(Read::Pending));
    stream.receive(START, message(None, b"x"));
    assert_eq!(outputs(&mut stream, START), [Output::WakeReader]);
    assert_eq!(read_all(&mut stream).1, Ok(Read::Pending));
    stream.receive(START, flag(Flag::Fin));
    assert_eq!(outputs(&mut stream, START), [Output::WakeReader, send(Flag::FinAck)]);
}

#[test]
fn abandoned_while_writing_is_a_reset() {
    let mut stream = stream();
    assert_eq!(stream.write(b"not all"), Ok(Write::Taken(7)));
    stream.abandon(START);
    assert_eq!(outputs(&mut stream, START), [send(Flag::Reset), Output::CloseChannel]);
    assert!(stream.is_over());
}

#[test]
fn abandoned_after_finishing_still_sends_everything() {
    let mut stream = stream();
    assert_eq!(stream.write(b"all"), Ok(Write::Taken(3)));
    stream.finish(START);
    stream.abandon(START);
    assert_eq!(
        outputs(&mut stream, START),
        [send(Flag::StopSending), Output::Send(message(None, b"all")), send(Flag::Fin)]
    );
    assert!(!stream.is_over());
    stream.receive(START, message(None, b"dropped"));
    assert_eq!(stream.kept_bytes(), 0);
    stream.receive(START, flag(Flag::FinAck));
    assert_eq!(outputs(&mut stream, START), [Output::CloseChannel]);
    assert!(stream.is_over());
}

#[test]
fn abandoned_after_both_ends_only_lingers() {
    let mut stream = stream();
    stream.receive(START, message(Some(Flag::Fin), b"unread"));
    stream.finish(START);
    outputs(&mut stream, START);
    stream.abandon(START);
    assert_eq!(outputs(&mut stream, START), []);
    assert_eq!(stream.kept_bytes(), 0);
    assert_eq!(stream.next_wake(), Some(LIMITS.fin_ack));
    stream.tick(LIMITS.fin_ack);
    assert_eq!(outputs(&mut stream, LIMITS.fin_ack), [Output::CloseChannel]);
    assert!(stream.is_over());
}

/// What is to be done, by a channel that sends nothing of it.
fn taken(stream: &mut Stream) -> Vec<Output> {
    std::iter::from_fn(|| stream.poll_output()).collect()
}

#[test]
fn an_abandoned_stream_whose_channel_takes_nothing_is_cut() {
    let mut stream = stream();
    let written = fill(&mut stream);
    stream.finish(START);
    taken(&mut stream);
    stream.abandon(START);
    taken(&mut stream);
    // It moves once, so the time begins anew.
    let moved = LIMITS.abandoned - Duration::from_secs(1);
    stream.set_buffered(moved, written - 1);
    stream.tick(moved);
    let end = moved + LIMITS.abandoned;
    let mut now = moved;
    while now < end {
        assert_eq!(taken(&mut stream), []);
        assert!(!stream.was_cut() && !stream.is_over());
        now = stream.next_wake().expect("somebody has to look");
        stream.set_buffered(now, written - 1);
        stream.tick(now);
    }
    assert!(now < end + LIMITS.fin_ack / 10, "at {now:?}");
    assert_eq!(taken(&mut stream), [send(Flag::Reset), Output::CloseChannel]);
    assert!(stream.was_cut() && stream.is_over());
    assert_eq!((stream.next_wake(), stream.kept_bytes()), (None, 0));
}

#[test]
fn a_reset_that_does_not_get_through_is_cut_too() {
    let mut stream = stream();
    let written = fill(&mut stream);
    stream.abandon(START);
    assert_eq!(taken(&mut stream), [send(Flag::Reset)]);
    stream.set_buffered(LIMITS.abandoned, written + flag(Flag::Reset).len());
    stream.tick(LIMITS.abandoned);
    assert_eq!(taken(&mut stream), [Output::CloseChannel]);
    assert!(stream.was_cut());
}

#[test]
fn a_stream_that_somebody_holds_is_never_cut() {
    let mut stream = stream();
    fill(&mut stream);
    let late = LIMITS.abandoned * 10;
    stream.tick(late);
    assert_eq!(outputs(&mut stream, late), []);
    assert!(!stream.was_cut());
}

#[test]
fn a_reset_of_what_is_done_disturbs_nothing() {
    let mut stream = stream();
    stream.finish(START);
    outputs(&mut stream, START);
    stream.receive(START, flag(Flag::FinAck));
    stream.receive(START, flag(Flag::Fin));
    stream.reset();
    assert_eq!(outputs(&mut stream, START), [send(Flag::FinAck), Output::CloseChannel]);
}

#[test]
fn a_stream_takes_whatever_comes() {
    // Every pair and triple of bytes as a message of its own: none panics, none keeps more.
    for high in 0..=u8::MAX {
        for low in 0..=u8::MAX {
            let mut stream = stream();
            stream.receive(START, Bytes::copy_from_slice(&[high, low]));
            stream.receive(START, Bytes::copy_from_slice(&[low, high, low]));
            assert!(stream.kept_bytes() <= 5);
        }
    }
}

/// Frames of what a stream sent.
fn frames(message: &Bytes) -> Vec<Frame> {
    let mut decoder = Decoder::new(LIMITS.receive_frame_bytes);
    decoder.push(message.clone()).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next().unwrap() {
        frames.push(frame);
    }
    assert_eq!(decoder.buffered(), 0);
    frames
}

#[test]
fn a_large_frame_is_two_messages_with_nothing_between() {
    let mut stream = stream();
    assert_eq!(stream.write(&[3; 50_000]), Ok(Write::Taken(16_377)));
    assert_eq!(stream.write(b"x"), Ok(Write::Taken(1)));
    // A flag that is due at the same time, and a failure that comes between.
    let Some(Output::Send(prefix)) = stream.poll_output() else { panic!("no prefix") };
    assert_eq!(prefix.len(), 2);
    stream.receive(START, flag(Flag::Fin));
    stream.reset();
    let sent: Vec<Bytes> = outputs(&mut stream, START)
        .into_iter()
        .filter_map(|output| if let Output::Send(message) = output { Some(message) } else { None })
        .collect();
    let sizes: Vec<usize> = sent.iter().map(Bytes::len).collect();
    assert_eq!(sizes, [16_380, 3]);
    let all = [&[prefix], &sent[..]].concat().concat();
    let read: Vec<(usize, Option<Flag>)> =
        frames(&all.into()).iter().map(|frame| (frame.data.len(), frame.flag)).collect();
    assert_eq!(read, [(16_377, None), (0, Some(Flag::Reset))]);
}

#[test]
fn a_message_of_the_limit_is_whole() {
    let mut stream = stream();
    // Three bytes of tag and length, two of the prefix.
    assert_eq!(stream.write(&[3; 4091]), Ok(Write::Taken(4091)));
    assert_eq!(stream.write(&[3; 4092]), Ok(Write::Taken(4092)));
    stream.finish(START);
    let sizes: Vec<usize> = outputs(&mut stream, START)
        .into_iter()
        .filter_map(|out| if let Output::Send(message) = out { Some(message.len()) } else { None })
        .collect();
    assert_eq!(sizes, [4096, 2, 4095, 3]);
}
