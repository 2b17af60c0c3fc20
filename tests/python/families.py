"""Makes chains of the families of x509-limbo's cases that matter for client authentication, by their public
descriptions (rfc5280::*, webpki::* for clients). Usage: families.py FOLDER; as duties.py."""

import os
import sys

from duties import (
    CLIENT, DEVICE, ECDSA_NULL, KEYS, LINE_NAME, NULL, ROOT_NAME, SERVER, Case, Signer,
    authority_key, constraints, der, extension, oid, purposes, seq, subject_key, two_lines, usage,
    write,
)

ANY = "2.5.29.37.0"


def names(*values, critical=False):
    return extension("2.5.29.17", seq(*values), critical)


def dns(text):
    return der(0x82, text.encode())


def email(text):
    return der(0x81, text.encode())


def address(*octets):
    return der(0x87, bytes(octets))


def limits(permitted=(), excluded=(), critical=True):
    parts = [der(tag, *[seq(one) for one in kind])
             for tag, kind in ((0xA0, permitted), (0xA1, excluded)) if kind]
    return extension("2.5.29.30", seq(*parts), critical)


def under(limit, *more):
    return Case(line_more=[limit], leaf_more=list(more))


def key_identifiers():
    yield "aki-critical-leaf", Case(leaf_more=[], leaf_ids=[critical_authority()])
    yield "aki-missing-intermediate", Case(**line_ids("subject"))
    yield "ski-missing-intermediate", Case(leaf_ids=[], **line_ids("authority"))
    yield "ski-missing-leaf", with_line(lambda line: {"leaf_ids": [authority_key(line.key_id())]})
    yield "ski-critical-leaf", with_line(lambda line: {"leaf_ids": [
        extension("2.5.29.14", der(0x04, b"k" * 20), True), authority_key(line.key_id())]})


def critical_authority():
    return extension("2.5.29.35", seq(), True)


def line_ids(kind):
    line, root = Signer(LINE_NAME), Signer(ROOT_NAME)
    ids = {"subject": [subject_key(line)], "authority": [authority_key(root.key_id())]}
    return {"line": line, "root": root, "line_ids": ids[kind]}


def with_line(changes):
    line = Signer(LINE_NAME)
    return Case(line=line, **changes(line))


def authorities():
    yield "ca-without-usage", Case(line_extensions=[constraints()])
    yield "ca-constraints-false", Case(line_extensions=[constraints(False), usage(0)])
    yield "ca-unknown-critical", Case(line_more=[extension("1.3.6.1.4.1.99999.1", NULL, True)])
    yield "root-unknown-critical", Case(root_more=[extension("1.3.6.1.4.1.99999.1", NULL, True)])
    yield "ca-usage-twice", Case(line_more=[usage(*KEYS)])
    yield "leaf-constraints-twice", Case(leaf_more=[constraints(False)])
    yield "leaf-signs-certificates", Case(leaf_more=[], **leaf_as([constraints(False), usage(0, 5)]))
    yield "leaf-is-a-ca", Case(**leaf_as([constraints(), usage(0, 5)]))
    yield "leaf-has-names-limits", Case(leaf_more=[limits([dns("example.com")])])
    yield "path-length-kept", Case(line_constraints=constraints(length=1), **two_lines())
    yield "path-length-without-ca", Case(**leaf_as([constraints(False, 0), usage(0)]))
    yield "leaf-not-yet-valid", Case(leaf_days=(2, 3))
    yield "ca-not-yet-valid", Case(line_days=(2, 3))
    line = Signer(LINE_NAME)
    yield "other-key-signed", Case(line=line, leaf_signer=Signer(LINE_NAME),
                                   leaf_ids=[authority_key(line.key_id())])
    yield "leaf-without-issuer", Case(leaf_signer=Signer(seq()), leaf_ids=[])
    case = Case()
    case.chain = [case.chain[0], case.chain[2]]
    yield "intermediate-missing", case
    case, stranger = Case(), Case()
    case.chain[-1] = stranger.chain[-1]
    yield "root-is-another", case
    case = Case()
    inner = case.chain[0]
    case.chain[0] = seq(tbs_of(inner), ECDSA_NULL, signature_of(inner))
    yield "algorithms-differ", case


