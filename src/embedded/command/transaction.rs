//! MULTI, EXEC and what belongs to them.

use crate::embedded::client::{ClientId, Transaction};
use crate::embedded::engine::{Engine, resolve};
use crate::embedded::fault::Fault;
use crate::embedded::reply::Output;
use crate::embedded::resp::ArgList;
use crate::embedded::spec::{Call, Outcome};

pub fn multi(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    let client = call.core.client();
    if client.transaction.is_some() {
        return Err(Fault::new("ERR MULTI calls can not be nested"));
    }
    client.transaction = Some(Transaction::default());
    call.out.ok();
    Ok(())
}

pub fn discard(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    if call.core.client().transaction.take().is_none() {
        return Err(Fault::new("ERR DISCARD without MULTI"));
    }
    forget(call);
    call.out.ok();
    Ok(())
}

/// Stops watching; true when a watched key was changed.
fn forget(call: &mut Call<'_>) -> bool {
    let client = call.core.client();
    let (id, watching) = (client.id, std::mem::take(&mut client.watching));
    call.core.db.unwatch(id, &watching)
}

pub fn watch(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    if call.core.client().transaction.is_some() {
        return Err(Fault::new("ERR WATCH inside MULTI is not allowed"));
    }
    for key in &args[1..] {
        let client = call.core.client();
        let id = client.id;
        if !client.watching.iter().any(|watched| **watched == **key) {
            client.watching.push((*key).into());
            call.core.db.watch(id, key);
        }
    }
    call.out.ok();
    Ok(())
}

pub fn unwatch(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    forget(call);
    call.out.ok();
    Ok(())
}

pub fn exec(engine: &Engine, id: ClientId, _: &[&[u8]], out: &mut Output) -> Outcome {
    let (transaction, spoiled) = {
        let mut core = engine.core.borrow_mut();
        let Some(transaction) = core.client().transaction.take() else {
            return Err(Fault::new("ERR EXEC without MULTI"));
        };
        let mut unused = Output::new(false);
        (transaction, forget(&mut Call { core: &mut core, out: &mut unused }))
    };
    if transaction.aborted {
        return Err(Fault::new("EXECABORT Transaction discarded because of previous errors."));
    }
    if transaction.deny_oom
        && let Err(fault) = engine.core.borrow().check_memory()
    {
        return Err(Fault::new(format!("EXECABORT Transaction discarded because of: {}", fault.into_text())));
    }
    if spoiled {
        out.null_array();
        return Ok(());
    }
    out.array(transaction.queue.len());
    for request in &transaction.queue {
        let args: ArgList<'_> = request.iter().map(Vec::as_slice).collect();
        let start = out.buffer.len();
        if let Err(fault) = resolve(&args).and_then(|spec| engine.run(spec, id, &args, out)) {
            out.buffer.truncate(start);
            engine.core.borrow_mut().count_error(&fault);
            out.error(&fault.text);
        }
        let mut core = engine.core.borrow_mut();
        core.publish_events();
        out.resp3 = core.client().resp3 || id == crate::embedded::client::LOCAL;
    }
    Ok(())
}
