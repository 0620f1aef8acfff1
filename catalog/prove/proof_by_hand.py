"""Verification by hand: a script for /bin/sh that verifies a proof bundle with coreutils and openssl alone.

The script contains everything it needs. Names and leaves are untrusted data: each is quoted, or in base64 if a terminal
might not show it as it is.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from catalog.log.records import encode_leaf
from catalog.log.revocation_chain import RevocationChain
from catalog.prove.bundle_forms import parse_bundle
from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.verdict import Verdict
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import to_base64
from catalog.transparency.keys import TIMESTAMP_SIZE, SignatureType, VerifierKey
from catalog.transparency.note import Verified
from catalog.transparency.proof import InclusionProof

_VERIFY = "openssl pkeyutl -verify -rawin -pubin -inkey key -sigfile signature -in"

_BEGIN = """\
(
set -eu
work=$(mktemp -d)
cd "$work"
sha256() { sha256sum | cut -c 1-64 | tr a-f A-F | basenc --base16 -d; }"""


def lines_by_hand(data: bytes, verdict: Verdict) -> list[str]:
    """The lines of a script whose exit code is that of the verdict, if the bundle is what it claims to be.

    data: the bundle. Comments say which votes satisfy the quorum and the age, and what is revoked, for the reader to
    judge. If not everything in the bundle was verified, the script only fails.
    """
    if verdict.row is None or verdict.checkpoint is None:
        return ["# not verified: nothing to show", f"(exit {verdict.outcome.exit_code})"]
    return list(_lines(parse_bundle(data), verdict, verdict.checkpoint))


def _lines(bundle: ProofBundle, verdict: Verdict, checkpoint: Checkpoint) -> Iterator[str]:
    yield _BEGIN
    yield "# the checkpoint: log, leaves, root"
    yield f"{_print(bundle.checkpoint.text.encode())} > checkpoint"
    yield "sed -n 3p checkpoint | base64 -d > root"
    made = {(each.name, each.key_id): each.value for each in bundle.checkpoint.signatures}
    for signer in verdict.signers:
        yield from _signature(signer.key, made[signer.key.name, signer.key.key_id], checkpoint)
        yield as_comment(_what_it_says(signer, verdict))
    yield from _age(verdict)
    for name, proof in (("row", bundle.row), ("status", bundle.status)):
        yield from _inclusion(name, proof, checkpoint)
    yield "# the revocations that the status names"
    yield f"{_print(bundle.revocations_json)} > revocations"
    yield "sha256sum revocations"
    yield """grep -qF '"revocations_sha256":"'"$(sha256sum < revocations | cut -c 1-64)"'"' status"""
    if verdict.release and RevocationChain.committed(verdict.release):
        yield "# the hash chain over them, which the status commits to"
        yield f"chain={RevocationChain().value}"
        for one in bundle.revocations:
            leaf = shlex.quote(encode_leaf(one.record).decode("ascii"))
            yield f'chain=$(printf %s%s "$chain" {leaf} | sha256sum | cut -c 1-64)'
        yield """grep -qF '"revocations_chain":"'"$chain"'"' status"""
    if verdict.outcome.exit_code:
        yield f"exit {verdict.outcome.exit_code} # {verdict.outcome.value}"
    yield ")"


def _what_it_says(signer: Verified, verdict: Verdict) -> str:
    """A comment on whether a signature counts for the quorum and the age."""
    if verdict.policy and signer in verdict.policy.votes([signer]):
        return f"a vote at {signer.timestamp}"
    return "not a vote, and does not count for the age: " + (
        "it states no time" if signer.timestamp == 0 else "it is the log's own, or not of a witness"
    )


def _age(verdict: Verdict) -> Iterator[str]:
    if verdict.policy is None or verdict.fresh_until is None:
        return
    if verdict.policy.quorum is None:
        yield as_comment("no quorum is required: the age is that of the newest vote, or of the release")
    else:
        yield as_comment(f"the quorum {verdict.policy.quorum} has to be satisfied by votes no older than max-age")
    yield as_comment(f"fresh until {verdict.fresh_until}: date -u -d @{verdict.fresh_until}; it is now: date +%s")


def _signature(key: VerifierKey, value: bytes, checkpoint: Checkpoint) -> Iterator[str]:
    time = value[:TIMESTAMP_SIZE] if key.type.is_timed else b""
    yield as_comment(f"signature of {str(key)[:200]}")
    yield f"printf '%s\\n' {' '.join(map(shlex.quote, key.pem.splitlines()))} > key"
    yield f"{_decode(value[len(time) :])} > signature"
    if key.type is SignatureType.ED25519:
        yield f"{_VERIFY} checkpoint"
        return
    seconds = int.from_bytes(time, "big")
    if key.type is SignatureType.COSIGNATURE_ED25519:
        yield f"{{ printf 'cosignature/v1\\ntime {seconds}\\n'; cat checkpoint; }} > message"
        yield f"{_VERIFY} message"
        return
    name, origin = key.name.encode(), checkpoint.origin.encode()
    yield f"# at {seconds}: {_octal(time)}; the size: {checkpoint.size}"
    yield f"{{ printf '{_octal(b'subtree/v1' + bytes([10, 0, len(name)]))}'; {_print(name)}"
    yield f"printf '{_octal(time + bytes([len(origin)]))}'; sed -n 1p checkpoint | tr -d '\\n'"
    yield f"printf '{_octal(bytes(8) + checkpoint.size.to_bytes(8, 'big'))}'; cat root; }} > message"
    yield "# ML-DSA-44: openssl 3.5 or later"
    yield "if openssl list -signature-algorithms | grep -q ML-DSA-44"
    yield f"then {_VERIFY} message"
    yield "else echo 'not verified: this openssl has no ML-DSA-44' >&2"
    yield "fi"


def _inclusion(name: str, proof: InclusionProof, checkpoint: Checkpoint) -> Iterator[str]:
    yield f"# {name}: leaf {proof.index} of {checkpoint.size}, and the path from it to the root"
    yield f"{_print(proof.extra or b'')} > {name}"
    yield f"printf '\\0' | cat - {name} | sha256 > node"
    for left, sibling in zip(merkle.siblings_on_the_left(proof.index, checkpoint.size), proof.hashes, strict=True):
        both = "sibling node" if left else "node sibling"
        yield f"{_decode(sibling)} > sibling; printf '\\1' | cat - {both} | sha256 > above; mv above node"
    yield "cmp node root"


def _print(data: bytes) -> str:
    """A command that prints these bytes; readable if they are lines of printable ASCII."""
    lines = data.decode("ascii", "replace").split("\n")
    if not all(line.isascii() and line.isprintable() for line in lines):
        return _decode(data)
    if len(lines) > 1 and not lines[-1]:
        return f"printf '%s\\n' {' '.join(map(shlex.quote, lines[:-1]))}"
    return f"printf %s {shlex.quote(data.decode())}" if len(lines) == 1 else _decode(data)


def _decode(data: bytes) -> str:
    return f"printf %s {to_base64(data)} | base64 -d"


def _octal(data: bytes) -> str:
    """Bytes as octal escapes for printf."""
    return "".join(f"\\{byte:03o}" for byte in data)


def as_comment(text: str) -> str:
    """A comment line with any text, which does nothing, even in a shell with history expansion."""
    return "# " + "".join(c if c.isascii() and c.isprintable() and c != "!" else "?" for c in text)
