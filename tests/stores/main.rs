//! Stores past one machine: the real binary against a Redis that is watched by sentinels, and against a Redis Cluster.
//!
//! Every topology is made of real `redis-server` processes on loopback. Which guarantee a test holds stands in its name.

#[path = "../serve/support/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "each test binary uses a part of it")]
mod support;

mod access;
mod answer;
mod everyday;
mod failover;
mod load;
mod migration;
mod pressure;
mod topology;
mod truth;
