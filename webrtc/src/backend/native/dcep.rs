//! The two messages that open a data channel in band: RFC 8832, sections 5.1 and 5.2.
//! Invariant: decoding never panics, and takes only channels that libp2p uses: ordered and reliable.
//! Not here: which stream they are sent on (`channels`).

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dcep {
    /// DATA_CHANNEL_OPEN for an ordered, reliable channel with this label.
    Open {
        /// Never used by libp2p, except that `/webrtc` calls its first channel `init`.
        label: String,
    },
    /// DATA_CHANNEL_ACK.
    Ack,
    /// Anything else, or a kind of channel that libp2p does not use.
    Unwanted,
}

const OPEN: u8 = 0x03;
const ACK: u8 = 0x02;
/// Type, kind of channel, priority, reliability, length of label, length of protocol.
const OPEN_HEAD: usize = 12;
/// The kind `DATA_CHANNEL_RELIABLE`.
const RELIABLE: u8 = 0x00;

impl Dcep {
    /// Reads a message.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        match bytes.first() {
            Some(&ACK) => Self::Ack,
            Some(&OPEN) => Self::open(bytes).unwrap_or(Self::Unwanted),
            Some(_) | None => Self::Unwanted,
        }
    }

    fn open(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(OPEN_HEAD)?;
        let label = rest.get(..usize::from(u16::from_be_bytes([*head.get(8)?, *head.get(9)?])))?;
        (*head.get(1)? == RELIABLE)
            .then(|| Self::Open { label: String::from_utf8_lossy(label).into_owned() })
    }

    /// The bytes to send for an ordered, reliable channel.
    pub(super) fn open_bytes(label: &str) -> Vec<u8> {
        let length = u16::try_from(label.len()).unwrap_or(0);
        let mut bytes = vec![OPEN, RELIABLE, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(label.as_bytes().get(..usize::from(length)).unwrap_or_default());
        bytes
    }

    /// The bytes to send in answer to an open.
    pub(super) fn ack_bytes() -> Vec<u8> {
        vec![ACK]
    }
}

#[cfg(test)]
mod tests {
    use super::Dcep;

    #[test]
    fn an_open_comes_back_as_it_went() {
        for label in ["", "init", "ä"] {
            let read = Dcep::decode(&Dcep::open_bytes(label));
            assert_eq!(read, Dcep::Open { label: label.to_owned() });
        }
        assert_eq!(Dcep::decode(&Dcep::ack_bytes()), Dcep::Ack);
    }

    #[test]
    fn what_libp2p_does_not_use_is_unwanted() {
        let mut unordered = Dcep::open_bytes("");
        unordered[1] = 0x80;
        let mut partial = Dcep::open_bytes("");
        partial[1] = 0x01;
        let mut cut = Dcep::open_bytes("init");
        cut.truncate(14);
        for bytes in [&unordered[..], &partial, &cut, &[], &[9], &[3, 0]] {
            assert_eq!(Dcep::decode(bytes), Dcep::Unwanted, "{bytes:?}");
        }
    }
}
