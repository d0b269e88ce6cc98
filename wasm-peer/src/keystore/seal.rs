//! Sealing the secret key with an AES-GCM key that no script can read out.
//! Invariant: the secret leaves WebAssembly only encrypted, and buffers that held it are cleared.
//! Not here: where the record is kept. A script in this page can still use the key to unseal.

use js_sys::{Array, Object, Reflect, Uint8Array};
use libp2p::identity::Keypair;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AesGcmParams, AesKeyGenParams, Crypto, CryptoKey, SubtleCrypto};
use zeroize::Zeroizing;

use super::KeystoreError;
use crate::dom::describe;

/// Version of the record below.
const RECORD_VERSION: u32 = 1;

const CIPHER: &str = "AES-GCM";
const WRAP_KEY_BITS: u16 = 256;
const SECRET_BYTES: usize = 32;
/// The nonce size AES-GCM is made for (NIST SP 800-38D, 8.2). Each wrapping key seals once.
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// The fields of a record, a plain object: `version` (number), `id` (PeerId as text), `wrap`
/// (`CryptoKey`), `nonce` and `sealed` (`Uint8Array`).
mod field {
    pub(super) const VERSION: &str = "version";
    pub(super) const ID: &str = "id";
    pub(super) const WRAP: &str = "wrap";
    pub(super) const NONCE: &str = "nonce";
    pub(super) const SEALED: &str = "sealed";
}

/// This page's WebCrypto.
pub(super) struct Vault(SubtleCrypto);

impl Vault {
    /// WebCrypto of this page or worker, or why there is none.
    pub(super) fn of_this_page() -> Result<Self, String> {
        let global = js_sys::global();
        let secure = Reflect::get(&global, &"isSecureContext".into());
        if !secure.is_ok_and(|value| value.is_truthy()) {
            return Err("the page is not a secure context (https or loopback)".into());
        }
        let crypto = Reflect::get(&global, &"crypto".into()).ok();
        let crypto = crypto.and_then(|value| value.dyn_into::<Crypto>().ok());
        // Read by name: the typed getter would hand out an undefined value as an object.
        let subtle = crypto.and_then(|crypto| Reflect::get(&crypto, &"subtle".into()).ok());
        match subtle.and_then(|value| value.dyn_into().ok()) {
            Some(subtle) => Ok(Self(subtle)),
            None => Err("this browser has no WebCrypto".into()),
        }
    }

    /// A new record that holds the key, sealed under a new wrapping key.
    pub(super) async fn seal(&self, name: &str, keypair: &Keypair) -> Result<JsValue, String> {
        let record = self.record(name, keypair).await;
        record.map_err(|error| format!("the browser cannot seal the key ({})", describe(&error)))
    }

    async fn record(&self, name: &str, keypair: &Keypair) -> Result<JsValue, JsValue> {
        let id = keypair.public().to_peer_id().to_base58();
        let wrap = self.new_wrap_key().await?;
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|error| JsValue::from(error.to_string()))?;
        let ed25519 =
            keypair.clone().try_into_ed25519().map_err(|e| JsValue::from(e.to_string()))?;
        // WebCrypto copies the bytes within this call; SecretKey clears itself on drop.
        let sealing = self.0.encrypt_with_object_and_u8_array(
            &cipher(name, &id, &nonce),
            &wrap,
            ed25519.secret().as_ref(),
        )?;
        let sealed = Uint8Array::new(&JsFuture::from(sealing).await?);

