//! What other clients get while a script runs for too long.
//!
//! Called from inside the script. It accepts and reads, answers BUSY to all but the few commands that are allowed
//! then, and says whether the script is to be killed. The script's frozen time and its client are left as they are.

use std::cell::Cell;
use std::time::{Duration, Instant};

use mio::Events;

use super::client::ClientId;
use super::connection::Progress;
use super::core::Core;
use super::engine::{resolve, run_plain};
use super::event_loop::Sockets;
use super::fault::Fault;
use super::lua::host::Verdict;
use super::reply::Output;
use super::spec::flag;

/// Time between two looks at the sockets.
const LOOK_EVERY: Duration = Duration::from_millis(5);

const BUSY: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

/// Looks at the sockets once.
pub fn watch(sockets: &Sockets, looked: &Cell<Instant>, overdue: bool) -> Verdict {
    if sockets.is_stopping() {
        return Verdict::Kill;
    }
    if !overdue || looked.get().elapsed() < LOOK_EVERY {
        return Verdict::GoOn;
    }
    looked.set(Instant::now());
    let mut events = Events::with_capacity(256);
    if sockets.wait(&mut events, Some(Duration::ZERO)).is_err() {
        return Verdict::GoOn;
    }
    let mut verdict = Verdict::GoOn;
    let mut landing = vec![0; 16 * 1024];
    let mut at_work = Vec::new();
    for _ in 0..sockets.waiting() {
        let Some((id, readable)) = sockets.next_ready() else { break };
        let Some(shared) = sockets.connection(id) else {
            continue;
        };
        // The script's own connection is at work further up.
        let Ok(mut connection) = shared.try_borrow_mut() else {
            at_work.push(id);
            continue;
        };
        let mut progress = Progress::Sent;
        if readable {
            let (read, more) = connection.read(&mut landing);
            progress = read;
            if more {
                sockets.serve_again(id);
            }
        }
        while let Ok(true) = connection.parser.advance() {
            let mut core = sockets.core.borrow_mut();
            if answer(&mut core, id, &connection.parser.arguments()) == Verdict::Kill {
                verdict = Verdict::Kill;
            }
        }
        // What the script has published so far goes out when it has ended, and is written down.
        let has_mail = sockets.core.borrow().mail.contains(&id);
        if progress == Progress::Gone {
            sockets.close(&mut connection);
        } else if !has_mail {
            sockets.flush(&mut connection);
        }
    }
    at_work.into_iter().for_each(|id| sockets.serve_again(id));
    if sockets.is_stopping() { Verdict::Kill } else { verdict }
}

/// Answers one request while a script is running.
fn answer(core: &mut Core, id: ClientId, args: &[&[u8]]) -> Verdict {
    let Some(client) = core.clients.get_mut(&id) else {
        return Verdict::GoOn;
    };
    let mut out = std::mem::take(&mut client.outbox);
    let current = std::mem::replace(&mut core.current, id);
    let mut verdict = Verdict::GoOn;
    let outcome = match resolve(args) {
        Ok(spec) if spec.name == "script|kill" => kill(core, &mut out).map(|()| verdict = Verdict::Kill),
        Ok(spec) if spec.name == "exec" && core.client().transaction.take().is_some() => {
            Err(Fault::new(format!("EXECABORT Transaction discarded because of: {BUSY}")))
        }
        Ok(spec) if spec.has(flag::ALLOW_BUSY) => run_plain(core, spec, args, &mut out),
        Ok(_) => Err(Fault::new(BUSY)),
        Err(fault) => Err(fault),
    };
    if let Err(fault) = outcome {
        if let Some(transaction) = &mut core.client().transaction {
            transaction.aborted = true;
        }
        out.error(&fault.text);
    }
    let client = core.client();
    out.resp3 = client.resp3;
    client.outbox = out;
    core.current = current;
    verdict
}

fn kill(core: &Core, out: &mut Output) -> Result<(), Fault> {
    if core.script.wrote {
        return Err(Fault::new(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
             script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
        ));
    }
    out.ok();
    Ok(())
}
