//! A Redis-compatible store in this process.
