//! Many devices at once: they come, take over, come back with their ticket, leave and fall silent, all by one seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::board::Board;
use crate::device::{Device, Leaving};
use crate::history::Record;
use crate::support::{Random, wait_until};

/// What a crowd does.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    /// Users, each with a seat of their own.
    pub users: usize,
    /// Devices that want each seat.
    pub devices: usize,
    /// Time between two heartbeats of a session.
    pub beat: Duration,
    /// Longest pause of a device between two logins.
    pub pause: Duration,
    /// Longest time that a session stays if nobody ends it.
    pub stay: Duration,
    /// Whether some fall silent instead of leaving.
    pub falls_silent: bool,
}

/// How far the crowd is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Phase {
    /// All come and go.
    Storm,
    /// Nobody comes any more; who is there stays.
    Rest,
    /// All go home.
    Over,
}

/// Devices that live on a runtime of their own.
pub struct Crowd {
    record: Arc<Record>,
    phase: watch::Sender<Phase>,
    devices: Vec<JoinHandle<()>>,
    /// Devices that have not come to rest.
    busy: Arc<AtomicUsize>,
    runtime: Runtime,
}

/// What every device knows.
struct Ground {
    record: Arc<Record>,
    board: Arc<Board>,
    habit: Habit,
    phase: watch::Receiver<Phase>,
    busy: Arc<AtomicUsize>,
}

/// The first user of a crowd; tests use smaller ones.
pub const UID_FIRST: u64 = 10_000;

impl Crowd {
    /// Lets them loose.
    pub fn start(record: Arc<Record>, board: Arc<Board>, habit: Habit, seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(64)
            .enable_all()
            .build()
            .expect("a runtime of one thread");
        let (phase, seen) = watch::channel(Phase::Storm);
        let busy = Arc::new(AtomicUsize::new(habit.users * habit.devices));
        let ground = Arc::new(Ground { record: record.clone(), board, habit, phase: seen, busy: busy.clone() });
        let devices = (0..habit.users * habit.devices)
            .map(|number| {
                let uid = UID_FIRST + (number % habit.users) as u64;
                // Neighbouring seeds give neighbouring numbers at first.
                let mut random =
                    Random::new(seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(number as u64) << 1);
                random.below(2);
                runtime.spawn(come_and_go(ground.clone(), uid, random))
            })
            .collect();
        Self { record, phase, devices, busy, runtime }
    }

    /// Waits until this many more sessions were given.
    pub fn wait_sessions(&self, more: usize) {
        let wanted = self.record.sessions() + more;
        wait_until(&format!("{more} more logins"), || (self.record.sessions() >= wanted).then_some(()));
    }

    /// Nobody comes any more, and every login has its answer; those who have a session keep it.
    pub fn rest(&self) {
        self.phase.send_replace(Phase::Rest);
        wait_until("every device has come to rest", || (self.busy.load(Ordering::Acquire) == 0).then_some(()));
    }

    /// All leave.
    pub fn go_home(self) {
        self.phase.send_replace(Phase::Over);
        self.runtime.block_on(async {
            for device in self.devices {
                if let Err(error) = device.await {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        });
    }
}

/// The whole life of one device.
async fn come_and_go(ground: Arc<Ground>, uid: u64, mut random: Random) {
    let mut token = None;
    while ground.pause(random.below(millis(ground.habit.pause))).await {
        let asked_of = random.below(ground.board.count());
        let dialled = random.below(ground.board.count());
        let is_new = token.is_none() || random.below(3) > 0;
        if is_new {
            token = ground.token(asked_of, uid).await;
        }
        let Some(shown) = token.as_deref() else { continue };
        let address = ground.board.place(dialled).clients;
        let Some(mut device) = Device::dial(&ground.record, uid, dialled, address, shown).await else { continue };
        match device.log_in().await {
            Some(0) => ground.serve(&mut device, &mut random).await,
            Some(_) => {}
            // Refused for good, or nobody knows: the next try brings a new ticket, or the same one.
            None if random.below(2) == 0 => token = None,
            None => {}
        }
    }
    ground.busy.fetch_sub(1, Ordering::AcqRel);
}

impl Ground {
    /// Pauses, unless the storm is over; answers whether it goes on.
    async fn pause(&self, ms: usize) -> bool {
        let mut phase = self.phase.clone();
        let end = Instant::now() + Duration::from_millis(ms as u64);
        tokio::select! {
            () = reached(&mut phase, Phase::Rest) => false,
            () = sleep_until(end) => true,
        }
    }

    async fn token(self: &Arc<Self>, node: usize, uid: u64) -> Option<String> {
        let ground = self.clone();
        tokio::task::spawn_blocking(move || ground.board.token(node, uid)).await.ok().flatten()
    }

    /// Serves a session until it ends; at rest it stays.
    async fn serve(&self, device: &mut Device, random: &mut Random) {
        let until = Instant::now() + Duration::from_millis(random.below(millis(self.habit.stay)) as u64);
        let leaving = match random.below(4) {
            0 => Leaving::Stays,
            1 if self.habit.falls_silent => Leaving::FallsSilent,
            _ => Leaving::Closes,
        };
        let mut phase = self.phase.clone();
        tokio::select! {
            () = reached(&mut phase, Phase::Rest) => {}
            _ = device.live(self.habit.beat, Some(until), leaving) => return,
        }
        self.busy.fetch_sub(1, Ordering::AcqRel);
        tokio::select! {
            () = reached(&mut phase, Phase::Over) => device.close().await,
            _ = device.live(self.habit.beat, None, Leaving::Stays) => {}
        }
        self.busy.fetch_add(1, Ordering::AcqRel);
    }
}

/// Waits until the crowd is that far, or nobody leads it any more.
async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    let _ = phase.wait_for(|phase| *phase >= wanted).await;
}

fn millis(time: Duration) -> usize {
    usize::try_from(time.as_millis()).expect("tests take minutes").max(1)
}