def leaf_as(extensions):
    """A leaf whose first extensions are others."""
    device, line = Signer(DEVICE), Signer(LINE_NAME)

    class Other(Signer):
        def sign(self, tbs):
            if self.spki() in tbs or device.spki() in tbs:
                return Signer.sign(self, tbs)
            old = seq(constraints(False), usage(0))[2:]
            return Signer.sign(self, replace(tbs, old, b"".join(extensions)))

    return {"line": line, "leaf_signer": Other(LINE_NAME, line.key)}


def replace(tbs, old, new):
    """A TBSCertificate with other bytes among its extensions, all lengths made anew."""
    parts = children(tbs)
    extensions = children(children(parts[-1])[0])
    whole = b"".join(extensions).replace(old, new)
    return seq(*parts[:-1], der(0xA3, seq(whole)))


def children(element):
    body, out = contents(element), []
    while body:
        size = len(element_at(body))
        out.append(body[:size])
        body = body[size:]
    return out


def header(data):
    first = data[1]
    if first < 0x80:
        return 2, first
    count = first & 0x7F
    return 2 + count, int.from_bytes(data[2 : 2 + count], "big")


def contents(element):
    start, size = header(element)
    return element[start : start + size]


def element_at(data):
    start, size = header(data)
    return data[: start + size]


def tbs_of(certificate_der):
    return children(certificate_der)[0]


def signature_of(certificate_der):
    return children(certificate_der)[2]


def purposes_of_keys():
    yield "eku-client", Case(leaf_more=[purposes(CLIENT)])
    yield "eku-any", Case(leaf_more=[purposes(ANY)])
    yield "eku-both", Case(leaf_more=[purposes(SERVER, CLIENT)])
    critical = extension("2.5.29.37", seq(oid(CLIENT)), True)
    yield "eku-critical", Case(leaf_more=[critical])
    yield "eku-empty", Case(leaf_more=[extension("2.5.29.37", seq())])
    yield "ca-eku-client", Case(line_more=[purposes(CLIENT)], leaf_more=[purposes(CLIENT)])
    yield "root-eku-server", Case(root_more=[purposes(SERVER)])


def constrained():
    inside, outside = dns("a.example.com"), dns("a.example.org")
    yield "names-dns-permitted", under(limits([dns("example.com")]), names(inside))
    yield "names-dns-not-permitted", under(limits([dns("example.com")]), names(outside))
    yield "names-dns-excluded", under(limits([], [dns("example.com")]), names(inside))
    yield "names-dns-not-excluded", under(limits([], [dns("example.com")]), names(outside))
    yield "names-dns-both", under(limits([dns("example.com")], [dns("a.example.com")]), names(inside))
    net = address(192, 0, 2, 0, 255, 255, 255, 0)
    yield "names-ip-permitted", under(limits([net]), names(address(192, 0, 2, 7)))
    yield "names-ip-not-permitted", under(limits([net]), names(address(192, 0, 3, 7)))
    yield "names-ip-excluded", under(limits([], [net]), names(address(192, 0, 2, 7)))
    holes = address(192, 0, 2, 0, 255, 0, 255, 0)
    yield "names-ip-mask-with-holes", under(limits([holes]), names(address(192, 0, 2, 7)))
    yield "names-empty", under(extension("2.5.29.30", seq(), True))
    yield "names-of-another-form", under(limits([dns("example.com")]), names(email("a@b.example")))
    yield "san-malformed-ip", Case(leaf_more=[names(address(1, 2, 3))])
    yield "san-empty", Case(leaf_more=[extension("2.5.29.17", seq())])
    yield "subject-empty-san-critical", Case(device=seq(), leaf_more=[names(inside, critical=True)])
    yield "subject-empty-san-not-critical", Case(device=seq(), leaf_more=[names(inside)])
    yield "subject-empty-no-san", Case(device=seq())


if __name__ == "__main__":
    for kind in (key_identifiers, authorities, purposes_of_keys, constrained):
        for word, made in kind():
            write(os.path.join(sys.argv[1], word), made)
