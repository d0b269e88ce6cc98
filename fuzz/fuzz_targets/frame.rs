//! Feeds a frame decoder and a stream with whatever comes on a data channel, between random calls of
//! the user. Nothing may panic, and neither may keep more than its limits.
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use peerloom_webrtc::frame::{Decoder, Flag, Frame, encode};
use peerloom_webrtc::limits::StreamLimits;
use peerloom_webrtc::stream::{Output, Read, Stream};

/// Small, so that short inputs reach every mark.
const LIMITS: StreamLimits = StreamLimits {
    send_frame_bytes: 32,
    send_whole_bytes: 8,
    receive_frame_bytes: 48,
    send_high_bytes: 120,
    send_low_bytes: 40,
    receive_high_bytes: 60,
    receive_max_bytes: 150,
    fin_ack: Duration::from_secs(10),
};

fuzz_target!(|input: &[u8]| {
    decode(input);
    drive(input);
});

/// The whole input as one run of frames, taken as the decoder has room. What it gives encodes again.
fn decode(input: &[u8]) {
    let mut decoder = Decoder::new(LIMITS.receive_frame_bytes);
    let mut rest = Bytes::copy_from_slice(input);
    while !rest.is_empty() {
        let room = decoder.room();
        assert!(room > 0);
        decoder.push(rest.split_to(room.min(rest.len()))).unwrap();
        loop {
            assert!(decoder.buffered() <= LIMITS.receive_frame_bytes);
            match decoder.next() {
                Ok(Some(frame)) => {
                    let mut again = Decoder::new(LIMITS.receive_frame_bytes);
                    again.push(encode(&frame)).unwrap();
                    assert_eq!(again.next(), Ok(Some(frame)));
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// Each byte is a call; some take the bytes after it.
fn drive(input: &[u8]) {
    let mut stream = Stream::new(LIMITS);
    let mut channel = Channel::default();
    let mut now = Duration::ZERO;
    let mut read = None;
    let mut rest = Bytes::copy_from_slice(input);
    while let Some(&call) = rest.first() {
        rest = rest.slice(1..);
        let argument = usize::from(call >> 4);
        match call & 0x0f {
            0..=3 => {
                let piece = rest.split_to((argument * 4 + 1).min(rest.len()));
                stream.receive(now, piece);
            }
            // Whole frames, which chance alone seldom makes.
            4..=6 => {
                let flag = Flag::try_from(i32::from(call & 0x0f) - 4 + 2 * i32::from(call >> 7));
                let data = rest.split_to((argument * 3).min(rest.len()));
                stream.receive(now, encode(&Frame { flag: flag.ok(), data }));
            }
            7 => {
                let end = stream.read(&mut vec![0; argument * 8 + 1]);
                if let Some(Ok(Read::End) | Err(_)) = read {
                    assert!(!matches!(end, Ok(Read::Taken(_) | Read::Pending)), "after the end");
                }
                read = Some(end);
            }
            8 => drop(stream.write(&vec![call; argument * 8])),
            9 => {
                channel.buffered = channel.buffered.saturating_sub(argument * 16);
                stream.set_buffered(now, channel.buffered);
            }
            10 => {
                now += Duration::from_secs(u64::try_from(argument).unwrap());
                stream.tick(now);
            }
            11 => stream.finish(now),
            12 => stream.stop_reading(),
            13 if argument == 0 => stream.reset(),
            14 if argument == 0 => stream.abandon(now),
            15 if argument == 0 => {
                stream.channel_closed();
                channel.closed = true;
            }
            _ => {}
        }
        channel.pump(&mut stream);
    }
    // Every stream comes to its end once it is abandoned and the channel sends what it has.
    stream.abandon(now);
    channel.pump(&mut stream);
    for _ in 0..3 {
        now += LIMITS.fin_ack;
        channel.buffered = 0;
        stream.set_buffered(now, 0);
        stream.tick(now);
        channel.pump(&mut stream);
    }
    assert!(stream.is_over(), "{stream:?}");
}

#[derive(Default)]
struct Channel {
    buffered: usize,
    closed: bool,
}

impl Channel {
    fn pump(&mut self, stream: &mut Stream) {
        while let Some(output) = stream.poll_output() {
            match output {
                Output::Send(message) => {
                    assert!(!self.closed, "sent on a closed channel");
                    assert!(message.len() <= LIMITS.send_frame_bytes);
                    self.buffered += message.len();
                }
                Output::CloseChannel => {
                    assert!(!self.closed, "closed twice");
                    assert_eq!(self.buffered, 0, "closed before all was sent");
                    self.closed = true;
                }
                Output::Hold(_) | Output::WakeReader | Output::WakeWriter => {}
            }
        }
        let sent = LIMITS.send_high_bytes + LIMITS.send_frame_bytes;
        assert!(stream.kept_bytes() <= LIMITS.receive_max_bytes, "all else is handed over");
        assert!(self.buffered <= sent + 9, "{}", self.buffered);
    }
}
