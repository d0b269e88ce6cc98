//! Putting a peer together: key, swarm, Driver, machines, loop.
//! Invariant: nothing runs before everything is checked; a failed start leaves nothing behind.
//! Not here: what runs then.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use futures::FutureExt as _;
use js_sys::{Function, Reflect};
use peerloom_shared::discovery::Input;
use peerloom_shared::limits::ASK_SLOTS_MAX;
use peerloom_shared::net::driver::Parts;
use peerloom_shared::net::{Driver, Judge, Profile, Settings, agent};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::spawn_local;
use web_sys::EventTarget;

use super::{Failure, Link, Options};
use crate::dom::Listener;
use crate::grants::Grants;
use crate::peer_loop::{
    Book, DriverTask, Inlets, KIND, Kept, Machines, PeerLoop, Plan, Request, requests,
};
use crate::{keystore, swarm};

/// Starts a peer.
pub(super) async fn start(options: Options, listener: Function) -> Result<Link, Failure> {
    let Options { identity, relays, name } = options;
    let loaded = match &identity {
        Some(name) => keystore::load_or_create(name).await?,
        None => keystore::ephemeral("a key that is forgotten was asked for".to_owned()),
    };
    let keypair = loaded.keypair;
    let [seed, seeds @ ..] = seeds()?;

    let grants = Grants::load(identity.filter(|_| loaded.persisted)).await;
    let (policy, rules) = watch::channel(Arc::new(grants.policy(1)));
    let judge = Judge::new(rules);
    let settings = Settings {
        keypair: keypair.clone(),
        profile: Profile::Browser,
        agent: agent(KIND),
        mdns: false,
        seed,
    };
    let swarm = swarm::build(&settings, &judge)?;
    // A browser listens through relays only, and those addresses are confirmed by the relay.
    let Parts { driver, handle: net, works, .. } = Driver::parts(swarm, judge, false, None);

    let id = keypair.public().to_peer_id();
    let plan = Plan { keypair, name, local_page: page_is_local(), seeds };
    let machines = Machines::new(plan, net.clone());
    let links = relays.into_iter().map(|(text, address)| {
        machines.check_link(&address).map_err(|e| Failure::unusable_link(&text, &e))?;
        Ok(Input::Keep(address))
    });
    let links = links.collect::<Result<Vec<_>, Failure>>()?;

    let machines = Rc::new(RefCell::new(machines));
    let kept = Kept { book: loaded.persisted.then(Book::default), grants, rules: policy };
    let peer_loop = PeerLoop::new(Rc::clone(&machines), kept, listener);
    let (stop, stopping) = oneshot::channel();
    let (to_loop, requests) = requests();
    let (ending, over) = watch::channel(false);
    let driver = spawn_driver(driver);
    spawn_local(async move {
        peer_loop.run(links, Inlets { requests, stop: stopping, works }, driver).await;
        ending.send_replace(true);
    });
    Ok(Link {
        id,
        persisted: loaded.persisted,
        machines,
        net,
        _online: online(to_loop.clone()),
        requests: to_loop,
        slots: Arc::new(Semaphore::new(ASK_SLOTS_MAX)),
        stop: RefCell::new(Some(stop)),
        over,
    })
}

fn spawn_driver(driver: Driver) -> DriverTask {
    let (stop, stopping) = oneshot::channel();
    let (running, ended) = oneshot::channel();
    spawn_local(async move {
        driver.run(stopping.map(drop)).await;
        drop(running);
    });
    DriverTask { stop, ended }
}

/// Seeds for what is random but no secret.
fn seeds() -> Result<[u64; 4], Failure> {
    let mut seeds = [0; 4];
    for seed in &mut seeds {
        *seed = getrandom::u64()
            .map_err(|e| Failure::setup(format!("the browser gives no random numbers: {e}")))?;
    }
    Ok(seeds)
}

/// Tries all links at once when the browser is online again.
fn online(requests: mpsc::Sender<Request>) -> Option<Listener> {
    let target: EventTarget = js_sys::global().dyn_into().ok()?;
    Listener::new(&target, &["online"], move |_| {
        // A full queue is busy anyway, and the links have their timers.
        drop(requests.try_send(Request::RetryNow));
    })
    .ok()
}

/// Whether the page itself comes from this computer or its own network. Only then may peers that
/// were merely heard of be dialled there: elsewhere the browser would ask the person about it.
fn page_is_local() -> bool {
    let get = |from: &wasm_bindgen::JsValue, name: &str| Reflect::get(from, &name.into()).ok();
    let host = get(&js_sys::global(), "location").and_then(|location| get(&location, "hostname"));
    let Some(host) = host.and_then(|host| host.as_string()) else { return false };
    if host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local") {
        return true;
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => false,
    }
}
