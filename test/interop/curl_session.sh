#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks an agent of an open mesh for a session with nothing but openssl and
# curl (docs/protocol.md, sections 4 and 5.1), and shows its answer.
#
#     curl_session.sh ADDRESS:PORT DIR [MESH]
#
# DIR keeps the identity, and what curl presented: leaf.key and chain.pem.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: curl_session.sh ADDRESS:PORT DIR [MESH]" >&2
    exit 2
fi
to=$1
mesh=${3:-open}
mkdir -p "$2"
cd "$2"

# Who we are: an RSA key of 2,048 bits with e = 65537 (what openssl makes
# unless told otherwise), and a certificate that it signs for itself.
umask 077
[ -f node.key ] || openssl genrsa -out node.key 2048 2>/dev/null
cat >node.cnf <<'END'
[req]
prompt = no
distinguished_name = name
x509_extensions = node
[name]
CN = kith node
[node]
basicConstraints = critical, CA:FALSE
END
[ -f node.crt ] || openssl req -new -x509 -config node.cnf -key node.key \
    -sha256 -days 36500 -out node.crt

# Our id: what others call us.
id=$(openssl x509 -in node.crt -noout -pubkey |
    openssl pkey -pubin -outform der | openssl dgst -sha256 -r | cut -c-64)
echo "we are $id" >&2

# What TLS presents: a P-256 key, signed by the key above.
cat >leaf.cnf <<'END'
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
END
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out leaf.key
openssl req -new -key leaf.key -subj "/CN=kith leaf" -out leaf.csr
openssl x509 -req -in leaf.csr -CA node.crt -CAkey node.key \
    -set_serial "0x$(openssl rand -hex 8)" -sha256 -days 7 \
    -extfile leaf.cnf -out leaf.crt 2>/dev/null
cat leaf.crt node.crt >chain.pem

# The mesh id of an open mesh.
mesh_id=$(printf 'kith1 open%s' "$mesh" | openssl dgst -sha256 -r | cut -c-64)

# --insecure: curl knows no other rule than that of the web. Whom we talk to
# is the key that signed the agent's leaf.
curl --silent --show-error --fail-with-body --http2 --tlsv1.3 --insecure \
    --cert chain.pem --key leaf.key --header "kith-mesh: $mesh_id" \
    --request POST "https://$to/v1/session"
echo
