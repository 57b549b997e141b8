# containerd, the kubelet and kube-proxy on this "machine". Sourced by k3s.

mount --make-rshared /

# On a cgroup v2 machine a group with processes of its own can have no controllers for others.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/init
    while read -r process; do
        echo "$process" > /sys/fs/cgroup/init/cgroup.procs || true
    done < /sys/fs/cgroup/cgroup.procs
    sed 's/ / +/g; s/^/+/' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
fi

# The kubelet insists on these settings of the kernel. They are the whole machine's, so it is shown
# files in their place.
setting() {
    echo "$2" > "/run/setting.$(basename "$1")"
    mount --bind "/run/setting.$(basename "$1")" "/proc/sys/$1"
}
setting vm/overcommit_memory 1
setting kernel/panic 10
setting kernel/panic_on_oops 1
# Pods have no name server: there is none in this cluster.
: > /run/resolv.conf

mkdir -p /etc/cni/net.d /etc/containerd /var/lib/containerd
cp $here/bridge.conflist /etc/cni/net.d/10-bridge.conflist
sed "s/SNAPSHOTTER/$snapshotter/" $here/containerd.toml > /etc/containerd/config.toml
run containerd containerd
until_ok ctr version
for images in $data/agent/images/*.tar; do
    [ -f "$images" ] || continue
    ctr --namespace k8s.io images import --snapshotter "$snapshotter" "$images" || exit 1
done

run kubelet kubelet --config=$here/kubelet.yaml --kubeconfig=kubelet.kubeconfig --hostname-override="$name" \
    --node-ip="$address"
# The machine's limits of connections are not ours to change.
run kube-proxy kube-proxy --kubeconfig=proxy.kubeconfig --hostname-override="$name" --proxy-mode=iptables \
    --cluster-cidr=10.42.0.0/16 --oom-score-adj=0 --conntrack-max-per-core=0 --conntrack-min=0 \
    --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0

node_is_ready() {
    administrator get node "$name" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True
}
until_ok node_is_ready
