//! One run of the server, from the data folder to the last goodbye: the order of start and stop is all that is here.

mod banner;
pub mod folder;
pub mod store;
mod workshop;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};

use crate::admin::{self, AdminState};
use crate::config::Config;
use crate::error::{Exit, Fatal};
use crate::fault;
use crate::fleet::channel::{Ear, Wakes};
use crate::fleet::lease::SCHEMA;
use crate::fleet::member::{Member, Rhythm};
use crate::fleet::{Identity, Lease, RegisterError, Registration, drain, farewell, presence, reap};
use crate::gateway::Gateway;
use crate::metric::Metric;
use crate::readiness::{Condition, Readiness};
use crate::reason::Reason;
use crate::script::catalogue::Catalogue;
use crate::script::transfer::FILLING;
use crate::script::{CallError, Caller, Standing};
use crate::serve::folder::DataFolder;
use crate::serve::store::Store;
use crate::serve::workshop::Workshop;
use crate::session::ending::EndingQueue;

/// Time between two looks whether a drained node is empty.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a start may do beside serving.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Take the node's name although a node of that name is alive.
    pub takeover: bool,
    /// Test and run the scripts of `scripts.dir` anew whenever they change.
    pub watch: bool,
    /// Run the scripts of `scripts.dir` although others share the store.
    pub force: bool,
}

/// Serves until a signal asks to stop, another process takes this node's name, or the embedded store ends.
pub fn run(config: Config, options: Options) -> Result<Exit, Fatal> {
    fault::check().map_err(|error| Fatal::new(Exit::Usage, error))?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Fatal::new(Exit::Bug, "the runtime cannot start").because(error))?;
    runtime.block_on(serve(Arc::new(config), options))
}

async fn serve(config: Arc<Config>, options: Options) -> Result<Exit, Fatal> {
    admin::install_metrics();
    let workshop = Workshop::open(&config, options)?;
    let folder = DataFolder::open(&config.data.dir)?;
    let clients = listen(config.gateway.listen, "gateway.listen")?;
    let operators = listen(config.admin.listen, "admin.listen")?;
    let store = Store::open(&config, &folder)?;
    let readiness = Arc::new(Readiness::new());
    let endings = Arc::new(EndingQueue::new());
    let caller = Arc::new(connect(&config, &store, workshop.as_ref(), &readiness).await?);
    let gateway = Gateway::new(&config, caller.clone(), endings.clone());
    let (resync, announced) = (Arc::new(Notify::new()), Arc::new(Notify::new()));

    let lease = Arc::new(Lease::new(caller.clone(), identity(&config, &folder, options.takeover)));
    let registration = enter(&config, &lease, &caller, &readiness).await?;
    let wakes = Wakes { resync: resync.clone(), announced: announced.clone() };
    let ear = Ear::new(store.endpoint.clone(), caller.clone(), gateway.clone(), readiness.clone(), wakes);
    ear.listen().await.map_err(|error| store.unusable(error))?;

    let (stop, stopped) = watch::channel(false);
    let mut serving = tokio::spawn(gateway.clone().serve(clients, stopped.clone()));
    let state = AdminState::new(&config, caller.clone(), gateway.clone(), readiness.clone());
    let http = tokio::spawn(admin::serve(operators, state, stopped));
    let farewells = tokio::spawn(farewell::work(caller.clone(), endings.clone()));
    let member = Member {
        caller: caller.clone(),
        lease: lease.clone(),
        gateway: gateway.clone(),
        readiness: readiness.clone(),
        resync,
        announced,
        rhythm: rhythm(&config),
        registration,
    };
    let mut living = tokio::spawn(member.live());
    let telling = tokio::spawn(presence::work(caller.clone(), gateway.clone(), config.presence.calls_max));
    if let Some(workshop) = workshop.filter(|_| options.watch) {
        tokio::spawn(workshop.watch(caller.clone()));
    }
    readiness.set(Condition::Gateway, true);
    banner::print(&config, &store.place);

    let mut signals = Signals::new();
    let (exit, reason) = tokio::select! {
        () = signals.asked_to_stop() => (Exit::Ok, Reason::Shutdown),
        // It ends by itself only where another process has the name.
        ended = &mut living => ended.map_or((Exit::Bug, Reason::Internal), |()| (Exit::NameTaken, Reason::Fenced)),
        _ = &mut serving => (Exit::Bug, Reason::Internal),
        () = store.ended() => (Exit::Store, Reason::Shutdown),
    };
    readiness.set(Condition::Gateway, false);
    if exit == Exit::Ok && config.node.drain_ms > 0 {
        let why = tokio::select! {
            () = drain_first(&config, &caller, &gateway) => "it is over",
            () = signals.asked_to_stop() => "asked to stop once more",
            _ = &mut living => "another process has the name of this node",
            () = store.ended() => "the embedded store has ended",
        };
        tracing::info!(why, "the drain ends");
    }
    let _ = stop.send(true);
    // A beat after the node has left would register it again.
    living.abort();
    telling.abort();
    part(&config, &gateway, &endings, &lease, &caller, reason).await;
    farewells.abort();
    http.abort();
    tracing::info!(%reason, ?exit, "stopped");
    Ok(exit)
}

