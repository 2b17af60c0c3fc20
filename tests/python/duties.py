"""Makes chains and revocation lists that break one rule each, byte by byte: what writers of certificates
refuse to write. Usage: duties.py FOLDER. Each case gets a folder with root.pem, chain.pem (leaf first, root
last) and, where it has lists, lists.pem."""

import datetime
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def der(tag, *parts):
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def seq(*parts):
    return der(0x30, *parts)


def oid(dotted):
    arcs = [int(arc) for arc in dotted.split(".")]
    out = bytearray([40 * arcs[0] + arcs[1]])
    for arc in arcs[2:]:
        digits = [arc & 0x7F]
        while arc > 0x7F:
            arc >>= 7
            digits.append(0x80 | arc & 0x7F)
        out += bytes(reversed(digits))
    return der(0x06, bytes(out))


def integer(number):
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def rdn(attribute, text):
    return der(0x31, seq(oid(attribute), der(0x0C, text.encode())))


def name(*pairs):
    types = {"CN": "2.5.4.3", "O": "2.5.4.10"}
    return seq(*[rdn(types[kind], text) for kind, text in pairs])


def time(moment):
    return der(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def bits(*numbers):
    value = bytearray(max(numbers) // 8 + 1)
    for number in numbers:
        value[number // 8] |= 0x80 >> number % 8
    return bytes([7 - max(numbers) % 8]) + bytes(value)


def extension(dotted, value, critical=False):
    flag = der(0x01, b"\xff") if critical else b""
    return seq(oid(dotted), flag, der(0x04, value))


NULL = der(0x05)
ECDSA = seq(oid("1.2.840.10045.4.3.2"))
ECDSA_NULL = seq(oid("1.2.840.10045.4.3.2"), NULL)
ECDSA_SHA1 = seq(oid("1.2.840.10045.4.1"))
SHA256 = seq(oid("2.16.840.1.101.3.4.2.1"), NULL)


def pss(salt):
    mgf = seq(oid("1.2.840.113549.1.1.8"), SHA256)
    # 20 is the default, which DER leaves out.
    length = b"" if salt == 20 else der(0xA2, integer(salt))
    parameters = seq(der(0xA0, SHA256), der(0xA1, mgf), length)
    return seq(oid("1.2.840.113549.1.1.10"), parameters)


class Signer:
    """A name with a key and a way to sign."""

    def __init__(self, subject, key=None, algorithm=ECDSA, salt=None):
        self.subject, self.algorithm, self.salt = subject, algorithm, salt
        self.key = key or ec.generate_private_key(ec.SECP256R1())

    def spki(self):
        encoding = serialization.Encoding.DER
        return self.key.public_key().public_bytes(
            encoding, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def key_id(self):
        digest = hashes.Hash(hashes.SHA1())
        digest.update(self.spki())
        return digest.finalize()

    def sign(self, tbs):
        if self.salt is not None:
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), self.salt)
            made = self.key.sign(tbs, scheme, hashes.SHA256())
        elif self.algorithm == ECDSA_SHA1:
            made = self.key.sign(tbs, ec.ECDSA(hashes.SHA1()))
        else:
            made = self.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
        return seq(tbs, self.algorithm, der(0x03, b"\0", made))


def constraints(ca=True, length=None, critical=True):
    flag = der(0x01, b"\xff") if ca else b""
    limit = b"" if length is None else integer(length)
    return extension("2.5.29.19", seq(flag, limit), critical)


def usage(*numbers, critical=True):
    return extension("2.5.29.15", der(0x03, bits(*numbers)), critical)


def subject_key(signer):
    return extension("2.5.29.14", der(0x04, signer.key_id()))


def authority_key(key_id=None, issuer=None, serial=None):
    parts = [der(0x80, key_id)] if key_id else []
    if issuer:
        parts += [der(0xA1, der(0xA4, issuer)), der(0x82, integer(serial)[2:])]
    return extension("2.5.29.35", seq(*parts))


def purposes(*dotted):
    return extension("2.5.29.37", seq(*[oid(purpose) for purpose in dotted]))


CLIENT, SERVER = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"


def certificate(subject, holder, issuer, extensions, serial=0x1234, version=3, days=(-1, 30)):
    head = der(0xA0, integer(2)) if version == 3 else b""
    tail = der(0xA3, seq(*extensions)) if version == 3 else b""
    dates = seq(time(NOW + days[0] * DAY), time(NOW + days[1] * DAY))
    number = serial if isinstance(serial, bytes) else integer(serial)
    return issuer.sign(
        seq(head, number, issuer.algorithm, issuer.subject, dates, subject, holder.spki(), tail)
    )


ROOT_NAME, LINE_NAME, DEVICE = name(("CN", "Root")), name(("CN", "Line")), name(("CN", "d-1"))
KEYS = (5, 6)


class Case:
    """Root, line and device; what differs is an argument."""

    def __init__(self, root=None, line=None, **changes):
        self.root = root or Signer(ROOT_NAME)
        self.line = line or Signer(LINE_NAME)
        self.device = Signer(DEVICE)
        get = changes.get
        root_cert = certificate(
            self.root.subject,
            self.root,
            self.root,
            [constraints(), usage(*KEYS), subject_key(self.root), *get("root_more", [])],
            serial=0x0100,
        )
        ca = get("line_extensions") or [
            get("line_constraints", constraints()),
            get("line_usage", usage(*KEYS)),
        ]
        ids = get("line_ids", [subject_key(self.line), authority_key(self.root.key_id())])
        line_cert = certificate(
            self.line.subject, self.line, self.root, [*ca, *ids, *get("line_more", [])],
            serial=0x0200, days=get("line_days", (-1, 30)),
        )
        below = [constraints(False), usage(0)]
        leaf = get("leaf_ids", [subject_key(self.device), authority_key(self.line.key_id())])
        leaf_cert = certificate(
            get("device", DEVICE), self.device, get("leaf_signer", self.line),
            [*below, *leaf, *get("leaf_more", [])], serial=get("serial", 0x1234),
            version=get("version", 3), days=get("leaf_days", (-1, 30)),
        )
        self.chain = [leaf_cert, *get("between", lambda case: [])(self), line_cert, root_cert]
        self.lists, self.extra = [], []


class Direct:
    """A device that the root itself has issued."""

    def __init__(self, ids):
        root, device = Signer(ROOT_NAME), Signer(DEVICE)
        ca = [constraints(), usage(*KEYS), subject_key(root)]
        leaf = [constraints(False), usage(0), subject_key(device), ids]
        self.chain = [
            certificate(DEVICE, device, root, leaf),
            certificate(ROOT_NAME, root, root, ca, serial=0x0100),
        ]
        self.lists, self.extra = [], []


def pem(label, data):
    import base64

    text = base64.encodebytes(data).decode().replace("\n", "")
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def write(folder, case):
    os.makedirs(folder)
    chain = "".join(pem("CERTIFICATE", c) for c in case.chain)
    files = {
        "chain.pem": chain,
        "leaf.pem": pem("CERTIFICATE", case.chain[0]),
        "root.pem": pem("CERTIFICATE", case.chain[-1]),
        "above.pem": "".join(pem("CERTIFICATE", c) for c in case.chain[1:] + case.extra),
    }
    if case.lists:
        files["lists.pem"] = "".join(pem("X509 CRL", c) for c in case.lists)
    for file, text in files.items():
        with open(os.path.join(folder, file), "w") as out:
            out.write(text)


def entry(serial, reason=None, issuer=None):
    more = []
    if reason is not None:
        more.append(extension("2.5.29.21", der(0x0A, bytes([reason]))))
    if issuer:
        more.append(extension("2.5.29.29", seq(der(0xA4, issuer)), True))
    return seq(integer(serial), time(NOW - DAY), seq(*more) if more else b"")


def revocation_list(signer, entries=(), number=1, more=(), due=30):
    next_update = b"" if due is None else time(NOW + due * DAY)
    ids = [
        extension("2.5.29.35", seq(der(0x80, signer.key_id()))),
        *([] if number is None else [extension("2.5.29.20", integer(number))]),
    ]
    all_of = seq(*entries) if entries else b""
    return signer.sign(
        seq(
            integer(1), signer.algorithm, signer.subject, time(NOW - DAY / 2), next_update,
            all_of, der(0xA0, seq(*ids, *more)),
        )
    )


def point_name(at):
    return der(0xA0, der(0xA0, der(0xA4, at)))


def points(*all_points):
    return extension("2.5.29.31", seq(*all_points))


def point(at=None, reasons=None, issuer=None):
    parts = [point_name(at)] if at else []
    parts += [der(0x81, bits(*reasons))] if reasons else []
    parts += [der(0xA2, der(0xA4, issuer))] if issuer else []
    return seq(*parts)


def scope(at=None, users=False, cas=False, reasons=None, indirect=False):
    parts = [point_name(at)] if at else []
    parts += [der(0x81, b"\xff")] if users else []
    parts += [der(0x82, b"\xff")] if cas else []
    parts += [der(0x83, bits(*reasons))] if reasons else []
    parts += [der(0x84, b"\xff")] if indirect else []
    return extension("2.5.29.28", seq(*parts), True)


def delta(base):
    return extension("2.5.29.27", integer(base), True)


# Names, not addresses: nobody shall go and fetch them.
HERE, THERE = name(("CN", "Here")), name(("CN", "There"))
MOST, REST = (1, 2, 3, 4), (5, 6, 7, 8)


def chains():
    """The cases without lists."""
    yield "good", Case()
    yield "constraints-not-critical", Case(line_constraints=constraints(critical=False))
    inside = seq(der(0xA0, seq(der(0xA4, name(("CN", "d-1"))))))
    yield "names-not-critical", Case(line_more=[extension("2.5.29.30", inside)])
    yield "usage-not-critical", Case(line_usage=usage(*KEYS, critical=False))
    yield "authority-key-missing", Case(leaf_ids=[])
    line = Signer(LINE_NAME)
    yield "subject-key-missing", Case(line=line, line_ids=[], leaf_ids=[])
    yield "version-1", Case(version=1)
    yield "serial-negative", Case(serial=integer(-5))
    yield "serial-zero", Case(serial=0)
    yield "serial-long", Case(serial=der(0x02, b"\x55" * 21))
    line = Signer(LINE_NAME)
    other = Signer(LINE_NAME, line.key, ECDSA_NULL)
    yield "ecdsa-null", Case(line=line, leaf_signer=other)
    key = rsa.generate_private_key(65537, 2048)
    for word, salt in [("usual", 32), ("20", 20), ("none", 0), ("longest", 222)]:
        line = Signer(LINE_NAME, key, pss(salt), salt)
        yield f"pss-{word}", Case(line=line)
    yield "key-id-of-another", Case(leaf_ids=[authority_key(b"another key of 20 by")])
    yield "serial-of-another", Case(leaf_ids=[authority_key(issuer=ROOT_NAME, serial=0x7777)])
    yield "issuer-of-another", Case(leaf_ids=[authority_key(issuer=DEVICE, serial=0x0200)])
    elsewhere = seq(der(0xA0, seq(der(0xA4, name(("O", "Elsewhere"))))))
    yield "key-id-of-another-trusted", Direct(authority_key(b"another key of 20 by"))
    yield "serial-of-another-trusted", Direct(authority_key(issuer=ROOT_NAME, serial=0x7777))
    yield "outside-of-names", Case(line_more=[extension("2.5.29.30", elsewhere, True)])
    yield "ca-for-servers", Case(line_more=[purposes(SERVER)])
    yield "device-for-servers", Case(leaf_more=[purposes(SERVER)])
    line = Signer(LINE_NAME)
    yield "sha-1", Case(line=line, leaf_signer=Signer(LINE_NAME, line.key, ECDSA_SHA1))
    yield "rsa-1024", Case(line=Signer(LINE_NAME, rsa_1024(), RSA_SHA256, "pkcs1"))
    yield "ca-without-subject", Case(line=Signer(seq()))
    yield "no-cert-sign", Case(line_usage=usage(6))
    yield "no-ca", Case(line_extensions=[constraints(False), usage(*KEYS)])
    yield "no-constraints", Case(line_extensions=[usage(*KEYS)])
    yield "path-length", Case(root_more=[], line_constraints=constraints(length=0), **two_lines())
    yield "expired", Case(leaf_days=(-3, -2))
    yield "ca-expired", Case(line_days=(-3, -2))
    unknown = extension("1.3.6.1.4.1.99999.1", NULL, True)
    yield "unknown-critical", Case(leaf_more=[unknown])


RSA_SHA256 = seq(oid("1.2.840.113549.1.1.11"), NULL)


def rsa_1024():
    return rsa.generate_private_key(65537, 1024)


def two_lines():
    """A second intermediate below the line, and the device below that."""
    lower = Signer(name(("CN", "Lower")))

    def between(case):
        ids = [subject_key(lower), authority_key(case.line.key_id())]
        ca = [constraints(), usage(*KEYS), *ids]
        return [certificate(lower.subject, lower, case.line, ca, serial=0x0300)]

    return {
        "leaf_signer": lower,
        "leaf_ids": [authority_key(lower.key_id())],
        "between": between,
    }


def with_lists(case, *lists, extra=()):
    case.lists, case.extra = list(lists), list(extra)
    return case


# Without freshestCRL OpenSSL does not look for delta lists.
FRESHEST = extension("2.5.29.46", seq(point(HERE)))
REVOKED = [entry(0x1234, 1)]


def lists():
    """The cases with lists."""
    case = Case()
    yield "list-good", with_lists(case, revocation_list(case.line))
    case = Case()
    yield "list-revoked", with_lists(case, revocation_list(case.line, REVOKED))
    case = Case()
    yield "list-without-next", with_lists(case, revocation_list(case.line, due=None))
    case = Case()
    yield "list-without-next-revoked", with_lists(
        case, revocation_list(case.line, REVOKED, due=None)
    )
    case = Case()
    yield "list-without-number", with_lists(case, revocation_list(case.line, number=None))
    case = Case()
    yield "root-list-for-users", with_lists(
        case, revocation_list(case.line), revocation_list(case.root, more=[scope(users=True)])
    )
    case = Case()
    null = Signer(LINE_NAME, case.line.key, ECDSA_NULL)
    yield "list-ecdsa-null", with_lists(case, revocation_list(null))
    for word, at, entries in [
        ("list-of-point", HERE, []), ("list-of-point-revoked", HERE, REVOKED),
        ("list-of-other-point", THERE, []),
    ]:
        case = Case(leaf_more=[points(point(HERE))])
        yield word, with_lists(case, revocation_list(case.line, entries, more=[scope(at)]))
    case = Case()
    yield "list-for-users", with_lists(case, revocation_list(case.line, more=[scope(users=True)]))
    case = Case()
    yield "list-for-cas", with_lists(case, revocation_list(case.line, more=[scope(cas=True)]))
    case = Case()
    two = [revocation_list(case.line, more=[scope(reasons=r)]) for r in (MOST, REST)]
    yield "lists-for-all-reasons", with_lists(case, *two)
    case = Case()
    yield "list-for-some-reasons", with_lists(
        case, revocation_list(case.line, more=[scope(reasons=MOST)])
    )
    for word, entries in [("list-indirect", [entry(0x1234)]),
                          ("list-indirect-revoked", [entry(0x1234, 1, LINE_NAME)])]:
        maker = Signer(name(("CN", "Lists")))
        case = Case(leaf_more=[points(point(issuer=maker.subject))])
        yield word, with_lists(
            case, revocation_list(maker, entries, more=[scope(indirect=True)]),
            extra=[lists_maker(maker, case)],
        )
    maker = Signer(name(("CN", "Lists")))
    case = Case(leaf_more=[points(point(issuer=maker.subject))])
    yield "list-of-maker-not-indirect", with_lists(
        case, revocation_list(maker), extra=[lists_maker(maker, case)]
    )
    for word, base, entries in [
        ("delta", 1, []), ("delta-revoked", 1, REVOKED), ("delta-of-later-base", 9, []),
    ]:
        case = Case(leaf_more=[FRESHEST])
        change = revocation_list(case.line, entries, number=10, more=[delta(base)])
        yield word, with_lists(case, revocation_list(case.line, number=2), change)
    case = Case(leaf_more=[FRESHEST])
    change = revocation_list(case.line, [entry(0x1234, 8)], number=10, more=[delta(1)])
    hold = revocation_list(case.line, [entry(0x1234, 6)], number=2)
    yield "delta-ends-hold", with_lists(case, hold, change)
    for word, number, entries in [
        ("list-of-other-key", 6, []), ("list-of-other-key-revoked", 6, REVOKED),
        ("list-of-other-key-without-sign", 0, []),
    ]:
        case = Case()
        second = Signer(LINE_NAME)
        ids = [subject_key(second), authority_key(case.root.key_id())]
        extra = certificate(
            LINE_NAME, second, case.root, [constraints(False), usage(number), *ids], serial=0x0201
        )
        yield word, with_lists(case, revocation_list(second, entries), extra=[extra])


def lists_maker(maker, case):
    ids = [subject_key(maker), authority_key(case.root.key_id())]
    extensions = [constraints(False), usage(6), *ids]
    return certificate(maker.subject, maker, case.root, extensions, serial=0x0400)


def sign_pkcs1(self, tbs, plain=Signer.sign):
    if self.salt == "pkcs1":
        made = self.key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
        return seq(tbs, self.algorithm, der(0x03, b"\0", made))
    return plain(self, tbs)


Signer.sign = sign_pkcs1

if __name__ == "__main__":
    for kind in (chains, lists):
        for word, made in kind():
            write(os.path.join(sys.argv[1], word), made)
