# shellcheck shell=bash
# The node's side: its network, its container runtime, the images on it, and the end of all that runs there;
# sourced by cluster.sh.
: "${NAME:=}" "${RUN:=}" "${STATE:=}" "${BIN:=}"
# Also in config/ and in the API server's certificate.
IP=10.123.0.1

ctr_() { ctr -a "$RUN/containerd.sock" -n k8s.io "$@"; }

network() {
  [ -e "/run/netns/$NAME" ] || ip netns add "$NAME"
  in_network ip link set lo up
  # One end of a pair is the node's address, and its default route leads nowhere: services have addresses that a
  # route must exist for before kube-proxy rewrites them.
  if ! in_network ip link show node0 >/dev/null 2>&1; then
    in_network ip link add node0 type veth peer name node0p
    in_network ip addr add "$IP/24" dev node0
    in_network ip link set node0p up
    in_network ip link set node0 up
    in_network ip route add default dev node0
  fi
  in_network sysctl -qw net.ipv4.ip_forward=1
  # So that a pod which asks a service and is answered by its neighbour on the bridge sees the service's address.
  in_network sysctl -qw net.bridge.bridge-nf-call-iptables=1 || true
}

# A cgroup for this cluster's pods, in each hierarchy (version 1) or the one (version 2).
cgroup() {
  local folder
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then mkdir -p "/sys/fs/cgroup/$NAME"; return; fi
  for folder in /sys/fs/cgroup/*/; do mkdir -p "$folder$NAME" 2>/dev/null || true; done
}

one_file_image() { # PROGRAM TAG: an archive as `docker save` writes it, of one layer with one file
  local program=$1 tag=$2 folder
  ctr_ images ls -q | grep -qx "$tag" && return 0
  folder=$(mktemp -d -p "$STATE")
  tar -C "$BIN" -cf "$folder/layer.tar" "$program"
  printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/%s"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$(dpkg --print-architecture)" "$program" "$(sha256sum <"$folder/layer.tar" | cut -d' ' -f1)" >"$folder/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$tag" >"$folder/manifest.json"
  tar -C "$folder" -c manifest.json config.json layer.tar | ctr_ images import - >/dev/null
  rm -rf "$folder"
}

load() { # IMAGE...
  local image
  for image in "$@"; do
    docker save "$image" | ctr_ images import - >/dev/null || die "cannot load $image; \`cargo xtask images\` builds what is missing"
    say "loaded $image"
  done
}

tag() { # TAG IMAGE...: another tag for what is loaded
  local tag=$1 image name
  shift
  for image in "$@"; do
    # An image's name in a manifest leaves out what Docker puts before it.
    name=$(loaded | grep -x "\(docker.io/\(library/\)\?\)\?$image") || die "$image is not loaded"
    ctr_ images tag --force "$name" "${name%:*}:$tag" >/dev/null
  done
}

loaded() { ctr_ images ls -q | grep -v '@sha256:\|^sha256:'; }

# What the kubelet would take long to end, and what a killed kubelet leaves.
end_pods() {
  local container task network networks=()
  while read -r container; do
    network=$(ctr_ containers info "$container" | grep -o 'netns/cni-[0-9a-f-]*' | head -1) || true
    [ -z "$network" ] || networks+=("${network#netns/}")
  done < <(ctr_ containers ls -q)
  for task in $(ctr_ tasks ls -q); do ctr_ tasks kill -s KILL "$task" 2>/dev/null || true; done
  for container in $(ctr_ containers ls -q); do
    ctr_ tasks rm -f "$container" >/dev/null 2>&1 || true
    ctr_ containers rm "$container" >/dev/null 2>&1 || true
  done
  for network in "${networks[@]}"; do ip netns del "$network" 2>/dev/null || true; done
}

down() {
  local folder mount
  stop kubelet
  if alive containerd; then end_pods; fi
  stop kube-proxy kube-scheduler kube-controller-manager kube-apiserver etcd containerd
  while read -r mount; do umount -l "$mount" 2>/dev/null || true; done < <(
    awk -v state="$STATE/" -v run="$RUN/" 'index($2, state) == 1 || index($2, run) == 1 { print $2 }' /proc/mounts | sort -r)
  for folder in "/sys/fs/cgroup/$NAME" /sys/fs/cgroup/*/"$NAME"; do
    [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  [ ! -e "/run/netns/$NAME" ] || ip netns del "$NAME"
  rm -rf "${STATE:?}" "${RUN:?}"
}
