//! The embedded store from outside: the same bodies against it and against a real `redis-server`.

mod busy;
mod client;
mod clients;
mod commands;
mod engine;
mod hostile;
mod lines;
mod lua;
mod properties;
mod pubsub;
mod reference;
mod scripts;
mod store;
mod transactions;
