# shellcheck shell=bash
# Everything that a cluster is made of, in the order in which it starts; sourced by cluster.sh.
: "${NAME:=}" "${RUN:=}" "${STATE:=}" "${BIN:=}" "${HERE:=}" "${KUBECONFIG:=}" "${IP:=}"

# An authority of this run, the API server's certificate, and the key that signs service accounts' tokens.
certificates() {
  local pki=$STATE/pki names curve=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc)
  [ ! -f "$pki/apiserver.crt" ] || return 0
  mkdir -p "$pki"
  names=IP:127.0.0.1,IP:$IP,IP:10.96.0.1,DNS:localhost,DNS:kubernetes
  names+=,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
  openssl req -x509 "${curve[@]}" -days 30 -subj /CN=roomcast-cluster -keyout "$pki/ca.key" -out "$pki/ca.crt" 2>/dev/null
  openssl req "${curve[@]}" -subj /CN=kube-apiserver -keyout "$pki/apiserver.key" -out "$pki/apiserver.csr" 2>/dev/null
  openssl x509 -req -in "$pki/apiserver.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 30 \
    -out "$pki/apiserver.crt" -extfile <(echo "subjectAltName=$names") 2>/dev/null
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$pki/accounts.key" 2>/dev/null
  openssl pkey -in "$pki/accounts.key" -pubout -out "$pki/accounts.pub"
}

# The templates of config/, each with this run's folders in it; once, since kube-proxy ends itself when its file changes.
configs() {
  local file token
  [ ! -f "$KUBECONFIG" ] || return 0
  mkdir -p "$STATE/config/cni" "$STATE/kubelet" "$RUN"
  token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && echo "$token,admin,admin,system:masters" >"$STATE/tokens.csv")
  for file in "$HERE"/config/*; do
    (umask 077 && sed "s#@STATE@#$STATE#g; s#@RUN@#$RUN#g; s#@NAME@#$NAME#g; s#@IP@#$IP#g; s#@TOKEN@#$token#g" \
      "$file" >"$STATE/config/$(basename "$file")")
  done
  mv "$STATE/config/10-bridge.conflist" "$STATE/config/cni/"
  mv "$STATE/config/kubeconfig.yaml" "$KUBECONFIG"
  : >"$STATE/resolv.conf"
}

control_plane() {
  local pki=$STATE/pki
  # A test's data need not survive the machine.
  start etcd nsenter --net="/run/netns/$NAME" etcd --data-dir "$STATE/etcd" --unsafe-no-fsync --logger zap \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
  start kube-apiserver nsenter --net="/run/netns/$NAME" "$BIN/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
    --secure-port 6443 --advertise-address "$IP" --service-cluster-ip-range 10.96.0.0/16 --allow-privileged=true \
    --authorization-mode RBAC --token-auth-file "$STATE/tokens.csv" --client-ca-file "$pki/ca.crt" \
    --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$pki/accounts.pub" \
    --service-account-signing-key-file "$pki/accounts.key" --kubelet-preferred-address-types InternalIP
  wait_for 180 'API server' kubectl get --raw /readyz
  start kube-controller-manager nsenter --net="/run/netns/$NAME" "$BIN/kube-controller-manager" --kubeconfig "$KUBECONFIG" \
    --service-account-private-key-file "$pki/accounts.key" --root-ca-file "$pki/ca.crt" --use-service-account-credentials \
    --cluster-cidr 10.244.0.0/16 --leader-elect=false
  start kube-scheduler nsenter --net="/run/netns/$NAME" "$BIN/kube-scheduler" --kubeconfig "$KUBECONFIG" --leader-elect=false
}

node() {
  one_file_image pause roomcast.test/pause:1
  one_file_image coredns roomcast.test/coredns:1
  start kubelet nsenter --net="/run/netns/$NAME" "$BIN/kubelet" --kubeconfig "$KUBECONFIG" \
    --config "$STATE/config/kubelet.yaml" --root-dir "$STATE/kubelet" --hostname-override node-1 --node-ip "$IP"
  start kube-proxy nsenter --net="/run/netns/$NAME" "$BIN/kube-proxy" --config "$STATE/config/kube-proxy.yaml"
  wait_for 120 node kubectl wait node/node-1 --for=condition=Ready --timeout=5s
}

# What every cluster has: DNS, and a default storage class. No provisioner runs; its disks are folders of this run.
addons() {
  local disk
  for disk in 1 2 3 4 5 6; do mkdir -p "$STATE/disks/$disk"; done
  kubectl apply -f "$HERE/dns.yaml" -f "$STATE/config/storage.yaml" >/dev/null
  wait_for 120 DNS kubectl -n kube-system rollout status deployment/coredns --timeout=5s
}

up() {
  [ "$(id -u)" = 0 ] || die 'a cluster needs root: it makes a network namespace and runs containers'
  build
  forget_dead
  certificates
  network
  cgroup
  configs
  start containerd nsenter --net="/run/netns/$NAME" containerd -c "$STATE/config/containerd.toml"
  control_plane
  wait_for 60 containerd ctr_ version
  node
  addons
}
