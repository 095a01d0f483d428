pub fn script_call(_n: &str, _v: u32, _ok: bool, _e: std::time::Duration) {}
