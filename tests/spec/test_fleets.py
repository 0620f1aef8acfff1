"""The fleets of data/fleets/: canonical records with their sources, and digests that their chains of vCPUs confirm."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from catalog.abi.vcpu import VcpuSignature
from catalog.imports.endorsed_facts import Base, EndorsedDigest
from catalog.imports.import_record import parse_import
from catalog.imports.import_toml import import_toml
from catalog.imports.imported import Imported
from catalog.launch.profile import VmmProfile
from catalog.launch.technologies.sev_snp import TECHNOLOGY
from catalog.spec import embedded
from catalog.spec.spec_imports import load_imports
from catalog.spec.spec_wire import ImportsWire

FOLDER = embedded.data_folder() / "fleets"
FLEETS = sorted(FOLDER.glob("*.toml"))
DOCUMENTS = sorted((FOLDER / "documents").iterdir())


@cache
def read(file: Path) -> Imported:
    return parse_import(file.read_text(encoding="utf-8"))


def bases() -> Iterator[tuple[str, Base, list[EndorsedDigest]]]:
    """Each base with the digests that its endorser publishes in the same series."""
    for file in FLEETS:
        imported = read(file)
        for base in imported.bases:
            yield file.stem, base, [one for one in imported.endorsed if one.endorser == base.endorser]


def one_more_vcpu(base: Base, digest: bytes) -> bytes:
    """The digest of a launch like that of a base, with one more AP than the launch of `digest`."""
    profile: VmmProfile = embedded.profile_named(str(base.vmm))
    signature = embedded.vcpu_types().signature(base.vcpu_type) if base.vcpu_type else VcpuSignature(0)
    assert base.reset_vector is not None
    assert base.sev_features is not None
    assert profile.snp
    assert bool(base.vcpu_type) == profile.measures_signature
    gpa = profile.snp.vmsa_gpa
    update = profile.vmsa_update(base.reset_vector, signature, base.sev_features, bsp=False, gpa=gpa)
    state: bytes = TECHNOLOGY.extend(digest, update)
    return state


OF_TDX = {"reported-td-shim", "reported-tdx-measure"}
"""Files whose digests are MRTDs."""


@pytest.mark.parametrize("file", FLEETS, ids=lambda file: file.stem)
class TestFleet:
    def test_is_canonical_text_with_comments(self, file: Path) -> None:
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        assert lines[0].startswith("# ")
        text = "".join(line for line in lines if not line.startswith("#")).lstrip("\n")
        assert text == import_toml(read(file))

    def test_says_where_it_is_from(self, file: Path) -> None:
        imported = read(file)
        assert imported.origin
        said: list[EndorsedDigest | Base] = [*imported.endorsed, *imported.bases]
        for one in said:
            assert one.technology == ("tdx" if file.stem in OF_TDX else "sev-snp")
            assert one.endorser.id
            expected = {"published-list", "reported"} if imported.document_sha256 is None else {imported.form}
            assert one.endorser.scheme in expected

    def test_each_digest_is_endorsed_once(self, file: Path) -> None:
        digests = Counter(one.digest for one in read(file).endorsed)
        assert max(digests.values(), default=1) == 1

    def test_a_base_is_endorsed_too(self, file: Path) -> None:
        imported = read(file)
        by_digest = {one.digest: one for one in imported.endorsed}
        for base in imported.bases:
            assert by_digest[base.digest].claims.vcpus == base.vcpus
            assert by_digest[base.digest].endorser == base.endorser


def test_nobody_endorses_a_digest_twice() -> None:
    found = Counter((one.digest, one.endorser.id) for file in FLEETS for one in read(file).endorsed)
    assert [key for key, count in found.items() if count > 1] == []


def test_what_is_only_reported_is_endorsed_by_nobody() -> None:
    schemes: dict[bytes, set[str]] = {}
    for file in FLEETS:
        for one in read(file).endorsed:
            schemes.setdefault(one.digest, set()).add(one.endorser.scheme)
    reported = {digest for digest, found in schemes.items() if "reported" in found}
    assert len(reported) == 8
    assert {tuple(schemes[digest]) for digest in reported} == {("reported",)}


def test_documents_are_those_of_the_fleets() -> None:
    named = {read(file).document_sha256 for file in FLEETS if read(file).endorsed} - {None}
    assert {hashlib.sha256(file.read_bytes()).digest() for file in DOCUMENTS} == named
    assert all(hashlib.sha256(file.read_bytes()).hexdigest() == file.name for file in DOCUMENTS)


def test_every_fleet_is_taken_in() -> None:
    found = load_imports(ImportsWire(fleets=["*"]), Path())
    assert Counter(record.endorser.scheme for record in found.endorsed) == {
        "published-list": 15 + 32 + 20 + 38 + 3,
        "azure-uvm": 2,
        "c8s-manifest": 4,
        "reported": 8,
    }
    assert {record.endorser.scheme for record in found.endorsed if record.checked == "signature"} == {"azure-uvm"}
    assert len(found.bases) == 1 + 8 + 1


@pytest.mark.parametrize(
    ("fleet", "base", "published"), list(bases()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_all_counts_follow_from_the_base(fleet: str, base: Base, published: list[EndorsedDigest]) -> None:
    by_count = {one.claims.vcpus: one.digest for one in published}
    most = max(count for count in by_count if count is not None)
    assert base.vcpus == min(count for count in by_count if count is not None)
    digest, found = base.digest, {base.vcpus: base.digest}
    for count in range(base.vcpus + 1, most + 1):
        found[count] = digest = one_more_vcpu(base, digest)
    assert {count: found[count] for count in by_count if count is not None} == by_count, fleet
