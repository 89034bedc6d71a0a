# shellcheck shell=bash
# Processes of one run, each known by its number and the moment it began, so that no stranger who got the number
# since is ever ended; sourced by cluster.sh.
: "${STATE:=}"

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "error: $*"; exit 1; }

# The moment of start in the kernel's count: field 22, of which the name before may hold spaces.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

alive() { # NAME
  local pid at
  [ -f "$STATE/run/$1.pid" ] || return 1
  read -r pid at <"$STATE/run/$1.pid"
  [ -n "$pid" ] && [ "$(born "$pid")" = "$at" ]
}

# Every part that was started still runs; who waits for one that has ended waits in vain.
all_alive() {
  local file name
  for file in "$STATE"/run/*.pid; do
    name=$(basename "$file" .pid)
    alive "$name" || { tail -n 5 "$STATE/log/$name.log" >&2; die "$name has ended"; }
  done
}

# What ended by itself since is started again.
forget_dead() {
  local file
  for file in "$STATE"/run/*.pid; do
    [ ! -f "$file" ] || alive "$(basename "$file" .pid)" || rm "$file"
  done
}

# In the background, a process group of its own, which outlives this script.
start() { # NAME COMMAND...
  local name=$1 pid
  shift
  alive "$name" && return 0
  mkdir -p "$STATE/run" "$STATE/log"
  setsid "$@" >"$STATE/log/$name.log" 2>&1 </dev/null &
  pid=$!
  echo "$pid $(born $pid)" >"$STATE/run/$name.pid"
}

stop() { # NAME...: each in turn, with all that it started
  local name pid _
  for name in "$@"; do
    alive "$name" || continue
    read -r pid _ <"$STATE/run/$name.pid"
    kill -TERM -- "-$pid" 2>/dev/null || true
    for _ in $(seq 60); do alive "$name" || break; sleep 0.25; done
    ! alive "$name" || kill -KILL -- "-$pid" 2>/dev/null || true
    rm -f "$STATE/run/$name.pid"
  done
}

wait_for() { # SECONDS WHAT COMMAND...
  local limit=$1 what=$2 begun=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    all_alive
    [ $((SECONDS - begun)) -lt "$limit" ] || die "$what: not ready after $limit s; see $STATE/log"
    sleep 0.3
  done
  say "$what: ready after $((SECONDS - begun)) s"
}

logs() { tail -n 20 "$STATE"/log/*.log; }
