//! Which versions of a script a test claims something about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The options `since`, `till` and `only` of a test; without any it claims every version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Claim {
    /// The first version.
    pub since: Option<u32>,
    /// The last version.
    pub till: Option<u32>,
    /// The only version.
    pub only: Option<u32>,
}

impl Claim {
    /// Whether a version is claimed.
    pub fn holds(&self, version: u32) -> bool {
        self.since.is_none_or(|since| version >= since)
            && self.till.is_none_or(|till| version <= till)
            && self.only.is_none_or(|only| version == only)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = [("since", self.since), ("till", self.till), ("only", self.only)];
        let given = options.iter().filter_map(|(word, value)| value.map(|value| format!("{word} = {value}")));
        f.write_str(&given.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_where_all_its_options_do() {
        let claim = Claim { since: Some(2), till: Some(3), only: None };
        assert_eq!([1, 2, 3, 4].map(|version| claim.holds(version)), [false, true, true, false]);
        assert_eq!([1, 2].map(|version| Claim { only: Some(2), ..Claim::default() }.holds(version)), [false, true]);
        assert!(Claim::default().holds(7));
        assert_eq!(claim.to_string(), "since = 2, till = 3");
    }
}
