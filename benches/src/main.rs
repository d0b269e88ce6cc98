mod pattern;
mod peer;
mod process;
mod round;
mod stats;
use round::{Runner, Subject};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let rt = tokio::runtime::Runtime::new().unwrap();
    match words[..] {
        ["serve", stack] => rt.block_on(peer::serve(stack)).unwrap(),
        ["dial", stack, address] => rt.block_on(peer::dial(stack, address)).unwrap(),
        ["once", a, b, way, mib] => {
            let r = |s: &str| match s { "node" => Runner::Node, "channel" => Runner::Channel, "page" => Runner::Page, "libp2p-webrtc" => Runner::Rust("libp2p-webrtc"), "tcp" => Runner::Rust("tcp"), _ => Runner::Rust("peerloom") };
            let way = if way == "up" { "up" } else { "down" };
            let s = Subject { key: "x", title: "x", server: r(a), client: r(b), way, mib: mib.parse().unwrap(), round_trips: a != "channel" };
            let m = round::measure(&s, std::path::Path::new("/tmp/wt/a/benches/js")).unwrap();
            let e = |v: &[f64]| { let mut v = v.to_vec(); v.sort_by(f64::total_cmp); (stats::percentile(&v, 0.5), stats::percentile(&v, 0.99)) };
            println!("{a} <- {b} {way}: {:.3} Gbit/s, {:.2} CPU s/GB, echo {:?}, open {:?}, load {}", m.gbit, m.cpu_per_gb, e(&m.echo), e(&m.open), m.load);
        }
        _ => panic!("usage"),
    }
}
