# One certificate authority, and who is signed by it. Sourced by k3s, in the folder of the files.

key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
}

# certificate NAME SUBJECT USAGE [ALTERNATIVE-NAMES]
certificate() {
    key "$1"
    openssl req -config request.cnf -x509 -CA ca.crt -CAkey ca.key -key "$1.key" -days 365 -subj "$2" -out "$1.crt" \
        -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,digitalSignature \
        -addext "extendedKeyUsage=$3" ${4:+-addext "subjectAltName=$4"}
}

# kubeconfig NAME: for the holder of that certificate.
kubeconfig() {
    cat > "$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    server: $server
    certificate-authority-data: $(base64 ca.crt | tr -d '\n')
users:
- name: default
  user:
    client-certificate-data: $(base64 "$1.crt" | tr -d '\n')
    client-key-data: $(base64 "$1.key" | tr -d '\n')
contexts:
- name: default
  context: {cluster: default, user: default}
current-context: default
YAML
}

# user NAME SUBJECT: a client of the API server.
user() {
    certificate "$1" "$2" clientAuth
    kubeconfig "$1"
}

umask 077
printf '[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=node\n' > request.cnf
key ca
openssl req -config request.cnf -x509 -key ca.key -days 3650 -subj /CN=node-image-ca -out ca.crt \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
key service-accounts
openssl ec -in service-accounts.key -pubout -out service-accounts.pub 2>/dev/null

addresses="IP:127.0.0.1,IP:::1,IP:$address,IP:10.43.0.1"
names="DNS:localhost,DNS:$name,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
certificate api-server /CN=kube-apiserver serverAuth "$addresses,$names,DNS:kubernetes.default.svc.cluster.local"
user administrator /O=system:masters/CN=system:admin
user controller-manager /CN=system:kube-controller-manager
user scheduler /CN=system:kube-scheduler
user kubelet "/O=system:nodes/CN=system:node:$name"
user proxy /CN=system:kube-proxy
umask 022
