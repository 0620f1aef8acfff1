#!/usr/bin/env bash
# snp-create-id-block signs a wrong launch digest, without an error, for a measurement in hex.
#
# sev-snp-measure prints an SEV-SNP launch digest in hex unless --output-format base64 is given. Its snp-create-id-block wants
# base64, and hex digits are base64: 96 of them decode to 72 bytes, of which the first 48 become the launch digest of the
# ID block. So do other lengths of 48 bytes and more. The signatures are right; the secure processor refuses every launch.
#
# Seen: sev-snp-measure 0.0.13, cryptography 46.0.3.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sev-snp-measure==0.0.13 cryptography==46.0.3
cd "$folder"
for key in id author; do
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$key.pem" 2>"$folder/progress"
done
digest=$(printf 'ab%.0s' {1..48})
venv/bin/snp-create-id-block --measurement "$digest" --idkey id.pem --authorkey author.pem >from-hex
venv/bin/python - "$digest" <<'PYTHON'
import base64
import sys

digest = bytes.fromhex(sys.argv[1])
said = open("from-hex").read()
block = base64.b64decode(said.partition("id-block=")[2].partition(",")[0])
print("measurement in hex:", sys.argv[1][:24] + "...")
print("launch digest in the ID block:", block[:12].hex() + "...")
assert len(block) == 96
assert block[:48] != digest, "the behaviour has changed"
assert block[:48] == base64.b64decode(sys.argv[1])[:48], "the behaviour has changed"
PYTHON
