//! The page as browsers get it.
//! Invariant: holds with and without a built page inside the program.
//! Not here: what the page does.

use super::client::{Request, with_server};
use crate::admin::assets::page_is_built;

#[actix_web::test]
async fn the_page_comes_with_its_headers() {
    with_server("127.0.0.1:0", |address, _| async move {
        let request = Request::new(address, "GET", "/").without("Authorization");
        let page = request.send(address).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        for (name, part) in [
            ("content-security-policy", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'"),
            ("content-security-policy", "connect-src 'self' ws: wss: https:"),
            ("content-security-policy", "trusted-types lit-html peerloom"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("permissions-policy", "camera=()"),
        ] {
            assert!(page.header(name).is_some_and(|value| value.contains(part)), "{name}: {part}");
        }
        assert_eq!(page.header("access-control-allow-origin"), None);
        if !page_is_built() {
            assert!(page.text().contains("cargo xtask run"));
        }
        let by_name = Request::new(address, "GET", "/index.html").send(address).await;
        assert_eq!(by_name.body, page.body);
        let missing = Request::new(address, "GET", "/nothing.js").send(address).await;
        missing.assert_problem(404, "API-001");
        let posted = Request::post(address, "/", "{}").send(address).await;
        posted.assert_problem(405, "API-002");
    })
    .await;
}

#[actix_web::test]
async fn an_unchanged_page_is_not_sent_again_and_head_has_no_body() {
    with_server("127.0.0.1:0", |address, _| async move {
        let page = Request::new(address, "GET", "/").send(address).await;
        let tag = page.header("etag").unwrap().to_owned();
        let again = Request::new(address, "GET", "/").with("If-None-Match", &tag);
        let again = again.send(address).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), Some(tag.as_str()));
        let other = Request::new(address, "GET", "/").with("If-None-Match", "\"other\"");
        assert_eq!(other.send(address).await.status, 200);
        let head = Request::new(address, "HEAD", "/").send(address).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        let length = page.body.len().to_string();
        assert_eq!(head.header("content-length"), Some(length.as_str()));
    })
    .await;
}

#[actix_web::test]
async fn an_open_port_shows_the_page_under_any_name_but_not_the_api() {
    with_server("0.0.0.0:0", |address, _| async move {
        for path in ["/", "/api/v1/bootstrap", "/livez", "/metrics"] {
            let request = Request::new(address, "GET", path).set("Host", "node.example:8080");
            assert_eq!(request.send(address).await.status, 200, "{path}");
        }
        let request = Request::new(address, "GET", "/api/v1/status").set("Host", "node.example");
        request.send(address).await.assert_problem(403, "AUTH-003");
        let local = Request::new(address, "GET", "/api/v1/status").send(address).await;
        assert_eq!(local.status, 200);
    })
    .await;
}
