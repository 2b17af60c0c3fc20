"""ML-DSA by another implementation: pyca/cryptography over the OpenSSL that it brings along.

`mldsa.py judge DIR PASSWORD` verifies what c8y-pki made in DIR; `mldsa.py make DIR` makes what c8y-pki has to verify.
"""

import datetime
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

folder = pathlib.Path(sys.argv[2])
PEM = serialization.Encoding.PEM


def signed(certificate, issuer):
    """Whether the signature is the issuer's; it raises if not."""
    issuer.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes)
    oid = certificate.signature_algorithm_oid.dotted_string
    return f"{oid}/{certificate.signature_algorithm_parameters}"


def judge(password):
    read = lambda name: (folder / name).read_bytes()
    leaf, line, root = x509.load_pem_x509_certificates(read("out/d/chain.pem"))
    key = serialization.load_pem_private_key(read("out/d/key.pem"), None)
    assert key.public_key() == leaf.public_key()
    print("leaf", type(key).__name__, signed(leaf, line))
    print("line", type(line.public_key()).__name__, signed(line, root))
    print("root", type(root.public_key()).__name__, signed(root, root))
    ca = serialization.load_pem_private_key(read("pki/ca/line/key.pem"), password.encode())
    assert ca.public_key() == line.public_key()
    revocations = x509.load_pem_x509_crl(read("line.crl"))
    line.public_key().verify(revocations.signature, revocations.tbs_certlist_bytes)
    print("list", revocations.signature_algorithm_oid.dotted_string, len(list(revocations)))
    request = x509.load_pem_x509_csr(read("ours.csr"))
    request.public_key().verify(request.signature, request.tbs_certrequest_bytes)
    print("request", request.signature_algorithm_oid.dotted_string)
    line.public_key().verify(read("ho/manifest.csv.sig"), read("ho/manifest.csv"))
    print("manifest")


def make():
    now = datetime.datetime.now(datetime.timezone.utc)
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    root_key = mldsa.MLDSA87PrivateKey.generate()
    leaf_key = mldsa.MLDSA44PrivateKey.generate()

    def builder(subject, key):
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("Their root"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=300))
        )

    usage = lambda ca: x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    ski = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        builder("Their root", root_key)
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(usage(True), True)
        .add_extension(ski, False)
        .sign(root_key, None)
    )
    leaf = (
        builder("theirs", leaf_key)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(usage(False), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), False)
        .sign(root_key, None)
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(name("r-1")).sign(leaf_key, None)
    pkcs8 = serialization.PrivateFormat.PKCS8
    (folder / "their-root.pem").write_bytes(root.public_bytes(PEM))
    (folder / "their-root.key").write_bytes(root_key.private_bytes(PEM, pkcs8, serialization.NoEncryption()))
    (folder / "theirs.pem").write_bytes(leaf.public_bytes(PEM) + root.public_bytes(PEM))
    (folder / "theirs.csr").write_bytes(request.public_bytes(PEM))


if sys.argv[1] == "judge":
    judge(sys.argv[3])
else:
    make()
