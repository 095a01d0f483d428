#!/usr/bin/env bash
# Installs what the tests need and runs all of them: format, lints, Rust tests, Lua tests on both stores.
# `tests/run.sh upstream` only fetches the tests of Redis.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

as_root() {
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" "$@"
}

# Installs Debian packages; the first argument says what to do by hand elsewhere.
install_packages() {
  local advice=$1
  shift
  step "installing $*"
  command -v apt-get >/dev/null || { echo "$advice, then run this again" >&2; exit 2; }
  as_root apt-get update -q
  # A package may try to start a service; the tests start their own servers.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$@"
}

# Debian's redis-server is the real store that every test body also runs against.
install_redis() {
  command -v redis-server >/dev/null && return
  install_packages "install redis-server 7 with your package manager" redis-server redis-tools
}

# A library that shifts the clock of one process: nodes of tests whose clocks are ten minutes apart.
install_faketime() {
  compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null && return
  install_packages "install libfaketime with your package manager" libfaketime
}

# Certificates for the test of encrypted connections.
install_openssl() {
  command -v openssl >/dev/null && return
  install_packages "install openssl with your package manager" openssl
}

# Redis' own tests, from the source of Debian's package, for `cargo test --test upstream`. The list of sources and all
# that comes of it stays in the folder.
fetch_upstream() {
  local folder=target/upstream line='deb-src http://deb.debian.org/debian bookworm main'
  command -v tclsh >/dev/null || install_packages "install Tcl 8.6 with your package manager" tcl
  [ -f "$folder/redis/tests/test_helper.tcl" ] && return
  step "fetching the tests of Redis"
  command -v apt-get >/dev/null || { echo "unpack the source of Redis 7.0 as $folder/redis, then run this again" >&2; exit 2; }
  rm -rf "$folder"
  mkdir -p "$folder/lists/partial" "$folder/unpacked"
  (
    cd "$folder"
    echo "$line" >sources.list
    private=(-q -o "Dir::Etc::sourcelist=$PWD/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$PWD/lists"
      -o "Dir::Cache=$PWD" -o APT::Sandbox::User=)
    apt-get "${private[@]}" update
    apt-get "${private[@]}" source --download-only redis
    tar -xzf redis_*.orig.tar.gz -C unpacked --strip-components 1
    mv unpacked redis
    rm -r lists
  )
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

if [ "${1:-}" = upstream ]; then
  fetch_upstream
  exit
fi
install_redis
install_faketime
install_openssl
fetch_upstream
step "format"
cargo fmt --check
step "lints"
cargo clippy --quiet --all-targets -- -D warnings
step "Rust tests"
cargo test --quiet
step "Lua tests, embedded store"
cargo build --quiet
./target/debug/oneseat test --fail-under 100
step "Lua tests, examples"
for example in lua/examples/*/; do ./target/debug/oneseat test "$example"; done
step "Lua tests, redis-server"
run_lua_on_redis
step "all passed"
