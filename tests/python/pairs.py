"""Prints the name and the serial number of each device below some directories, and fails unless the key of each is the
one in its certificate, and the certificate is for that device."""

import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID


def spki(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


for out in sys.argv[1:]:
    for device in sorted(Path(out).iterdir()):
        if not device.is_dir():
            sys.exit(f"{device} is no directory")
        certificate = load_pem_x509_certificate((device / "cert.pem").read_bytes())
        key = load_pem_private_key((device / "key.pem").read_bytes(), None)
        if spki(key.public_key()) != spki(certificate.public_key()):
            sys.exit(f"{device}: the key is not that of the certificate")
        name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        if name != device.name:
            sys.exit(f"{device}: the certificate is for {name}")
        print(name, format(certificate.serial_number, "x"))
