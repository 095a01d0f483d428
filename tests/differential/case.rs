//! A case: steps of two clients, and how it is made shorter.

use std::fmt::{self, Display, Formatter};

use crate::dice::Dice;
use crate::{line, script};

/// One request of one of the clients; the second one speaks RESP3.
#[derive(Clone)]
pub struct Step {
    pub client: usize,
    pub words: Vec<Vec<u8>>,
}

#[derive(Clone)]
pub struct Case {
    pub steps: Vec<Step>,
}

impl Case {
    /// Commands of all kinds on a few keys.
    pub fn of_commands(seed: u64) -> Case {
        let mut dice = Dice::new(seed);
        let count = 20 + dice.below(60);
        Case {
            steps: (0..count).map(|_| Step { client: client(&mut dice), words: line::command(&mut dice) }).collect(),
        }
    }

    /// Scripts, with a few commands before so that they find something.
    pub fn of_scripts(seed: u64) -> Case {
        let mut dice = Dice::new(seed);
        let mut steps = Vec::new();
        for _ in 0..dice.below(6) {
            steps.push(Step { client: client(&mut dice), words: line::plain(&mut dice) });
        }
        for _ in 0..=dice.below(3) {
            steps.push(Step { client: client(&mut dice), words: script::request(&mut dice) });
        }
        Case { steps }
    }

    /// The shortest case found for which `differs` still holds: fewer steps, then fewer lines of scripts, then fewer
    /// and shorter words.
    pub fn shrink(self, mut differs: impl FnMut(&Case) -> bool) -> Case {
        let mut best = self;
        let mut chunk = best.steps.len().div_ceil(2);
        while chunk > 0 {
            let mut at = 0;
            while at < best.steps.len() {
                let mut shorter = best.clone();
                shorter.steps.drain(at..(at + chunk).min(best.steps.len()));
                if differs(&shorter) { best = shorter } else { at += chunk }
            }
            chunk /= 2;
        }
        for step in 0..best.steps.len() {
            for word in (0..best.steps[step].words.len()).rev() {
                shrink_lines(&mut best, step, word, &mut differs);
                if word > 0 {
                    let mut shorter = best.clone();
                    shorter.steps[step].words.remove(word);
                    if differs(&shorter) {
                        best = shorter;
                    }
                }
            }
        }
        best
    }
}

/// Drops the lines of a word (a script) that the difference does not need.
fn shrink_lines(best: &mut Case, step: usize, word: usize, differs: &mut impl FnMut(&Case) -> bool) {
    let lines = |case: &Case| case.steps[step].words[word].split(|byte| *byte == b'\n').count();
    let mut at = lines(best);
    while at > 0 && lines(best) > 1 {
        at -= 1;
        let mut shorter = best.clone();
        let text = &mut shorter.steps[step].words[word];
        let mut kept: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        kept.remove(at.min(kept.len() - 1));
        *text = kept.join(&b'\n');
        if differs(&shorter) {
            *best = shorter;
        }
    }
}

fn client(dice: &mut Dice) -> usize {
    usize::from(dice.chance(30))
}

impl Display for Case {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(out, "{}:", step.client)?;
            for word in &step.words {
                let plain = !word.is_empty() && word.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"');
                match plain {
                    true => write!(out, " {}", word.escape_ascii())?,
                    false => write!(out, " \"{}\"", word.escape_ascii())?,
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}
