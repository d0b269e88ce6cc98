//! Frames against bytes made by hand, and a decoder against whatever may come.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Decoder, Flag, Frame, FrameError, data_room, encode};
use crate::limits::StreamLimits;

const LIMIT: usize = StreamLimits::DEFAULT.receive_frame_bytes;

fn frame(flag: Option<Flag>, data: &'static [u8]) -> Frame {
    Frame { flag, data: Bytes::from_static(data) }
}

/// Tag 08 is field 1 as a varint, tag 12 is field 2 with a length.
fn golden() -> Vec<(Frame, &'static [u8])> {
    vec![
        (frame(Some(Flag::Fin), b""), &[0x02, 0x08, 0x00]),
        (frame(Some(Flag::StopSending), b""), &[0x02, 0x08, 0x01]),
        (frame(Some(Flag::Reset), b""), &[0x02, 0x08, 0x02]),
        (frame(Some(Flag::FinAck), b""), &[0x02, 0x08, 0x03]),
        (frame(None, b"hi"), &[0x04, 0x12, 0x02, b'h', b'i']),
        (frame(Some(Flag::Fin), b"hi"), &[0x06, 0x08, 0x00, 0x12, 0x02, b'h', b'i']),
        (frame(Some(Flag::StopSending), b"hi"), &[0x06, 0x08, 0x01, 0x12, 0x02, b'h', b'i']),
        (frame(Some(Flag::Reset), b"hi"), &[0x06, 0x08, 0x02, 0x12, 0x02, b'h', b'i']),
        (frame(Some(Flag::FinAck), b"hi"), &[0x06, 0x08, 0x03, 0x12, 0x02, b'h', b'i']),
        (frame(None, b""), &[0x00]),
    ]
}

fn decode_all(limit: usize, messages: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::new(limit);
    let mut frames = Vec::new();
    for message in messages {
        decoder.push(Bytes::copy_from_slice(message))?;
        while let Some(frame) = decoder.next()? {
            frames.push(frame);
        }
        assert!(decoder.buffered() <= limit);
    }
    Ok(frames)
}

#[test]
fn golden_bytes_both_ways() {
    for (frame, bytes) in golden() {
        assert_eq!(encode(&frame), bytes, "{frame:?}");
        assert_eq!(decode_all(LIMIT, &[bytes]), Ok(vec![frame]));
    }
}

#[test]
fn frames_split_and_joined() {
    let all: Vec<u8> = golden().into_iter().flat_map(|(_, bytes)| bytes).copied().collect();
    let frames: Vec<Frame> = golden().into_iter().map(|(frame, _)| frame).collect();
    for size in 1..=all.len() {
        let pieces: Vec<&[u8]> = all.chunks(size).collect();
        assert_eq!(decode_all(LIMIT, &pieces), Ok(frames.clone()), "in pieces of {size}");
    }
}

#[test]
fn what_others_add_is_skipped() {
    // go's field 3, an error code, next to RESET.
    let with_code: &[u8] = &[0x04, 0x08, 0x02, 0x18, 0x07];
    assert_eq!(decode_all(LIMIT, &[with_code]), Ok(vec![frame(Some(Flag::Reset), b"")]));
    // A flag of a later version.
    assert_eq!(
        decode_all(LIMIT, &[&[0x05, 0x08, 0x09, 0x12, 0x01, b'x']]),
        Ok(vec![frame(None, b"x")])
    );
    // Data that is there but empty.
    assert_eq!(
        decode_all(LIMIT, &[&[0x04, 0x08, 0x00, 0x12, 0x00]]),
        Ok(vec![frame(Some(Flag::Fin), b"")])
    );
}

#[test]
fn sent_frames_fit() {
    assert_eq!(
        data_room(StreamLimits::DEFAULT.send_frame_bytes),
        16_377,
        "as in the specification's arithmetic"
    );
    for limit in (8..600).chain([16_383, 16_384, 16_385, 70_000, LIMIT]) {
        let room = data_room(limit);
        let largest = |data: usize| {
            encode(&Frame { flag: Some(Flag::FinAck), data: Bytes::from(vec![0x55; data]) }).len()
        };
        assert!(largest(room) <= limit, "{room} in {limit}");
        // Where a varint grows by a byte, up to two bytes stay unused.
        assert!(largest(room + 3) > limit, "{room} in {limit}");
    }
    assert_eq!(data_room(0), 1);
}

#[test]
fn the_largest_frame_and_one_more() {
    let header = encode(&Frame { flag: None, data: Bytes::from(vec![7; 1000]) });
    assert_eq!(header.len(), 1005);
    let expected = vec![Frame { flag: None, data: Bytes::from(vec![7; 1000]) }];
    assert_eq!(decode_all(1005, &[&header]), Ok(expected));
    assert_eq!(decode_all(1004, &[&header[..2]]), Err(FrameError::TooLong { limit: 1004 }));
}

