//! How far the user was shown what came for them, and how far the server knows it: what it does not know to be shown
//! comes again at the next login.

use serde_json::Value;

use crate::wire::message::LOGIN_REPLY;

/// Frames that have a position among the messages of a user: their `id` in the body.
const WITH_POSITION: [u16; 3] = [LOGIN_REPLY, 1019, 1025];
const RECEIPT_REPLY: u16 = 1103;

/// The receipts of one session.
#[derive(Default, Debug)]
pub struct Receipts {
    /// Position of the last frame that was shown.
    shown: u64,
    /// The same, as the server confirmed it last.
    confirmed: u64,
}

impl Receipts {
    /// A frame was shown: the position that has to be acknowledged now, if it has one.
    pub fn take(&mut self, id: u16, body: &Value) -> Option<u64> {
        let position = body["id"].as_u64().filter(|position| *position > 0 && body["error"] == 0)?;
        if id == RECEIPT_REPLY {
            self.confirmed = self.confirmed.max(position);
        }
        if !WITH_POSITION.contains(&id) {
            return None;
        }
        self.shown = self.shown.max(position);
        Some(position)
    }

    /// What was acknowledged and is not confirmed: after a while the request or its answer may be lost, or was refused.
    pub fn unconfirmed(&self) -> Option<u64> {
        (self.shown > self.confirmed).then_some(self.shown)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_a_position_is_acknowledged() {
        let mut receipts = Receipts::default();
        assert_eq!(receipts.take(1006, &json!({ "error": 0, "uid": 7 })), None);
        assert_eq!(receipts.take(1006, &json!({ "error": 0, "uid": 7, "id": 5 })), Some(5));
        assert_eq!(receipts.take(1019, &json!({ "error": 0, "id": 6 })), Some(6));
        assert_eq!(receipts.take(1025, &json!({ "error": 0, "type": 1003 })), None);
        assert_eq!(receipts.take(1025, &json!({ "error": 0, "type": 1002, "id": 7 })), Some(7));
        assert_eq!(receipts.take(1018, &json!({ "error": 0, "id": 9 })), None, "a position of somebody else");
        for odd in [json!({ "error": 0, "id": "8" }), json!({ "error": 0, "id": 0 }), json!({ "id": 8 }), json!(null)] {
            assert_eq!(receipts.take(1019, &odd), None, "{odd}");
        }
        assert_eq!(receipts.unconfirmed(), Some(7));
    }

    #[test]
    fn what_is_not_confirmed_is_known() {
        let mut receipts = Receipts::default();
        assert_eq!(receipts.unconfirmed(), None);
        receipts.take(1019, &json!({ "error": 0, "id": 5 }));
        receipts.take(1103, &json!({ "error": 1101, "id": 5 }));
        assert_eq!(receipts.unconfirmed(), Some(5));
        receipts.take(1019, &json!({ "error": 0, "id": 6 }));
        receipts.take(1103, &json!({ "error": 0, "id": 5 }));
        assert_eq!(receipts.unconfirmed(), Some(6));
        receipts.take(1103, &json!({ "error": 0, "id": 6 }));
        assert_eq!(receipts.unconfirmed(), None);
    }
}
