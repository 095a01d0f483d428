//! What requests changed, as commands whose replay gives the same keys whenever and wherever it is done.

use super::frame::{self, EXEC, MULTI};

/// Memory that is kept for the next pass.
const KEPT_BYTES: usize = 1024 * 1024;

/// The effects of the running request, and the units of those that ended.
#[derive(Debug, Default)]
pub struct Effects {
    enabled: bool,
    /// Commands of the running request.
    unit: Vec<u8>,
    commands: usize,
    /// Those of them that only remove keys whose time was over.
    expirations: usize,
    /// The running command has told its effect itself.
    told: bool,
    /// Units that nobody has taken yet.
    units: Vec<u8>,
    /// Bytes of all units so far; the place of a unit in the history.
    position: u64,
}

impl Effects {
    /// From now on effects are kept, for somebody who takes them.
    pub fn enable(&mut self) {
        self.enabled = true;
    }

    /// Adds an effect of the running request.
    pub fn add(&mut self, args: &[&[u8]]) {
        if self.enabled {
            frame::write_command(&mut self.unit, args);
            self.commands += 1;
        }
    }

    /// Adds that a key's time was over.
    pub fn expire(&mut self, key: &[u8]) {
        if self.enabled {
            self.expirations += 1;
            self.add(&[b"DEL", key]);
        }
    }

    /// Adds an effect in the place of the running command, whose own words would not give the same again: they depend
    /// on the time, on chance, or on how this engine stores or prints something.
    pub fn tell(&mut self, args: &[&[u8]]) {
        self.told = true;
        self.add(args);
    }

    /// Adds the command that just ran, unless it changed nothing or told its effect itself.
    pub fn record(&mut self, args: &[&[u8]], changed: bool) {
        if !std::mem::take(&mut self.told) && changed {
            self.add(args);
        }
    }

    /// Forgets the running request.
    pub fn abandon(&mut self) {
        self.unit.clear();
        (self.commands, self.expirations) = (0, 0);
    }

    /// Ends the running request; its place in the history when it changed something. That keys expired is no change
    /// that anybody has to wait for: it would be seen again after a crash.
    pub fn close(&mut self) -> Option<u64> {
        if self.commands == 0 {
            return None;
        }
        let before = self.units.len();
        let several = self.commands > 1;
        self.units.extend_from_slice(if several { MULTI } else { b"" });
        self.units.append(&mut self.unit);
        self.units.extend_from_slice(if several { EXEC } else { b"" });
        self.position += (self.units.len() - before) as u64;
        let only_expired = self.expirations == self.commands;
        (self.commands, self.expirations) = (0, 0);
        (!only_expired).then_some(self.position)
    }

    /// Bytes of all units so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Moves the closed units behind what is in `into`.
    pub fn take(&mut self, into: &mut Vec<u8>) {
        into.append(&mut self.units);
        if self.units.capacity() > KEPT_BYTES {
            self.units = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_several_effects_is_one_transaction() {
        let mut effects = Effects::default();
        effects.enable();
        effects.record(&[b"INCR", b"a"], true);
        assert_eq!(effects.close(), Some(21));
        effects.record(&[b"GETDEL", b"b"], false);
        assert_eq!(effects.close(), None);
        effects.tell(&[b"DEL", b"c"]);
        effects.record(&[b"PEXPIRE", b"c", b"-1"], true);
        effects.add(&[b"DEL", b"d"]);
        let end = effects.close().expect("it changed something");
        let mut units = Vec::new();
        effects.take(&mut units);
        assert_eq!(units.len() as u64, end);
        let text = String::from_utf8(units).expect("text").replace("\r\n", " ");
        assert_eq!(text, "*2 $4 INCR $1 a *1 $5 MULTI *2 $3 DEL $1 c *2 $3 DEL $1 d *1 $4 EXEC ");
    }
}
