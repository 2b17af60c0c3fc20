"""Recomputes the audit log of a registry, with hashlib alone: audit_chain.py FILE, where FILE has a line for each row,
in order: sequence, time, and action, details and hash as hex, between tabs. Prints the number of rows and the last hash.
"""

import hashlib
import struct
import sys


def row_hash(fields):
    digest = hashlib.sha256()
    for field in fields:
        digest.update(struct.pack(">Q", len(field)) + field)
    return digest.digest()


previous, expected = b"", 1
for line in open(sys.argv[1], encoding="ascii"):
    sequence, at, action, detail, wanted = line.rstrip("\n").split("\t")
    if int(sequence) != expected:
        sys.exit(f"row {sequence} follows row {expected - 1}")
    numbers = [struct.pack(">q", int(number)) for number in (sequence, at)]
    texts = [bytes.fromhex(text) for text in (action, detail)]
    previous = row_hash([previous, *numbers, *texts])
    if previous.hex() != wanted.lower():
        sys.exit(f"the hash of row {sequence} does not fit")
    expected += 1
print(expected - 1, previous.hex())