#[test]
fn an_oversized_prefix_fails_before_anything_is_kept() {
    for prefix in [
        &[0x81, 0x88, 0x10][..],
        &[0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x80, 0x80, 0x80, 0x80],
    ] {
        // Whole, and byte by byte.
        assert_eq!(decode_all(LIMIT, &[prefix]), Err(FrameError::TooLong { limit: LIMIT }));
        let bytes: Vec<&[u8]> = prefix.chunks(1).collect();
        assert_eq!(decode_all(LIMIT, &bytes), Err(FrameError::TooLong { limit: LIMIT }));
    }
}

#[test]
fn an_announced_frame_allocates_only_what_comes() {
    let mut decoder = Decoder::new(LIMIT);
    // 200,000 bytes are announced, one comes.
    decoder.push(Bytes::from_static(&[0xc0, 0x9a, 0x0c, 0x08])).unwrap();
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.buffered(), 4);
    assert!(decoder.partial.capacity() < 64);
}

#[test]
fn a_partial_frame_does_not_keep_the_message() {
    let mut message = encode(&Frame { flag: None, data: Bytes::from(vec![1; 9000]) }).to_vec();
    message.push(0x02);
    let mut decoder = Decoder::new(LIMIT);
    decoder.push(Bytes::from(message)).unwrap();
    assert!(decoder.next().unwrap().is_some());
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!((decoder.fresh.len(), decoder.partial.len()), (0, 1));
    assert!(decoder.partial.capacity() < 64);
}

#[test]
fn malformed_prefixes_and_bodies() {
    assert_eq!(
        decode_all(LIMIT, &[&[0x82, 0x00, 0x08, 0x00]]),
        Err(FrameError::Prefix),
        "not the shortest form"
    );
    for body in [&[0x03, 0x12, 0x05, b'x'][..], &[0x01, 0x08], &[0x02, 0x0a, 0x00], &[0x01, 0x00]] {
        assert!(matches!(decode_all(LIMIT, &[body]), Err(FrameError::Malformed(_))), "{body:?}");
    }
}

#[test]
fn more_than_there_is_room_for_is_refused_whole() {
    let mut decoder = Decoder::new(8);
    decoder.push(Bytes::from_static(&[0x02, 0x08, 0x00])).unwrap();
    assert_eq!(decoder.push(Bytes::from_static(&[0; 6])), Err(FrameError::Backlog { limit: 8 }));
    decoder.push(Bytes::from_static(&[0; 5])).unwrap();
    assert_eq!(decoder.next(), Ok(Some(frame(Some(Flag::Fin), b""))));
}

/// Bytes that are often nearly frames.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        (0..4_u8).prop_map(|flag| vec![0x02, 0x08, flag]),
        (0..40_usize).prop_map(|len| {
            encode(&Frame { flag: None, data: Bytes::from(vec![0xaa; len]) }).to_vec()
        }),
        Just(vec![0x80]),
        Just(vec![0x00]),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// The frames until the bytes fail or end, and the failure; fed in pieces as `cuts` says.
fn run(limit: usize, bytes: &[u8], cuts: &[usize]) -> (Vec<Frame>, Option<FrameError>) {
    let mut decoder = Decoder::new(limit);
    let mut frames = Vec::new();
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let size = cuts.next().copied().unwrap_or(1);
        let room = decoder.room();
        assert!(room > 0, "a decoder that said None takes more");
        let piece = rest.split_to(size.min(rest.len()).min(room));
        decoder.push(piece).expect("no more than the room");
        loop {
            assert!(decoder.buffered() <= limit);
            assert!(decoder.partial.capacity() <= limit.max(64));
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

proptest! {
    #[test]
    fn whatever_comes_is_the_same_in_every_split(
        bytes in hostile(),
        limit in 1..64_usize,
        cuts in proptest::collection::vec(1..30_usize, 1..8),
    ) {
        let whole = run(limit, &bytes, &[usize::MAX]);
        prop_assert_eq!(&run(limit, &bytes, &cuts), &whole);
        prop_assert_eq!(&run(limit, &bytes, &[1]), &whole);
    }

    #[test]
    fn frames_survive(
        frames in proptest::collection::vec(
            (proptest::option::of(0..4_i32), proptest::collection::vec(any::<u8>(), 0..300)),
            0..12,
        ),
        cuts in proptest::collection::vec(1..400_usize, 1..8),
    ) {
        let frames: Vec<Frame> = frames
            .into_iter()
            .map(|(flag, data)| Frame {
                flag: flag.and_then(|flag| Flag::try_from(flag).ok()),
                data: Bytes::from(data),
            })
            .collect();
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| encode(frame).to_vec()).collect();
        prop_assert_eq!(run(LIMIT, &bytes, &cuts), (frames, None));
    }
}
