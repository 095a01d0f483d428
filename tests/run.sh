#!/usr/bin/env bash
# Installs what the tests need and runs all of them: format, lints, Rust tests, Lua tests on both stores.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

# Debian's redis-server is the real store that every test body also runs against.
install_redis() {
  command -v redis-server >/dev/null && return
  step "installing redis-server"
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  command -v apt-get >/dev/null || { echo "install redis-server 7 with your package manager, then run this again" >&2; exit 2; }
  "${sudo[@]}" apt-get update -q
  # The package may try to start a service; the tests start their own servers.
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends redis-server redis-tools
}

# In a shell of its own, so that the server ends with it however it ends.
run_lua_on_redis() (
  folder=$(mktemp -d)
  redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --appendonly no --dir "$folder" >"$folder/log" &
  server=$!
  trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
  until [ "$(redis-cli -s "$folder/redis.sock" ping 2>/dev/null)" = PONG ]; do
    kill -0 "$server" || { cat "$folder/log" >&2; exit 1; }
  done
  ./target/debug/oneseat test --redis "redis+unix://$folder/redis.sock"
)

install_redis
step "format"
cargo fmt --check
step "lints"
cargo clippy --quiet --all-targets -- -D warnings
step "Rust tests"
cargo test --quiet
step "Lua tests, embedded store"
cargo build --quiet
./target/debug/oneseat test
step "Lua tests, redis-server"
run_lua_on_redis
step "all passed"