        let record = Object::new();
        let set = |key: &str, value: &JsValue| Reflect::set(&record, &key.into(), value).map(drop);
        set(field::VERSION, &RECORD_VERSION.into())?;
        set(field::ID, &id.into())?;
        set(field::WRAP, &wrap)?;
        set(field::NONCE, &Uint8Array::from(nonce.as_slice()))?;
        set(field::SEALED, &sealed)?;
        Ok(record.into())
    }

    async fn new_wrap_key(&self) -> Result<CryptoKey, JsValue> {
        let kind = AesKeyGenParams::new(CIPHER, WRAP_KEY_BITS);
        let usages = Array::of2(&"encrypt".into(), &"decrypt".into());
        let extractable = false;
        let key = self.0.generate_key_with_object(&kind, extractable, &usages)?;
        JsFuture::from(key).await?.dyn_into()
    }

    /// The key inside a record, after checking that it is the one the record names.
    pub(super) async fn unseal(
        &self,
        name: &str,
        record: &JsValue,
    ) -> Result<Keypair, KeystoreError> {
        let damaged = |detail: String| KeystoreError::Damaged { name: name.to_owned(), detail };
        let get = |key: &str| Reflect::get(record, &key.into()).unwrap_or(JsValue::UNDEFINED);
        match get(field::VERSION).as_f64() {
            Some(version) if version == f64::from(RECORD_VERSION) => {}
            Some(version) if version > f64::from(RECORD_VERSION) => {
                return Err(KeystoreError::Newer { name: name.to_owned() });
            }
            _ => return Err(damaged("it has no known version".into())),
        }
        let id = get(field::ID).as_string().ok_or_else(|| damaged("it names no id".into()))?;
        let wrap = get(field::WRAP)
            .dyn_into::<CryptoKey>()
            .map_err(|_| damaged("its wrapping key is missing".into()))?;
        let nonce = bytes::<NONCE_BYTES>(&get(field::NONCE))
            .ok_or_else(|| damaged("its nonce has the wrong size".into()))?;
        let sealed = bytes::<{ SECRET_BYTES + TAG_BYTES }>(&get(field::SEALED))
            .ok_or_else(|| damaged("its sealed key has the wrong size".into()))?;

        let opened = self
            .open(&cipher(name, &id, &nonce), &wrap, &sealed)
            .await
            .map_err(|error| damaged(format!("it cannot be unsealed: {}", describe(&error))))?;
        let keypair = opened
            .and_then(|mut secret| Keypair::ed25519_from_bytes(secret.as_mut_slice()).ok())
            .filter(|keypair| keypair.public().to_peer_id().to_base58() == id);
        keypair.ok_or_else(|| damaged("its key belongs to another id".into()))
    }

    /// The secret, or `None` if it has another size than an Ed25519 key.
    async fn open(
        &self,
        cipher: &AesGcmParams,
        wrap: &CryptoKey,
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<[u8; SECRET_BYTES]>>, JsValue> {
        let opening = self.0.decrypt_with_object_and_u8_array(cipher, wrap, sealed)?;
        let plain = Uint8Array::new(&JsFuture::from(opening).await?);
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        let whole = has_length(&plain, SECRET_BYTES);
        if whole {
            plain.copy_to(secret.as_mut_slice());
        }
        // The view shares the browser's own buffer, so this clears the only copy outside.
        plain.fill(0, 0, plain.length());
        Ok(whole.then_some(secret))
    }
}

/// Name and id are authenticated too, so a record copied under another name does not open.
fn cipher(name: &str, id: &str, nonce: &[u8; NONCE_BYTES]) -> AesGcmParams {
    let parameters = AesGcmParams::new(CIPHER, &Uint8Array::from(nonce.as_slice()));
    let context = format!("peerloom identity {RECORD_VERSION}\0{id}\0{name}");
    parameters.set_additional_data(&Uint8Array::from(context.as_bytes()));
    parameters
}

/// The bytes of a `Uint8Array` of exactly that length.
fn bytes<const N: usize>(value: &JsValue) -> Option<[u8; N]> {
    let array = value.dyn_ref::<Uint8Array>()?;
    let mut copy = [0; N];
    has_length(array, N).then(|| array.copy_to(&mut copy))?;
    Some(copy)
}

fn has_length(array: &Uint8Array, bytes: usize) -> bool {
    usize::try_from(array.length()) == Ok(bytes)
}
