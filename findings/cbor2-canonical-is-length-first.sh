#!/usr/bin/env bash
# cbor2's canonical=True sorts the keys of a map by their length first, which is not the deterministic order of RFC 8949.
#
# CoRIM and COSE refer to RFC 8949, whose core deterministic encoding (4.2.1) compares the bytes of encoded keys: 100 comes
# before -1. cbor2 6.3.0, which implements RFC 8949 by its own description, writes the order of RFC 7049 (3.9), kept in
# RFC 8949 as 4.2.3: the shorter encoding first. Both agree if all keys are of one type, or have encodings of one length,
# so nobody notices with the keys of a CoRIM; a map with the keys 100 and -1 has other bytes, and another hash.
#
# Seen: cbor2 6.3.0. Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cbor2==6.3.0
"$folder/venv/bin/python" - <<'PYTHON'
import cbor2

# the example of RFC 8949, 4.2.1, in the order that it gives
correct = [10, 100, -1, "z", "aa"]
found = list(cbor2.loads(cbor2.dumps(dict.fromkeys(correct), canonical=True)))
print("RFC 8949, 4.2.1:", correct)
print("canonical=True: ", found)
assert found == [10, -1, 100, "z", "aa"]
PYTHON
