"""Revocation lists that a CA should not make, signed with its key.

    lists.py KEY PASSWORD-FILE CERTIFICATE FOLDER SERIAL...

Writes delta.crl, removes.crl, critical.crl and future.crl into FOLDER. The serial numbers (hex) are
revoked in removes.crl with the reason removeFromCRL, and in no other.
"""

import datetime
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

key, password, certificate, folder, *serials = sys.argv[1:]
password = pathlib.Path(password).read_text().splitlines()[0].encode()
key = serialization.load_pem_private_key(pathlib.Path(key).read_bytes(), password)
issuer = x509.load_pem_x509_certificate(pathlib.Path(certificate).read_bytes())
now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
day = datetime.timedelta(days=1)


def write(name, begin=now, extensions=(), revoked=()):
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(begin)
        .next_update(begin + 30 * day)
        .add_extension(x509.CRLNumber(7), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(int(serial, 16))
            .revocation_date(begin)
            .add_extension(x509.CRLReason(x509.ReasonFlags.remove_from_crl), critical=False)
            .build()
        )
    crl = builder.sign(key, hashes.SHA256())
    path = pathlib.Path(folder) / f"{name}.crl"
    path.write_bytes(crl.public_bytes(serialization.Encoding.PEM))


write("delta", extensions=[(x509.DeltaCRLIndicator(1), True)])
write("removes", revoked=serials)
unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
write("critical", extensions=[(unknown, True)])
write("future", begin=now + 2 * day)