/// Tells every client, lets the store know of every session that ended, and leaves the directory; all within
/// `gateway.shutdown_ms`.
async fn part(
    config: &Config,
    gateway: &Gateway,
    endings: &EndingQueue,
    lease: &Lease,
    caller: &Caller,
    reason: Reason,
) {
    let within = Duration::from_millis(config.gateway.shutdown_ms);
    tracing::info!(%reason, sessions = gateway.session_count(), "stopping: clients are told and logged out");
    let orderly = async {
        gateway.close_all(reason, within / 2).await;
        endings.drained().await;
        if let Err(error) = lease.leave().await {
            tracing::warn!(%error, "the directory could not be told; the lease runs out by itself");
        }
        caller.quit().await;
    };
    if tokio::time::timeout(within, orderly).await.is_err() {
        tracing::warn!(waiting = endings.len(), "not everything could be told in time; the next start reaps the rest");
    }
}

async fn connect(
    config: &Config,
    store: &Store,
    workshop: Option<&Workshop>,
    readiness: &Readiness,
) -> Result<Caller, Fatal> {
    let catalogue = match workshop {
        Some(workshop) => workshop.catalogue()?,
        None => Catalogue::embedded()
            .map_err(|error| Fatal::new(Exit::Bug, "the built-in scripts are broken").because(error))?,
    };
    let standing = Arc::new(Standing::of(config));
    let client = store.endpoint.connect().await.map_err(|error| store.unusable(error))?;
    readiness.set(Condition::Redis, true);
    let rescue = store.endpoint.connect().await.map_err(|error| store.unusable(error))?;
    let shards = config.redis.shards();
    let caller = Caller::new(client, catalogue, standing, shards, store.endpoint.timeout()).with_rescue(rescue);
    let caller = if let Some(workshop) = workshop { caller.local(workshop.to_string()) } else { caller };
    caller.load_all().await.map_err(|error| refused("the scripts cannot be loaded", error))?;
    Ok(caller)
}

/// Takes the fleet's script versions, before the first client is accepted.
async fn follow(config: &Config, caller: &Caller, readiness: &Readiness) -> Result<(), Fatal> {
    if !caller.is_local() {
        caller.follow().await.map_err(|error| {
            Fatal::new(Exit::Store, "the fleet's script versions cannot be followed")
                .because(error)
                .hint("`oneseat scripts status` shows them; `oneseat scripts rollback NAME` leads back")
        })?;
    }
    let welcome = config.login.welcome.as_str();
    if !welcome.is_empty() && caller.active().get(welcome).is_none() {
        return Err(Fatal::new(Exit::Usage, format!("login.welcome names no script: {welcome:?}"))
            .hint("name one that `oneseat scripts list` shows as active, or leave it empty"));
    }
    let is_missing = |script: &str| !script.is_empty() && caller.active().get(script).is_none();
    if let Some((id, route)) = config.routes.iter().find(|(_, route)| is_missing(&route.script)) {
        return Err(Fatal::new(Exit::Usage, format!("routes.{id} names no script: {:?}", route.script)).hint(
            "name one that `oneseat scripts list` shows as active, or leave `script` empty to serve nothing there",
        ));
    }
    readiness.set(Condition::Scripts, true);
    Ok(())
}

fn rhythm(config: &Config) -> Rhythm {
    Rhythm {
        beat: Duration::from_millis(config.node.beat_ms),
        verify: Duration::from_millis(config.node.verify_ms),
        reserve: Duration::from_millis(config.ticket.reserve_ms),
        partition: config.node.partition,
    }
}

fn identity(config: &Config, folder: &DataFolder, takeover: bool) -> Identity {
    Identity {
        owner: folder.owner().to_owned(),
        address: config.public_address(),
        capacity: config.node.capacity,
        lease_ms: config.node.lease_ms,
        weight: config.node.weight,
        zone: config.node.zone.clone(),
        takeover,
    }
}

