//! The page: files of the built page inside this program, and their headers.
//! Invariant: what is served is what was built in; no path of a request reaches the disk.
//! Not here: building the page; its scripts get everything else from `/api/v1/bootstrap`.

use std::borrow::Cow;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::problem::{ApiError, refusal};

/// The built page. Where it was not built, this is empty and [`PLACEHOLDER`] stands in, so that
/// building this program needs no Node.js.
#[derive(RustEmbed)]
#[folder = "../www/dist"]
#[allow_missing = true]
struct Built;

/// What is shown when the page was not built.
const PLACEHOLDER: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Peerloom</title>
<h1>Peerloom is running</h1>
<p>This program was built without its page. To build the page and the program together, run
<code>cargo xtask run</code> in the source folder, then open this address again.</p>
</html>
";

/// What the page may load and reach. `wss:` and `ws:` are relays and this node's own listener;
/// `https:` is for WebTransport.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
    style-src 'self'; img-src 'self' blob: data:; connect-src 'self' ws: wss: https:; \
    worker-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'none'; require-trusted-types-for 'script'; trusted-types lit-html peerloom";

/// Devices and powers that the page never asks for.
const NO_DEVICES: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), \
    gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=(), \
    xr-spatial-tracking=()";

/// Encodings that the build may have put beside a file, the smaller first.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// Answers every path outside the API.
pub(super) async fn page(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(ApiError::new(refusal::WRONG_METHOD, "the page is only read"));
    }
    let path = match request.path().strip_prefix('/') {
        Some("") => "index.html",
        Some(rest) => rest,
        None => return Err(ApiError::new(refusal::NO_SUCH_PATH, "a path begins with /")),
    };
    let file = find(path, request.headers())
        .ok_or_else(|| ApiError::new(refusal::NO_SUCH_PATH, "the page has no such file"))?;
    Ok(file.answer(path, request.headers()))
}

/// Whether the page was built into this program.
pub fn page_is_built() -> bool {
    Built::get("index.html").is_some()
}

/// A file, ready to be sent.
struct Asset {
    body: Bytes,
    tag: String,
    encoding: Option<&'static str>,
}

fn find(path: &str, headers: &HeaderMap) -> Option<Asset> {
    let Some(plain) = Built::get(path) else {
        let stand_in = path == "index.html" && !page_is_built();
        return stand_in.then(|| Asset {
            body: Bytes::from_static(PLACEHOLDER.as_bytes()),
            tag: "\"placeholder\"".to_owned(),
            encoding: None,
        });
    };
    let smaller = ENCODINGS
        .iter()
        .filter(|(name, _)| accepts(headers, name))
        .find_map(|(name, ending)| Some((*name, Built::get(&format!("{path}{ending}"))?)));
    Some(match smaller {
        Some((name, file)) => Asset::new(file, Some(name)),
        None => Asset::new(plain, None),
    })
}

/// Whether the client takes this encoding: named, and not with weight zero.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
            let refused = parts
                .filter_map(|part| part.strip_prefix("q="))
                .any(|weight| weight.parse() == Ok(0.0_f32));
            named && !refused
        })
}

impl Asset {
    fn new(file: EmbeddedFile, encoding: Option<&'static str>) -> Self {
        let hash = file.metadata.sha256_hash();
        let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let body = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        Self { body, tag: format!("\"{hex}\""), encoding }
    }

    fn answer(self, path: &str, asked: &HeaderMap) -> HttpResponse {
        let known = asked
            .get_all(header::IF_NONE_MATCH)
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| matches!(tag.trim(), tag if tag == self.tag || tag == "*"));
        let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut response = HttpResponse::build(status);
        response
            .insert_header((header::ETAG, self.tag))
            .insert_header((header::VARY, "Accept-Encoding"))
            .insert_header((header::CACHE_CONTROL, caching(path)))
            .insert_header((header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
            .insert_header((header::PERMISSIONS_POLICY, NO_DEVICES))
            .insert_header((
                header::CROSS_ORIGIN_OPENER_POLICY,
                HeaderValue::from_static("same-origin"),
            ));
        if known {
            return response.finish();
        }
        if let Some(encoding) = self.encoding {
            response.insert_header((header::CONTENT_ENCODING, encoding));
        }
        response.insert_header((header::CONTENT_TYPE, content_type(path))).body(self.body)
    }
}

/// Files whose name carries their hash never change; of the others the client asks each time.
fn caching(path: &str) -> &'static str {
    if is_hashed(path) { "public, max-age=31536000, immutable" } else { "no-cache" }
}

/// `assets/name-12345678.ext`: the bundler writes only hashed files there, eight letters each.
fn is_hashed(path: &str) -> bool {
    let Some(name) = path.strip_prefix("assets/") else {
        return false;
    };
    let stem = name.split('.').next().unwrap_or_default();
    let mut last = stem.chars().rev();
    let eight = last.by_ref().take(8).filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c));
    eight.count() == 8 && last.next() == Some('-')
}

fn content_type(path: &str) -> String {
    let guess = mime_guess::from_path(path).first_or_octet_stream();
    match (guess.type_().as_str(), guess.subtype().as_str()) {
        // A script or a style sheet without a charset is read in the charset of its document.
        ("text", subtype) => format!("text/{subtype}; charset=utf-8"),
        (kind, subtype) if guess.suffix().is_none() => format!("{kind}/{subtype}"),
        _ => guess.essence_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashed_names_are_cached_for_long() {
        for hashed in [
            "assets/index-B1a2c3D4.js",
            "assets/peerloom_wasm_peer_bg-Ab-_9xYz.wasm",
            "assets/index-B1a2c3D4.css.br",
        ] {
            assert!(is_hashed(hashed), "{hashed}");
        }
        for plain in ["index.html", "assets/logo.svg", "icon-B1a2c3D4.svg", "assets/a-short.js", ""]
        {
            assert!(!is_hashed(plain), "{plain}");
        }
    }

    #[test]
    fn content_types_are_what_browsers_insist_on() {
        assert_eq!(content_type("assets/a.wasm"), "application/wasm");
        assert_eq!(content_type("assets/a.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("assets/a.css"), "text/css; charset=utf-8");
        assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("icon.svg"), "image/svg+xml");
        assert_eq!(content_type("app.webmanifest"), "application/manifest+json");
        assert_eq!(content_type("unknown"), "application/octet-stream");
    }

    #[test]
    fn a_weight_of_zero_refuses_an_encoding() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("gzip;q=0, br;q=0.5, zstd");
        headers.insert(header::ACCEPT_ENCODING, value);
        assert!(accepts(&headers, "br"));
        assert!(!accepts(&headers, "gzip"));
        assert!(!accepts(&HeaderMap::new(), "br"));
    }
}
