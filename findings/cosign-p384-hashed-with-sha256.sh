#!/usr/bin/env bash
# cosign verifies the attestation of a P-384 key over SHA-256, and refuses the SHA-384 that others sign with.
#
# A DSSE envelope does not say by which algorithm it was signed: the key has to tell. securesystemslib takes P-384 for
# ecdsa-sha2-nistp384, ECDSA over SHA-384, as TLS 1.3 does; sigstore's default for such a key is the same
# (PKIX_ECDSA_P384_SHA_384). `cosign verify-blob-attestation --key` takes SHA-256 for every curve unless
# --signature-digest-algorithm says otherwise, and that option is deprecated. So of one P-384 key each accepts
# what the other one refuses: a signature that is right looks like a forged one ("accepted signatures do not match").
#
# Seen: cosign 3.1.1-2 of Debian sid, securesystemslib 1.6.0 with cryptography 49.0.0. Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
index=$(apt-get update --print-uris | sed -n "s#^'\(\S*/debian\)/dists/\([a-z]*\)/InRelease'.*#\1 \2#p" | head -n 1)
read -r mirror _ <<< "$index"
cd "$folder"
mkdir -p state/lists/partial cache/archives/partial unpacked
touch status
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" > sources.list
apt_here=(
    apt-get -qq -o APT::Sandbox::User=root -o Acquire::Languages=none -o Dir::Etc::SourceList="$folder/sources.list"
    -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$folder/state" -o Dir::State::Status="$folder/status"
    -o Dir::Cache="$folder/cache"
)
"${apt_here[@]}" update
"${apt_here[@]}" download cosign=3.1.1-2
dpkg-deb --extract cosign_*.deb unpacked
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check securesystemslib==1.6.0 cryptography==49.0.0
COSIGN=$folder/unpacked/usr/bin/cosign HOME=$folder venv/bin/python - <<'PYTHON'
import base64
import hashlib
import json
import os
import subprocess

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Signature, SSlibKey

blob, predicate = b"values\n", "https://catalog.example/launch-digests/v1"
open("blob", "wb").write(blob)
subject = {"name": "blob", "digest": {"sha256": hashlib.sha256(blob).hexdigest()}}
statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": predicate}
statement["predicate"] = {}


def accepted_by(curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm) -> list[str]:
    key = ec.generate_private_key(curve)
    public = SSlibKey.from_crypto(key.public_key())
    envelope = Envelope(json.dumps(statement).encode(), "application/vnd.in-toto+json", {})
    signature = key.sign(envelope.pae(), ec.ECDSA(algorithm))
    envelope.signatures[public.keyid] = Signature(public.keyid, signature.hex())
    open("envelope.json", "w").write(json.dumps(envelope.to_dict()))
    open("key.pub", "wb").write(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    command = [os.environ["COSIGN"], "verify-blob-attestation", "--key", "key.pub", "--insecure-ignore-tlog"]
    command += ["--type", predicate, "--signature", "envelope.json", "blob"]
    done = subprocess.run(command, capture_output=True)
    found = ["cosign"] if done.returncode == 0 else []
    try:
        envelope.verify([public], 1)
    except VerificationError:
        return found
    return [*found, "securesystemslib"]


seen = {
    f"{curve.name} {algorithm.name}": accepted_by(curve, algorithm)
    for curve in (ec.SECP256R1(), ec.SECP384R1())
    for algorithm in (hashes.SHA256(), hashes.SHA384())
}
for name, by in seen.items():
    print(f"{name}: accepted by {' and '.join(by) or 'none'}")
assert seen == {
    "secp256r1 sha256": ["cosign", "securesystemslib"],
    "secp256r1 sha384": [],
    "secp384r1 sha256": ["cosign"],
    "secp384r1 sha384": ["securesystemslib"],
}, "the behaviour has changed"
PYTHON
