#!/usr/bin/env bash
# Three nodes on one Redis, on this machine: to look at takeovers between nodes, at dead nodes and at drains.
#
#   config/examples/three-nodes.sh [FOLDER]
#
# FOLDER (data/three-nodes unless named) gets a folder for each node, with its configuration, its process id and its log.
# It needs redis-server, and oneseat: target/release, target/debug or the PATH is searched, or ONESEAT names it.
# PORT (8100) is where its ports begin: redis-server there, clients of node N at PORT + N, its admin API at PORT + 10 + N.
# REDIS_URL names a Redis that is to be used instead of one of its own. Ctrl-C ends all that it started.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${1:-data/three-nodes}
port=${PORT:-8100}
redis_url=${REDIS_URL:-}
nodes=(node1 node2 node3)
redis_pid=
umask 077

fail() {
  printf 'three-nodes: error: %s\n' "$*" >&2
  exit 1
}

find_oneseat() {
  local candidate
  for candidate in "${ONESEAT:-}" target/release/oneseat target/debug/oneseat; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  command -v oneseat || fail "there is no oneseat yet: run cargo build --release"
}

# Whether somebody listens at a port of this machine.
is_open() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Waits until a command succeeds, as long as the process lives that it waits for.
await() {
  local name=$1 pid=$2 log=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || fail "$name did not start: $(tail -n 1 "$log")"
    sleep 0.05
  done
}

start_redis() {
  mkdir -p "$folder/redis"
  # In a session of its own: Ctrl-C must not end it before the nodes have told it of their end.
  setsid redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$folder/redis" \
    >"$folder/redis/log" 2>&1 &
  redis_pid=$!
  await redis-server "$redis_pid" "$folder/redis/log" is_open "$port"
  redis_url="redis://127.0.0.1:$port"
}

# Writes the configuration of a node; the name, the number.
configure() {
  mkdir -p "$folder/$1"
  cat >"$folder/$1/oneseat.toml" <<END
[node]
name = "$1"
address = "127.0.0.1:$((port + $2))"

[gateway]
listen = "127.0.0.1:$((port + $2))"

[admin]
listen = "127.0.0.1:$((port + 10 + $2))"

[redis]
url = "$redis_url"

[data]
dir = "$folder/$1/data"
END
}

start_node() {
  "$oneseat" serve --config "$folder/$1/oneseat.toml" >"$folder/$1/log" 2>&1 &
  echo $! >"$folder/$1/pid"
  # Its ports are open before it serves; it answers for the fleet once it is part of it.
  await "$1" $! "$folder/$1/log" "$oneseat" nodes --admin "http://127.0.0.1:$((port + 10 + $2))"
}

end_all() {
  local pid
  trap - EXIT INT TERM
  for pid in $(jobs -pr); do
    [ "$pid" = "$redis_pid" ] || kill "$pid" 2>/dev/null || true
  done
  for pid in $(jobs -pr); do
    [ "$pid" = "$redis_pid" ] || wait "$pid" || true
  done
  [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
  wait
}

tell() {
  cat <<END
three nodes serve; their configurations and logs are in $folder. Ctrl-C ends them. Try, in other terminals:

alias oneseat=$oneseat
export ONESEAT_ADMIN__LISTEN=127.0.0.1:$((port + 11))
oneseat nodes
oneseat client --uid 1001
oneseat client --uid 1001
oneseat who 1001
oneseat nodes drain node2 --over 5s
oneseat nodes undrain node2
kill -9 "\$(cat $folder/node3/pid)"
oneseat nodes
unset ONESEAT_ADMIN__LISTEN
oneseat serve --config $folder/node3/oneseat.toml
END
}

oneseat=$(find_oneseat)
for offset in 0 1 2 3 11 12 13; do
  if is_open $((port + offset)); then
    fail "port $((port + offset)) is in use: name another begin with PORT"
  fi
done
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -z "$redis_url" ]; then
  command -v redis-server >/dev/null || fail "redis-server is missing: install it, or name a Redis with REDIS_URL"
  start_redis
fi
for index in "${!nodes[@]}"; do
  configure "${nodes[index]}" $((index + 1))
  start_node "${nodes[index]}" $((index + 1))
done
tell

# A node that is killed is part of what there is to see; the others go on.
while [ -n "$(jobs -pr)" ]; do
  wait -n || true
done
