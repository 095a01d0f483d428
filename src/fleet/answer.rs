//! The JSON that scripts answer to the fleet, read into the form that is expected.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::script::CallError;

/// Reads what a script answered. What does not fit is a fault of the script.
pub fn read<T: DeserializeOwned>(script: &str, value: Value) -> Result<T, CallError> {
    serde_json::from_value(value)
        .map_err(|error| CallError::Script { at: script.to_owned(), message: format!("answers oddly: {error}") })
}
