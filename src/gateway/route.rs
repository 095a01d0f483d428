//! How frames are led to scripts: the routes of the configuration, and how often a client may take each.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::request::Request;
use super::visitor::{Step, refuse_body};
use crate::config::{KeySource, Route, Routes};
use crate::id::Uid;
use crate::wire::message::parse_users;
use crate::wire::{Frame, ReplyCode};

/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;

/// The routes by message id.
#[derive(Debug)]
pub(super) struct RouteTable(HashMap<u16, Arc<Route>>);

impl RouteTable {
    /// Those of the configuration.
    pub fn new(routes: &Routes) -> Self {
        Self(routes.iter().map(|(id, route)| (id, Arc::new(route.clone()))).collect())
    }

    /// The route of a message id; `None` for ids that nobody serves.
    pub fn get(&self, id: u16) -> Option<&Arc<Route>> {
        self.0.get(&id)
    }

    /// The id that answers a request; `None` for what is not answered.
    pub fn reply_id(&self, id: u16) -> Option<u16> {
        self.get(id).map(|route| route.reply).filter(|reply| *reply != 0)
    }
}

/// What is known where a frame is received.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub routes: &'a RouteTable,
    /// The gateway's clock.
    pub now_ms: u64,
}

/// How often something may be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// In the long run; 0 for no limit.
    pub per_second: u32,
    /// As many may come at once.
    pub burst: u32,
}

/// How often a client took each route lately. Most take none, so it begins with nothing.
#[derive(Debug, Default)]
pub(super) struct Usage(Box<[(u16, u64)]>);

impl Usage {
    /// Whether one more request is within its rate; then it counts. This is the generic cell rate algorithm of
    /// ITU-T I.371: one number says up to when the rate is used up.
    pub fn allows(&mut self, id: u16, rate: Rate, now_ms: u64) -> bool {
        let Some(step_us) = SECOND_US.checked_div(rate.per_second.into()) else { return true };
        let now_us = now_ms.saturating_mul(1_000);
        let used_until_us = self.of(id);
        let until_us = now_us.max(*used_until_us);
        let is_within = until_us - now_us <= step_us.saturating_mul(u64::from(rate.burst) - 1);
        if is_within {
            *used_until_us = until_us + step_us;
        }
        is_within
    }

    /// Up to when the rate of a route is used up, in microseconds. A client takes few of them, so this grows seldom.
    fn of(&mut self, id: u16) -> &mut u64 {
        let index = self.0.iter().position(|(other, _)| *other == id).unwrap_or_else(|| {
            let mut longer = std::mem::take(&mut self.0).into_vec();
            longer.push((id, 0));
            self.0 = longer.into_boxed_slice();
            self.0.len() - 1
        });
        &mut self.0[index].1
    }
}

/// What a frame with a route leads to, in the name of `own`; `None` is somebody who has not logged in.
pub(super) fn receive(frame: &Frame<'_>, own: Option<&Uid>, usage: &mut Usage, terms: Terms<'_>) -> Step {
    let Some(route) = terms.routes.get(frame.id) else { return Step::Unknown };
    let refuse = |code, reason| Step::Refuse { id: route.reply, code, reason };
    if route.script.is_empty() {
        return refuse(ReplyCode::NotAllowed, Some("not_served"));
    }
    if route.login && own.is_none() {
        return refuse(ReplyCode::NotLoggedIn, None);
    }
    if route.bytes_max > 0 && frame.body().len() > usize::from(route.bytes_max) {
        return refuse(ReplyCode::TooLarge, None);
    }
    if !usage.allows(frame.id, Rate { per_second: route.per_second, burst: route.burst }, terms.now_ms) {
        return refuse(ReplyCode::TooMany, Some("rate"));
    }
    let key = match &route.key {
        KeySource::Session => "",
        KeySource::Field(field) => field,
    };
    match parse_users(frame.body(), [&route.sender, key]) {
        Err(flaw) => refuse_body(route.reply, flaw),
        Ok([Some(sender), _]) if Some(&sender) != own => refuse(ReplyCode::OtherUid, None),
        Ok([_, other]) => {
            Step::Ask(Request { route: route.clone(), other, body: Bytes::copy_from_slice(frame.body()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rate(per_second: u32, burst: u32) -> Rate {
        Rate { per_second, burst }
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let (mut usage, rate) = (Usage::default(), rate(2, 3));
        let allowed = |usage: &mut Usage, now_ms| (0..10).filter(|_| usage.allows(7, rate, now_ms)).count();
        assert_eq!(allowed(&mut usage, 5_000), 3);
        assert_eq!(allowed(&mut usage, 5_499), 0);
        assert_eq!(allowed(&mut usage, 5_500), 1);
        assert_eq!(allowed(&mut usage, 60_000), 3, "what was not used does not add up");
    }

    #[test]
    fn each_route_counts_for_itself_and_one_without_a_rate_not_at_all() {
        let mut usage = Usage::default();
        assert!(usage.allows(1, rate(1, 1), 0) && !usage.allows(1, rate(1, 1), 0));
        assert!(usage.allows(2, rate(1, 1), 0));
        let mut usage = Usage::default();
        assert!((0..100).all(|_| usage.allows(1, rate(0, 0), 0)));
        assert!(usage.0.is_empty(), "nothing is kept for it");
    }
}
