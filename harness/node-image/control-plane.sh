# etcd, the API server, the controller manager and the scheduler. Sourced by k3s.

run etcd etcd --data-dir=$data/server/db/etcd --unsafe-no-fsync --log-level=warn \
    --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:2380

# The policy is images-that-are-there.yaml, which a feature gate of this version still hides.
run apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=0.0.0.0 --secure-port=6443 --advertise-address="$address" \
    --tls-cert-file=api-server.crt --tls-private-key-file=api-server.key --client-ca-file=ca.crt \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file=service-accounts.pub --service-account-signing-key-file=service-accounts.key \
    --service-cluster-ip-range=10.43.0.0/16 --authorization-mode=Node,RBAC \
    --enable-admission-plugins=NodeRestriction,MutatingAdmissionPolicy --feature-gates=MutatingAdmissionPolicy=true \
    --runtime-config=admissionregistration.k8s.io/v1beta1=true \
    --kubelet-client-certificate=administrator.crt --kubelet-client-key=administrator.key \
    --kubelet-preferred-address-types=InternalIP --allow-privileged=true --profiling=false

# With the default throttle the start takes twice as long.
run controller-manager kube-controller-manager --kubeconfig=controller-manager.kubeconfig --leader-elect=false \
    --allocate-node-cidrs=true --cluster-cidr=10.42.0.0/16 --service-cluster-ip-range=10.43.0.0/16 \
    --service-account-private-key-file=service-accounts.key --root-ca-file=ca.crt \
    --use-service-account-credentials=true --kube-api-qps=300 --kube-api-burst=400 --profiling=false

run scheduler kube-scheduler --kubeconfig=scheduler.kubeconfig --leader-elect=false \
    --kube-api-qps=300 --kube-api-burst=400 --profiling=false

until_ok administrator get --raw /readyz
until_ok administrator apply -f $here/images-that-are-there.yaml
until_ok administrator -n default get serviceaccount default
