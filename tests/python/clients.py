"""Judges chains of client certificates with pyca/cryptography's verifier: for each folder of FOLDER a line
with its name and "accepted" or "refused". What webpki asks of a client's names is not asked for."""

import datetime
import os
import sys
import warnings

from cryptography import x509
from cryptography.x509 import verification

warnings.simplefilter("ignore")
NOW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
POLICIES = {
    "ca_policy": verification.ExtensionPolicy.webpki_defaults_ca(),
    "ee_policy": verification.ExtensionPolicy.permit_all(),
}


def read(path):
    with open(path, "rb") as file:
        return x509.load_pem_x509_certificates(file.read())


def judge(folder):
    try:
        chain, root = read(os.path.join(folder, "chain.pem")), read(os.path.join(folder, "root.pem"))
        builder = verification.PolicyBuilder().store(verification.Store(root)).time(NOW)
        verifier = builder.extension_policies(**POLICIES).build_client_verifier()
        verifier.verify(chain[0], chain[1:-1])
        return "accepted"
    except (ValueError, verification.VerificationError):
        return "refused"


for case in sorted(os.listdir(sys.argv[1])):
    print(case, judge(os.path.join(sys.argv[1], case)))
