//! A tiny grammar: a rule is text with names to replace, optional parts, choices and repetitions.
//!
//! `[a|b]` is one of them or nothing, `(a|b)` one of them, `{a}` one to three times.

use crate::dice::Dice;

/// Expands a rule into words; `name` gives what stands for a word.
pub fn expand(dice: &mut Dice, rule: &str, name: &mut impl FnMut(&mut Dice, &str) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    expand_sequence(dice, rule, name, &mut words);
    words
}

fn expand_sequence(
    dice: &mut Dice,
    rule: &str,
    name: &mut impl FnMut(&mut Dice, &str) -> Vec<u8>,
    words: &mut Vec<Vec<u8>>,
) {
    let mut rest = rule.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '[' | '(' | '{' => closing(rest) + 1,
            _ => rest.find(' ').unwrap_or(rest.len()),
        };
        let (item, after) = rest.split_at(end);
        rest = after.trim_start();
        let times = match first {
            '[' => dice.below(2),
            '{' => 1 + dice.below(3),
            '(' => 1,
            _ => {
                words.push(name(dice, item));
                continue;
            }
        };
        let choices = choices(&item[1..item.len() - 1]);
        for _ in 0..times {
            let choice = dice.pick(&choices).expect("brackets hold a choice");
            expand_sequence(dice, choice, name, words);
        }
    }
}

/// Where the bracket that a text begins with is closed.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    panic!("a bracket is not closed in {text}");
}

/// The parts between bars that stand in no inner bracket.
fn choices(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            '|' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}
