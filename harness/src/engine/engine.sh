# Starts a Docker engine that leaves nothing behind. To be run in network, process and mount namespaces of
# its own: what it mounts goes with them, and so do its processes and those of its containers.
# PLACE is its folder, RUNTIME the container runtime.
set -eu
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
# It writes to these folders, whatever it is told.
for folder in etc opt; do
    [ -d "/$folder" ] || continue
    mkdir -p "$PLACE/$folder/upper" "$PLACE/$folder/work"
    mount -t overlay overlay \
        -o "lowerdir=/$folder,upperdir=$PLACE/$folder/upper,workdir=$PLACE/$folder/work" "/$folder"
done
exec dockerd --host="unix://$PLACE/docker.sock" --data-root="$PLACE/data" --exec-root=/run/docker \
    --pidfile=/run/dockerd.pid --cgroup-parent="/$(basename "$PLACE")" --exec-opt=native.cgroupdriver=cgroupfs \
    --bip=10.79.0.1/24 --default-address-pool=base=10.79.64.0/18,size=24 --storage-driver=overlay2 \
    --oom-score-adjust=0 --add-runtime="ours=$RUNTIME" --default-runtime=ours
