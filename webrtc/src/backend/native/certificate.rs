//! The certificate of a native peer, and its form on disk.
//! Invariant: one certificate has one fingerprint; what was written comes back the same.
//! Not here: where the file lies and who may read it.

use std::sync::Arc;

use dimpl::DtlsCertificate;
use libp2p_webrtc_utils::Fingerprint;
use pem::Pem;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};

const CERTIFICATE: &str = "CERTIFICATE";
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// As libp2p-webrtc's files call it.
const PRIVATE_KEY_OLD: &str = "PRIVATE_KEY";

/// A self-signed ECDSA P-256 certificate with its key (RFC 8827, section 6.5). Its fingerprint is the
/// `/certhash` of a WebRTC-direct address, so it should be kept as long as that address is to be good.
#[derive(Clone)]
pub struct Certificate {
    inner: Arc<DtlsCertificate>,
    fingerprint: Fingerprint,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// A certificate could not be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The system has no chance to offer, or refused it.
    #[error("a certificate cannot be made: {0}")]
    Make(String),
    /// This is not PEM (RFC 7468).
    #[error("the text is not PEM: {0}")]
    NotPem(String),
    /// A part is missing.
    #[error("the PEM text has no {0}")]
    Missing(&'static str),
    /// Key and certificate are not an ECDSA P-256 pair.
    #[error("the private key is not an ECDSA P-256 key: {0}")]
    Key(String),
}

impl Certificate {
    /// Makes a new one.
    ///
    /// # Errors
    /// [`CertificateError::Make`].
    pub fn generate() -> Result<Self, CertificateError> {
        let make = |e: rcgen::Error| CertificateError::Make(e.to_string());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(make)?;
        let params = CertificateParams::new(Vec::new()).map_err(make)?;
        let certificate = params.self_signed(&key).map_err(make)?;
        Ok(Self::of(certificate.der().to_vec(), key.serialize_der()))
    }

    /// Reads [`Self::to_pem`]'s text, or a file of libp2p-webrtc.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let parts = pem::parse_many(text).map_err(|e| CertificateError::NotPem(e.to_string()))?;
        let find = |tags: &[&str]| {
            parts
                .iter()
                .find(|part| tags.contains(&part.tag()))
                .map(|part| part.contents().to_vec())
        };
        let certificate = find(&[CERTIFICATE]).ok_or(CertificateError::Missing("certificate"))?;
        let key = find(&[PRIVATE_KEY, PRIVATE_KEY_OLD])
            .ok_or(CertificateError::Missing("private key"))?;
        KeyPair::from_pkcs8_der_and_sign_algo(&key.as_slice().into(), &PKCS_ECDSA_P256_SHA256)
            .map_err(|e| CertificateError::Key(e.to_string()))?;
        Ok(Self::of(certificate, key))
    }

    /// Certificate and private key as PEM. Whoever reads it can listen in this peer's place, but not
    /// under its identity: Noise proves that.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode_many(&[
            Pem::new(PRIVATE_KEY, self.inner.private_key.clone()),
            Pem::new(CERTIFICATE, self.inner.certificate.clone()),
        ])
    }

    /// SHA-256 of the certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(super) fn dtls(&self) -> DtlsCertificate {
        DtlsCertificate::clone(&self.inner)
    }

    fn of(certificate: Vec<u8>, private_key: Vec<u8>) -> Self {
        let fingerprint = Fingerprint::from_certificate(&certificate);
        Self { inner: Arc::new(DtlsCertificate { certificate, private_key }), fingerprint }
    }
}

#[cfg(test)]
mod tests {
    use super::{Certificate, CertificateError};

    #[test]
    fn a_certificate_comes_back_as_it_was_written() {
        let made = Certificate::generate().expect("a certificate");
        let read = Certificate::from_pem(&made.to_pem()).expect("its text");
        assert_eq!(read.fingerprint(), made.fingerprint());
        assert_eq!(read.to_pem(), made.to_pem());
        assert_ne!(Certificate::generate().expect("another").fingerprint(), made.fingerprint());
    }

    #[test]
    fn files_of_the_former_library_are_understood() {
        let made = Certificate::generate().expect("a certificate");
        let old = made.to_pem().replace("PRIVATE KEY", "PRIVATE_KEY");
        let old = format!("-----BEGIN EXPIRES-----\r\nAAAAAA==\r\n-----END EXPIRES-----\r\n{old}");
        let read = Certificate::from_pem(&old).expect("the old form");
        assert_eq!(read.fingerprint(), made.fingerprint());
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_its_reason() {
        let pem = Certificate::generate().expect("a certificate").to_pem();
        let half = pem.split_once("-----BEGIN CERT").expect("two parts").0.to_owned();
        assert_eq!(
            Certificate::from_pem(&half).unwrap_err(),
            CertificateError::Missing("certificate")
        );
        assert_eq!(
            Certificate::from_pem("").unwrap_err(),
            CertificateError::Missing("certificate")
        );
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let bad = format!("{key}{}", pem.replace("PRIVATE KEY", "OTHER"));
        assert!(matches!(Certificate::from_pem(&bad), Err(CertificateError::Key(_))));
    }
}
