//! The digest of a ticket's token: all of a token that is kept, logged nowhere and sent to Redis.

use std::fmt;

use sha2::{Digest, Sha256};

/// First half of the SHA-256 of a token. Displayed as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 16]);

impl TokenDigest {
    /// The digest of a token as a client shows it.
    pub fn of(token: &str) -> Self {
        let whole: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Self(half)
    }
}

impl fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A digest opens a seat for whoever may talk to Redis, so it is kept out of logs like the token itself.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_first_half_of_sha256() {
        assert_eq!(TokenDigest::of("abc").to_string(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(format!("{:?}", TokenDigest::of("abc")), "TokenDigest(..)");
    }
}
