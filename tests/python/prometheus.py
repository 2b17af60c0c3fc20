"""Reads the numbers of `c8y-pki status --prometheus` and of the service's `/metrics` as Prometheus's own library does.

    python prometheus.py FILE

Prints as JSON: for each sample its name, its labels and its value. Fails on what is no exposition format, and on
names that break Prometheus's conventions.
"""

import json
import re
import sys

from prometheus_client.parser import text_fd_to_metric_families

samples = []
with open(sys.argv[1], encoding="utf-8") as file:
    for family in text_fd_to_metric_families(file):
        assert family.documentation, f"{family.name} has no HELP"
        assert re.fullmatch(r"(c8y_pki|process)_[a-z0-9]+(_[a-z0-9]+)*", family.name), family.name
        assert family.type in ("gauge", "counter"), f"{family.name} is a {family.type}"
        # The parser takes the end off the name of a counter, which has to have one.
        ends = [sample.name.endswith("_total") for sample in family.samples]
        assert all(end == (family.type == "counter") for end in ends), family.name
        # A gauge is no total, and its unit is a base unit at the end of its name.
        assert not family.name.endswith(("_total", "_days", "_ms")), family.name
        assert ("timestamp" in family.name) == family.name.endswith("_timestamp_seconds"), family.name
        seen = set()
        for sample in family.samples:
            key = tuple(sorted(sample.labels.items()))
            assert key not in seen, f"{family.name}{key} is there twice"
            seen.add(key)
            samples.append([sample.name, sample.labels, sample.value])
assert samples, "no sample"
print(json.dumps(samples))
