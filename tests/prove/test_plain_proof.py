"""The plain parsers of a proof bundle: what they accept, they read as bundle_forms.py does."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from catalog.build.builder import BuildResult
from catalog.errors import LdcatError
from catalog.files.plain_json import NotPlain, canonical_json
from catalog.log.log_folder import LogFolder
from catalog.log.records import ReleaseRecord, parse_record
from catalog.prove import bundle_forms, plain_forms
from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.prove import Prover
from catalog.prove.verdict import Outcome, to_dict, verdict_to_dict
from catalog.prove.verify_proof import verify_bundle
from tests.support.logs import DAY, NOW
from tests.support.proof_bundles import in_format_1
from tests.support.published_logs import Publisher, published_log, revoke
from tests.support.trust_notes import ALONE

ROW = {
    "type": "digest",
    "launch_digest": "00" * 48,
    "technology": "sev-snp",
    "firmware_sha256": "11" * 32,
    "kernel_hashes_sha256": None,
    "vmm": "qemu-kvm-init2",
    "vcpus": 4,
    "vcpu_signature": "0x00a00f11",
    "sev_features": "0x1",
}
RELEASE = {
    "type": "release",
    "release": 1,
    "time": NOW,
    "artifacts": {"manifest.json": "22" * 32},
    "revocations_sha256": "33" * 32,
    "previous_size": 0,
    "previous_root": "44" * 32,
    "trust_version": None,
    "revocations_count": 0,
    "revocations_chain": "0" * 64,
}
REFUSED = (NotPlain, LdcatError, ValueError)

VALUES: list[Any] = [
    *(None, True, False, -1, 0, 1, 3, 1 << 16, (1 << 53) - 1, 1 << 53, 1 << 63, 1 << 64, 1.0, 1e30),
    *("", "digest", "release", "sev", "\x7f", "\u2014", "{", "00" * 32, "0" * 64, "0" * 63, "0" * 64 + "\n", "A" * 64),
    *([], {}, {"a": "b"}, {"a": 1}, {"a": None}, [1], {"manifest.json": {"a": "b"}}),
]
NAMES = sorted({*ROW, *RELEASE, "firmware_snp_baseline", "base_digest", "endorser", "more"})
MORE = [b"", b" ", b'"', b"\\u0041", b"\xff", b"0", b"1", b"A", b","]
"""What is put into a leaf."""


@pytest.fixture(scope="module")
def log(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> LogFolder:
    return published_log(small, tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def bundles(log: LogFolder, small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> list[ProofBundle]:
    """Of some rows."""
    publisher = Publisher(tmp_path_factory.mktemp("again"))
    publisher.publish(small)
    prover = Prover(log)
    found = [prover.prove(leaf) for leaf in publisher.leaves()[:60:7]]
    return [bundle for bundle in found if bundle is not None]


def read_by(forms: Any, name: str, data: bytes) -> Any:
    """What a parser makes of data; None if it refuses it."""
    try:
        return getattr(forms, name)(data)
    except REFUSED:
        return None


def check_same(name: str, leaf: bytes) -> None:
    """Whatever the plain parser accepts, the other reads as the same."""
    plain = read_by(plain_forms, name, leaf)
    if plain is None:
        return
    full = read_by(bundle_forms, name, leaf)
    assert full is not None, leaf
    if name == "parse_proven":
        assert list(to_dict(plain).items()) == list(to_dict(full).items())
        assert all(getattr(plain, field) == getattr(full, field) for field in ROW)
    else:
        assert all(getattr(plain, field) == getattr(full, field) for field in RELEASE)


@pytest.mark.parametrize(("name", "record"), [("parse_proven", ROW), ("parse_release", RELEASE)])
def test_a_record_with_another_field_is_the_same(name: str, record: dict[str, Any]) -> None:
    assert read_by(plain_forms, name, canonical_json(record))
    for field, value in product(NAMES, VALUES):
        check_same(name, canonical_json({**record, field: value}))
        check_same(name, canonical_json({**record, "firmware_sha256": None, field: value}))
    for field in record:
        check_same(name, canonical_json({key: value for key, value in record.items() if key != field}))


@pytest.mark.parametrize(("name", "record"), [("parse_proven", ROW), ("parse_release", RELEASE)])
def test_a_record_with_another_byte_is_the_same(name: str, record: dict[str, Any]) -> None:
    leaf = canonical_json(record)
    for at, length, more in product(range(len(leaf) + 1), range(3), MORE):
        check_same(name, leaf[:at] + more + leaf[at + length :])


def test_usual_records_are_accepted(log: LogFolder, bundles: list[ProofBundle]) -> None:
    assert bundles
    for bundle in bundles:
        assert read_by(plain_forms, "parse_proven", bundle.row.extra or b"")
        assert read_by(plain_forms, "parse_release", bundle.status.extra or b"")
    for optional in ({"firmware_snp_baseline": "55" * 48}, {"base_digest": "66" * 48}):
        row = canonical_json({**ROW, "firmware_sha256": None, **optional})
        assert to_dict(plain_forms.parse_proven(row)) == to_dict(bundle_forms.parse_proven(row))


def test_a_release_of_the_first_version_is_not_plain() -> None:
    record = parse_record(canonical_json(RELEASE))
    assert isinstance(record, ReleaseRecord)
    fields = {name: value for name, value in RELEASE.items() if not name.startswith("revocations_c")}
    assert parse_record(canonical_json(fields)).revocations_count is UNSET  # type: ignore[union-attr]
    with pytest.raises(NotPlain):
        plain_forms.parse_release(canonical_json(fields))


def verified(data: bytes, **options: Any) -> dict[str, Any] | None:
    given: dict[str, Any] = {"now": NOW + DAY, "seen": {}, "digest": None, **options}
    try:
        return verdict_to_dict(verify_bundle(data, ALONE, **given))
    except (NotPlain, ValueError):
        return None


def test_usual_bundles_are_verified(bundles: list[ProofBundle]) -> None:
    for bundle in bundles:
        found = verified(bytes(bundle), forms=plain_forms)
        assert found == verified(bytes(bundle))
        assert found
        assert found["outcome"] == Outcome.MATCH


def test_other_bundles_are_not_plain(small: BuildResult, bundles: list[ProofBundle], tmp_path: Any) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish(small, revoke("deprecated", vcpus=3))
    revoking = Prover(publisher.log).prove(publisher.leaves()[0])
    text = json.loads(bytes(bundles[0]))
    for data in (
        bytes(revoking or b""),
        in_format_1(bundles[0]),
        canonical_json({**text, "more": 1}),
        canonical_json({**text, "format": "ldcat-proof/3"}),
        canonical_json([]),
        bytes(bundles[0]).replace(b'{"checkpoint"', b'{"format":"","checkpoint"', 1),
        bytes(bundles[0]).replace(b"\\u2014", "\u2014".encode()),
        b" " + bytes(bundles[0]),
        b"",
    ):
        assert verified(data, forms=plain_forms) is None


@given(data=st.data())
def test_a_changed_bundle_has_the_same_verdict(bundles: list[ProofBundle], data: st.DataObject) -> None:
    whole = bytes(data.draw(st.sampled_from(bundles)))
    at = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.integers(0, 3))
    more = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b"\\n", b"\\u2014", b'"', b",", b"1", b"A="])))
    changed = whole[:at] + more + whole[at + length :]
    options = {"now": data.draw(st.sampled_from([NOW, NOW + DAY, NOW + 99 * DAY, 0]))}
    plain = verified(changed, forms=plain_forms, **options)
    assert plain is None or plain == verified(changed, **options)


@given(data=st.data())
def test_bundles_put_together_from_parts_have_the_same_verdict(bundles: list[ProofBundle], data: st.DataObject) -> None:
    texts = [json.loads(bytes(bundle)) for bundle in bundles]
    parts = {name: data.draw(st.sampled_from(texts))[name] for name in ("format", "checkpoint", "revocations")}
    for name in ("row", "status"):
        parts[name] = data.draw(st.sampled_from(texts))[data.draw(st.sampled_from(["row", "status"]))]
    digest = data.draw(st.sampled_from([None, "00" * 48]))
    made = canonical_json(parts)
    plain = verified(made, forms=plain_forms, digest=digest)
    assert plain is None or plain == verified(made, digest=digest)