/// Puts the node into the directory.
async fn join(lease: &Lease, readiness: &Readiness) -> Result<Registration, Fatal> {
    let registration = lease.register().await.map_err(|error| match error {
        RegisterError::Taken { .. } => Fatal::new(Exit::NameTaken, "this node's name is taken")
            .because(error)
            .hint("give this node another node.name, wait, or force it with --takeover"),
        RegisterError::Schema { ref schema } => {
            // What cannot be read as a number is of a later day.
            let is_newer = schema.parse().map_or(true, |schema: u32| schema > SCHEMA);
            let hint = match is_newer {
                _ if schema == FILLING => "`oneseat migrate` did not come to its end there: run it again",
                true => "a newer oneseat has written it: start that one, or a newer one than this",
                false => "it is too old: start the oneseat that wrote it, and update release by release",
            };
            Fatal::new(Exit::Store, "this binary does not fit the store").because(error).hint(hint)
        }
        RegisterError::Shards { shards } => Fatal::new(Exit::Store, "redis.shards does not fit the store")
            .because(error)
            .hint(format!("set redis.shards to {shards}; the number of a store in use cannot be changed")),
        other => Fatal::new(Exit::Store, "the node cannot register").because(other),
    })?;
    Metric::Registrations.counter_of("start").increment(1);
    readiness.set(Condition::Node, true);
    Ok(registration)
}

/// Puts the node into the directory, takes the fleet's script versions, and removes what older runs left.
async fn enter(config: &Config, lease: &Lease, caller: &Caller, readiness: &Readiness) -> Result<Registration, Fatal> {
    let registration = join(lease, readiness).await?;
    follow(config, caller, readiness).await?;
    tokio::select! {
        cleared = clear(caller) => cleared?,
        () = stay_alive(lease, Duration::from_millis(config.node.beat_ms)) => {}
    }
    Ok(registration)
}

/// Keeps the lease while the start takes its time, for as long as it is polled.
async fn stay_alive(lease: &Lease, pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        if let Err(error) = lease.beat(0, 0).await {
            tracing::warn!(%error, "a beat failed");
        }
    }
}

/// Removes what older incarnations of this node left, before the first client is accepted.
async fn clear(caller: &Caller) -> Result<(), Fatal> {
    let reaped =
        reap::reap_older(caller).await.map_err(|error| refused("what older runs left cannot be removed", error))?;
    if reaped > 0 {
        tracing::info!(reaped, "removed the sessions of an older run of this node");
    }
    Ok(())
}

fn refused(message: &str, error: CallError) -> Fatal {
    Fatal::new(Exit::Store, message).because(error)
}

fn listen(address: SocketAddr, key: &str) -> Result<TcpListener, Fatal> {
    let bind = || -> std::io::Result<TcpListener> {
        let listener = StdListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    bind().map_err(|error| {
        Fatal::new(Exit::AddressInUse, format!("cannot listen on {address}"))
            .because(error)
            .hint(format!("set {key} to a free address of this machine"))
    })
}

/// SIGTERM and Ctrl-C.
struct Signals(Option<(Signal, Signal)>);

impl Signals {
    fn new() -> Self {
        let both = signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
        Self(
            both.inspect_err(
                |error| tracing::error!(%error, "signals cannot be heard; only SIGKILL ends this process"),
            )
            .ok(),
        )
    }

    /// Waits for the next one.
    async fn asked_to_stop(&mut self) {
        let Some((term, int)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = term.recv() => {},
            _ = int.recv() => {},
        }
    }
}

/// Has the sessions sent to other nodes before the end. The node learns that it is drained by its next beat, as it does
/// from an operator.
async fn drain_first(config: &Config, caller: &Caller, gateway: &Gateway) {
    match drain::announce(caller, Duration::from_millis(config.node.drain_ms)).await {
        Ok(true) => {}
        Ok(false) => return tracing::warn!("the directory does not know this node, which stops without a drain"),
        Err(error) => {
            return tracing::warn!(%error, "the directory could not be told to drain this node, which stops at once");
        }
    }
    let emptied = async {
        while gateway.session_count() > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let within = Duration::from_millis(config.node.drain_ms + config.node.lease_ms);
    if tokio::time::timeout(within, emptied).await.is_err() {
        tracing::warn!(sessions = gateway.session_count(), "not every session could be sent to another node in time");
    }
}

/// Each connection is an open file; the soft limit is often far below what the system allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
