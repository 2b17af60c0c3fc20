"""RSA keys that nobody should certify, each with a request and a CA certificate made with it.

    weak_keys.py FOLDER

Writes for each NAME: FOLDER/NAME.key (PKCS#8), FOLDER/csr/NAME.csr, FOLDER/NAME.pem (a self-signed CA).
"""

import datetime
import math
import os
import random
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

folder = sys.argv[1]
os.makedirs(os.path.join(folder, "csr"), exist_ok=True)
SMALL = [n for n in range(2, 702) if all(n % d for d in range(2, math.isqrt(n) + 1))]


def is_prime(n):
    if any(n % d == 0 for d in SMALL):
        return n in SMALL
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        x = pow(random.randrange(2, n - 1), odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(bits):
    """A prime that OpenSSL has found."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2 * bits)
    return key.private_numbers().p


def coprime(p, e=65537):
    return math.gcd(p - 1, e) == 1


def next_prime(n):
    n += 2
    while not (is_prime(n) and coprime(n)):
        n += 2
    return n


def of_a_faulty_chip():
    """p = k M + (65537^a mod M), with M the product of the first 126 primes."""
    primorial = math.prod(SMALL[:126])
    while True:
        power = pow(65537, random.randrange(1 << 256), primorial)
        p = random.randrange(2**1024 * 3 // 4 // primorial, 2**1024 // primorial) * primorial + power
        if is_prime(p) and coprime(p):
            return p


def key_of(p, q, e=65537):
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p, q=q, d=d, dmp1=d % (p - 1), dmq1=d % (q - 1), iqmp=pow(q, -1, p),
        public_numbers=rsa.RSAPublicNumbers(e, p * q),
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def write(name, octets):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(octets)


near = prime(1024)
keys = {
    "exponent-3": rsa.generate_private_key(public_exponent=3, key_size=2048),
    "close": key_of(next_prime(near), near),
    "small-factor": key_of(prime(2048), 5),
    "roca": key_of(of_a_faulty_chip(), of_a_faulty_chip()),
}
now = datetime.datetime.now(datetime.timezone.utc)
for name, key in keys.items():
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    usage = x509.KeyUsage(*[name in ("key_cert_sign", "crl_sign") for name in (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")])
    ca = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=900))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    pem = serialization.Encoding.PEM
    write(f"csr/{name}.csr", request.sign(key, hashes.SHA256()).public_bytes(pem))
    write(f"{name}.pem", ca.sign(key, hashes.SHA256()).public_bytes(pem))
    write(f"{name}.key", key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
