//! Black-box tests: the real binary, raw sockets, an embedded store and a real `redis-server`.
//!
//! Test bodies take the store as an argument and run on both. `tests/defects.md` maps the defects of the system that
//! this one replaces, and the guarantees, to the tests here.

mod support;

mod answer;
mod canary;
mod contest;
mod count;
mod defect;
mod denial;
mod example;
mod fault;
mod fixture;
mod fleet;
mod follow;
mod foul;
mod heartbeat;
mod hostile;
mod lifecycle;
mod login;
mod migrate;
mod outage;
mod peer;
mod profile;
mod resource;
mod restart;
mod script;
mod start;
mod stop;
mod storm;
mod takeover;
mod ticket;
mod workshop;
