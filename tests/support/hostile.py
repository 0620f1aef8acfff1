"""Text that a lying publisher may put into a release, such a release, and what may never be shown of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.launch.profile import VmmProfile
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.records import RevokeRecord
from catalog.publish.publish import publish
from catalog.spec import embedded
from catalog.store import manifest
from catalog.store.catalog import Catalog
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note
from tests.support.catalogs import build
from tests.support.logs import signature, signed, signer
from tests.support.samples import write_inputs, write_spec

UNSEEN = frozenset(
    "\x00\x07\x08\t\n\r\x1b\x7f\x85\x9b\u00a0\u00ad\u034f\u061c\u200b\u200e\u200f\u202e\u2028\u2066\u2069\u3164\ufe0f\ufeff"
    "\U000e0041\U000e0100"
)
"""Characters that control a terminal, end a line, change the text direction, or are invisible."""

_MARKUP = "</script></title><img src=x onerror=\"document.title='pwned'\">{{7*7}}"
_SHELL = "'\"`touch${IFS}pwned`$(touch${IFS}pwned);touch${IFS}pwned;!!%s\\"

HOSTILE = "\x1b[2J\x1b]0;t\x07" + "".join(sorted(UNSEEN)) + f"FORGED\nFORGED\r\nFORGED\u2028{_MARKUP} {_SHELL} \u00e9"
NO_NUL = HOSTILE.replace("\0", "")
"""For a command line, whose arguments end at a NUL."""

NAME = "evil/\x9b\u202e\u2066\u200b\u3164\ufe0f\U000e0041FORGED'\"`touch${IFS}pwned`$(touch${IFS}pwned)!!\\"
"""For names of keys and logs, which have no spaces, no plus and no ASCII controls."""

REASON = f"{_MARKUP} {_SHELL} \u00e9\ufe0f\u3164"
"""For reasons of revocations: the worst text that `ldcat revoke` accepts."""

LOG = signer(NAME)
PQ_LOG = signer(NAME, SignatureType.COSIGNATURE_ML_DSA_44)
WITNESS = signer(f"w{NAME}", SignatureType.COSIGNATURE_ED25519)

_SPEC = """
name = {hostile}
firmware = {{ files = ["whole.fd", "evil.toml", "bare.fd"] }}

[kernel_hashes]
tables = ["none", {no_nul}]

[[kernel_hashes.define]]
name = {no_nul}
kernel = "vmlinuz"
append = {no_nul}

[technologies.sev]

[technologies.sev-snp]
vmm = ["ec2-2026", "qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-3"]
"""


def quoted(text: str) -> str:
    """As a TOML string."""
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


def liars_catalog(folder: Path) -> Path:
    """A catalog in which every free text is hostile, and everything else is right."""
    write_inputs(folder)
    record = embedded.builds()["sid/ovmf-amdsev/OVMF.amdsev.fd"].to_toml().splitlines()
    free = ("name", "distribution", "suite", "package", "version", "path", "reason", "source")
    lines = [f"{line.split()[0]} = {quoted(HOSTILE)}" if line.split(" ")[0] in free else line for line in record]
    (folder / "evil.toml").write_text("\n".join(lines).replace('verdict = "yes"', 'verdict = "no"'), encoding="utf-8")
    spec = write_spec(folder, _SPEC.format(hostile=quoted(HOSTILE), no_nul=quoted(NO_NUL)))
    profiles = {name: _titled(profile) for name, profile in embedded.all_profiles().items()}
    types = embedded.vcpu_types_text().replace('"EPYC-Milan"', f'"EPYC-Milan", {quoted(HOSTILE)}')
    assert quoted(HOSTILE) in types
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "all_profiles", lambda: profiles)
        patch.setattr(embedded, "vcpu_types_text", lambda: types)
        built = build(spec, folder / "catalog")
    path = built.folder / manifest.NAME
    fields = json.loads(path.read_bytes())
    fields["generator"] = HOSTILE
    for left_out in fields["left_out"]:
        left_out["reason"] = HOSTILE
    assert fields["left_out"]
    path.write_bytes(manifest.parse_manifest(json.dumps(fields).encode()).to_json())
    return built.folder


def _titled(profile: VmmProfile) -> VmmProfile:
    lines = [f"title = {quoted(HOSTILE)}" if line.startswith("title = ") else line for line in profile.text.split("\n")]
    return VmmProfile.parse("\n".join(lines))


class LyingPlace:
    """A folder with the log of a lying publisher, and a trust note of somebody who trusts it."""

    def __init__(self, folder: Path, catalog: Path) -> None:
        self.log, self.trust, self.now = folder / "log", folder / "trust.note", int(time.time()) - 1000
        self.catalog, self._state = catalog, LastCheckpoint(folder / "signed.note")
        root = signer(f"r{NAME}")
        head = f"version 1\nexpires {self.now + 10**7}\nmax-age 86400\nthreshold 1\nroot {NAME} {root.key}\n\n"
        policy = f"log {LOG.key}\nlog {PQ_LOG.key}\nwitness w{NAME} {WITNESS.key}\ngroup g{NAME} all w{NAME}\n"
        self.trust.write_bytes(bytes(signed(f"{head}{policy}quorum g{NAME}\n", root)))
        self.publish()

    def publish(self, *revokes: RevokeRecord) -> None:
        self.now += 1
        log = LogFolder(self.log)
        publish(Catalog.open(self.catalog), log, [LOG, PQ_LOG], self._state, revokes=revokes, now=self.now)
        note = log.checkpoint()
        assert note
        cosigned = note.with_signatures([signature(WITNESS, Note.parse(bytes(note)).text, self.now)])
        (self.log / "checkpoint.new").write_bytes(bytes(cosigned))
        (self.log / "checkpoint.new").rename(self.log / "checkpoint")

    def options(self) -> tuple[str, ...]:
        return ("--catalog", str(self.log), "--trust", str(self.trust))


def check_shown(text: str) -> None:
    """Checks that the output has no invisible or control character, and no forged line."""
    came = set(text) & (UNSEEN - {"\n"})
    assert not came, [hex(ord(character)) for character in sorted(came)]
    assert not [line for line in text.split("\n") if line.lstrip().startswith("FORGED")]


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)
