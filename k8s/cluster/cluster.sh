#!/usr/bin/env bash
# A one-node Kubernetes for tests, of real parts: etcd, API server, controllers, scheduler, kubelet, kube-proxy,
# containerd and CoreDNS, in a network namespace of its own that nothing leaves. It needs root.
#   build         builds the programs that are missing, into the cache    built   whether none is missing
#   up            builds and starts everything                            down    ends everything and removes its state
#   load IMAGE... copies images of the local Docker daemon into the node  loaded  lists them
#   tag TAG IMAGE...  gives images of the node another tag
#   exec CMD...   runs a command in the cluster's network, with KUBECONFIG set and kubectl on its PATH
#   logs          the last lines of each part's log
# STATE is the folder of this run (target/k8s); ROOMCAST_CACHE is where programs are kept.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=k8s/cluster/process.sh
. "$HERE/process.sh"
# shellcheck source=k8s/cluster/node.sh
. "$HERE/node.sh"
# shellcheck source=k8s/cluster/start.sh
. "$HERE/start.sh"

# The versions that fit each other: one minor release of kubectl and API server, and what they were built with.
export KUBERNETES=1.33.13 COREDNS=1.12.2
CACHE=${ROOMCAST_CACHE:-$HOME/.cache/roomcast}
STATE=${STATE:-$(cd "$HERE/../.." && pwd)/target/k8s}
export BIN=$CACHE/k8s-$KUBERNETES KUBECONFIG=$STATE/kubeconfig
# Two checkouts may each have a cluster: what is not a file is named after the folder of the state.
NAME=roomcast-$(printf %s "$STATE" | sha256sum | head -c 8)
RUN=/run/$NAME
PROGRAMS=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl coredns pause)
PACKAGES=(containerd containernetworking-plugins runc etcd-server iptables ipset iproute2 conntrack openssl gcc libc6-dev)

in_network() { nsenter --net="/run/netns/$NAME" -- "$@"; }
kubectl() { in_network "$BIN/kubectl" "$@"; }

built() {
  local program package
  for program in "${PROGRAMS[@]}"; do [ -x "$BIN/$program" ] || { say "$program is not built"; return 1; }; done
  for package in "${PACKAGES[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || { say "$package is not installed"; return 1; }
  done
}

build() {
  built 2>/dev/null && return 0
  # With run level 1 no package starts its service.
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${PACKAGES[@]}"
  mkdir -p "$BIN"
  [ -x "$BIN/pause" ] || gcc -static -Os -Wall -Werror -o "$BIN/pause" "$HERE/build/pause.c"
  say "building into $BIN, once"
  bash "$HERE/build/go.sh" kubernetes coredns
}

case ${1:-} in
  build | built | up | down | logs | loaded) "$1" ;;
  load | tag) "$@" ;;
  exec) shift && PATH="$BIN:$PATH" in_network "$@" ;;
  *) die "build | built | up | down | load IMAGE... | loaded | tag TAG IMAGE... | exec CMD... | logs" ;;
esac
