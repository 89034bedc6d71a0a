#!/usr/bin/env bash
# Builds the cluster's programs from the Go module proxy, once, into the folder $BIN. It needs Go 1.24 or newer,
# and about 14 minutes of processor time from empty caches.
#
# Kubernetes is a Go module, but `go install` refuses it because its go.mod replaces k8s.io/* by folders of its own
# tree. Those are published too, as v0.MINOR.PATCH: a module of ours with the same go.mod and these instead builds it.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
: "${KUBERNETES:?}" "${COREDNS:?}" "${BIN:?}"
PROGRAMS=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)
export CGO_ENABLED=0 GOFLAGS=-mod=mod
published=v0.${KUBERNETES#1.}

go_mod_of() { # MODULE@VERSION: its go.mod; asked from a folder that has none
  local json
  json=$(cd / && go mod download -json "$1")
  json=${json#*\"GoMod\": \"}
  cat "${json%%\"*}"
}

kubernetes() {
  local src=$BIN/src/kubernetes program version packages=() flags="-s -w"
  for program in "${PROGRAMS[@]}"; do
    [ -x "$BIN/$program" ] || packages+=("k8s.io/kubernetes/cmd/$program")
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  mkdir -p "$src" && cd "$src"
  go_mod_of "k8s.io/kubernetes@v$KUBERNETES" |
    sed -E "s#^module .*#module roomcast.test/kubernetes#; s#(k8s.io/[a-z0-9-]+) => \./staging/src/.*#\1 => \1 $published#" >go.mod
  printf '\nrequire k8s.io/kubernetes v%s\n' "$KUBERNETES" >>go.mod
  { printf '//go:build tools\n\npackage tools\n\n'; printf 'import _ "k8s.io/kubernetes/cmd/%s"\n' "${PROGRAMS[@]}"; } >tools.go
  # Without these it calls itself v0.0.0, and Helm believes it.
  for version in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $version.gitVersion=v$KUBERNETES -X $version.gitMajor=1 -X $version.gitMinor=$(cut -d. -f2 <<<"$KUBERNETES")"
  done
  go build -trimpath -ldflags "$flags" -o "$BIN" "${packages[@]}"
}

# CoreDNS with the few plugins that a cluster needs; on the same k8s.io libraries as above, so that little is left to build.
coredns() {
  local src=$BIN/src/coredns library
  [ -x "$BIN/coredns" ] && return 0
  mkdir -p "$src" && cp "$HERE/coredns.go" "$src/main.go" && cd "$src"
  go_mod_of "github.com/coredns/coredns@v$COREDNS" | sed 's#^module .*#module roomcast.test/coredns#' >go.mod
  printf '\nrequire github.com/coredns/coredns v%s\n' "$COREDNS" >>go.mod
  for library in api apimachinery client-go; do
    printf 'replace k8s.io/%s => k8s.io/%s %s\n' $library $library "$published" >>go.mod
  done
  go build -trimpath -ldflags '-s -w' -o "$BIN/coredns" .
}

for part in "$@"; do "$part"; done
