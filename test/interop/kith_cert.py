# SPDX-License-Identifier: Apache-2.0
"""Certificates of kith (docs/protocol.md, section 4), for an open mesh."""

import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import (ExtendedKeyUsageOID, NameOID,
                                   SignatureAlgorithmOID)

from kith_wire import Malformed, need, node_id, spki_decode

SUBJECT = "kith node"
USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH,
          "client": ExtendedKeyUsageOID.CLIENT_AUTH}
GRACE = datetime.timedelta(hours=48)
CERTIFICATE_MAX = 2048


def load_key(pem):
    return serialization.load_pem_private_key(pem, None)


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM,
                             serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def spki_of(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)


def make_node_key():
    return rsa.generate_private_key(65537, 2048)


def make_leaf_key():
    return ec.generate_private_key(ec.SECP256R1())


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def build(public_key, signer, subject, issuer, serial, begin, end):
    return (x509.CertificateBuilder().public_key(public_key)
            .subject_name(common_name(subject))
            .issuer_name(common_name(issuer)).serial_number(serial)
            .not_valid_before(begin).not_valid_after(end)), signer


def finish(builder, signer):
    return builder.sign(signer, hashes.SHA256()).public_bytes(
        serialization.Encoding.DER)


def make_node(key, serial, begin, end):
    """The self-signed node certificate, DER."""
    builder, signer = build(key.public_key(), key, SUBJECT, SUBJECT, serial,
                            begin, end)
    builder = builder.add_extension(x509.BasicConstraints(False, None), True)
    return finish(builder, signer)


def make_leaf(node_key, leaf_key, serial, begin, end, issuer=SUBJECT,
              ca=False, usages=("server", "client")):
    """The leaf, DER.  ca None leaves basicConstraints out."""
    builder, signer = build(leaf_key.public_key(), node_key, "kith leaf",
                            issuer, serial, begin, end)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
    if usages:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([USAGES[u] for u in usages]), False)
    return finish(builder, signer)


def signed_by(certificate, public_key):
    """sha256WithRSAEncryption by this RSA key?"""
    if (certificate.signature_algorithm_oid
            != SignatureAlgorithmOID.RSA_WITH_SHA256):
        return False
    try:
        public_key.verify(certificate.signature,
                          certificate.tbs_certificate_bytes, PKCS1v15(),
                          hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound as error:
        raise Malformed(f"the leaf has no {kind.__name__}") from error


def spki_bytes(certificate):
    """The SPKI as it stands in the certificate."""
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)


def node_candidates(certificates, leaf):
    """[(certificate, SPKI)] of those whose key signed the leaf."""
    out = []
    for certificate in certificates:
        try:
            spki = spki_bytes(certificate)
            key = spki_decode(spki)
        except (ValueError, UnsupportedAlgorithm):
            continue
        # The library may have read another encoding of the same key.
        if (spki in certificate.tbs_certificate_bytes
                and signed_by(leaf, key)):
            out.append((certificate, spki))
    return out


def check_leaf(leaf, issuer, now):
    need(isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
         and isinstance(leaf.public_key().curve, ec.SECP256R1),
         "the leaf's key is not P-256")
    need(leaf.issuer == issuer, "the leaf has another issuer")
    need(not extension(leaf, x509.BasicConstraints).ca, "the leaf is a CA")
    usages = list(extension(leaf, x509.ExtendedKeyUsage))
    need(all(usage in usages for usage in USAGES.values()),
         "the leaf is not for both client and server")
    need(now - GRACE <= leaf.not_valid_after, "the leaf has expired")


def verify_chain(chain, now=None):
    """Who presented this chain (a list of DER, the leaf first).

    Returns (id, SPKI, is a member of the open mesh).  Raises Malformed when
    it is not settled who it is.
    """
    now = now or datetime.datetime.utcnow()
    need(2 <= len(chain) <= 5, "the chain has a wrong length")
    try:
        leaf, *others = [x509.load_der_x509_certificate(c) for c in chain]
        found = node_candidates(others, leaf)
        need(len(found) == 1, "not exactly one certificate signed the leaf")
        node, spki = found[0]
        check_leaf(leaf, node.subject, now)
    except Malformed:
        raise
    except (ValueError, UnsupportedAlgorithm,
            x509.DuplicateExtension) as error:
        raise Malformed("a certificate cannot be read") from error
    der = node.public_bytes(serialization.Encoding.DER)
    need(len(der) <= CERTIFICATE_MAX, "the node certificate is too long")
    return node_id(spki), spki, signed_by(node, spki_decode(spki))
