//! Publishing and subscribing.

use crate::embedded::client::Client;
use crate::embedded::pubsub::Space;
use crate::embedded::spec::{Call, Outcome};
use indexmap::IndexSet;

pub fn publish(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let receivers = call.core.publish(args[1], args[2], false);
    call.out.count(receivers);
    Ok(())
}

pub fn spublish(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let receivers = call.core.publish(args[1], args[2], true);
    call.out.count(receivers);
    Ok(())
}

fn names(client: &mut Client, space: Space) -> &mut IndexSet<Vec<u8>> {
    match space {
        Space::Channel => &mut client.channels,
        Space::Pattern => &mut client.patterns,
        Space::Shard => &mut client.shard_channels,
    }
}

fn count(client: &Client, space: Space) -> usize {
    if space == Space::Shard { client.shard_channels.len() } else { client.subscriptions() }
}

fn subscribe_to(call: &mut Call<'_>, args: &[&[u8]], space: Space, word: &str) -> Outcome {
    for name in &args[1..] {
        let client = call.core.client();
        names(client, space).insert(name.to_vec());
        let (id, count) = (client.id, count(client, space));
        call.core.pubsub.subscribe(space, name, id);
        call.out.push(3);
        call.out.bulk(word.as_bytes());
        call.out.bulk(name);
        call.out.count(count);
    }
    Ok(())
}

fn unsubscribe_from(call: &mut Call<'_>, args: &[&[u8]], space: Space, word: &str) -> Outcome {
    let all: Vec<Vec<u8>> = match args.len() {
        1 => names(call.core.client(), space).iter().cloned().collect(),
        _ => args[1..].iter().map(|name| name.to_vec()).collect(),
    };
    for name in &all {
        let client = call.core.client();
        names(client, space).shift_remove(name);
        let (id, count) = (client.id, count(client, space));
        call.core.pubsub.unsubscribe(space, name, id);
        call.out.push(3);
        call.out.bulk(word.as_bytes());
        call.out.bulk(name);
        call.out.count(count);
    }
    if all.is_empty() {
        let count = count(call.core.client(), space);
        call.out.push(3);
        call.out.bulk(word.as_bytes());
        call.out.null();
        call.out.count(count);
    }
    Ok(())
}

pub fn subscribe(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    subscribe_to(call, args, Space::Channel, "subscribe")
}

pub fn psubscribe(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    subscribe_to(call, args, Space::Pattern, "psubscribe")
}

pub fn ssubscribe(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    subscribe_to(call, args, Space::Shard, "ssubscribe")
}

pub fn unsubscribe(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    unsubscribe_from(call, args, Space::Channel, "unsubscribe")
}

pub fn punsubscribe(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    unsubscribe_from(call, args, Space::Pattern, "punsubscribe")
}

pub fn sunsubscribe(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    unsubscribe_from(call, args, Space::Shard, "sunsubscribe")
}

fn list_channels(call: &mut Call<'_>, args: &[&[u8]], shard: bool) -> Outcome {
    let found = call.core.pubsub.names(shard, args.get(2).copied());
    call.out.array(found.len());
    found.into_iter().for_each(|name| call.out.bulk(name));
    Ok(())
}

fn count_channels(call: &mut Call<'_>, args: &[&[u8]], shard: bool) -> Outcome {
    call.out.array(2 * (args.len() - 2));
    for name in &args[2..] {
        call.out.bulk(name);
        call.out.count(call.core.pubsub.count(shard, name));
    }
    Ok(())
}

pub fn channels(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    list_channels(call, args, false)
}

pub fn shardchannels(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    list_channels(call, args, true)
}

pub fn numsub(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    count_channels(call, args, false)
}

pub fn shardnumsub(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    count_channels(call, args, true)
}

pub fn numpat(call: &mut Call<'_>, _: &[&[u8]]) -> Outcome {
    call.out.count(call.core.pubsub.pattern_count());
    Ok(())
}
