"""The text of revocations: `ldcat revoke` and every reader of leaves, lists and bundles accept the same."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from catalog.errors import MalformedRecord, UsageError
from catalog.files.plain_json import canonical_json
from catalog.log.records import parse_record
from catalog.log.revocation_list import parse_revocations
from catalog.log.revocation_text import MAX_REASON, is_reason
from catalog.log.revocations import new_revocation
from catalog.prove.bundle_forms import parse_bundle
from tests.support.hostile import REASON
from tests.support.proof_bundles import bundle_of

BAD_REASONS = [
    "",
    " ",
    "x" * (MAX_REASON + 1),
    *(
        f"a{character}b"
        for character in "\x00\x07\x08\t\n\r\x1b\x7f\x85\x9b\xa0\xad\u061c\u200b\u200d\u200e\u200f\u2028\u2029\u202a"
        "\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\u3000\ue000\ufeff\U000e0001\U000e0041\U000f0000"
    ),
]
GOOD_REASONS = ["x", "x" * MAX_REASON, " a b ", REASON, "wei\xdf \u5e7f\u6771 \u05d0\u05d1 \U0001f600\ufe0f"]
BAD_SELECTORS: list[dict[str, Any]] = [
    {},
    {"reason": "x"},
    {"size": 1},
    {"launch_digest": "ab" * 31},
    {"launch_digest": "AB" * 32},
    {"launch_digest": "ab" * 32 + "\n"},
    {"launch_digest": None},
    {"technology": "sev\x1b"},
    {"endorser_scheme": "Azure"},
    {"endorser_scheme": None},
    {"endorser_id": None},
    {"endorser_id": "a\nb"},
    {"endorser_feed": ""},
    {"endorser_svn": -1},
    {"endorser_svn": 1 << 53},
    {"endorser_svn": "7"},
    {"document_sha256": "AB" * 32},
    {"checked": "none"},
    {"technology": None},
    {"firmware_sha256": "ab" * 48},
    {"firmware_sha256": None},
    {"kernel_hashes_sha256": "none"},
    {"kernel_hashes_sha256": 1},
    {"vmm": ""},
    {"vmm": "a\u202eb"},
    {"vmm": 1},
    {"vcpus": -1},
    {"vcpus": "3"},
    {"vcpu_signature": "0xa00f11"},
    {"vcpu_signature": 1},
    {"sev_features": "0x01"},
    {"sev_features": "1"},
]
GOOD_SELECTORS: list[dict[str, Any]] = [
    {"launch_digest": "ab" * 32},
    {"launch_digest": "ab" * 48, "technology": "sev-es"},
    {"firmware_sha256": "ab" * 32, "kernel_hashes_sha256": None},
    {"kernel_hashes_sha256": "ab" * 32, "vmm": None, "vcpus": None},
    {"vmm": "qemu-kvm-init2", "vcpus": 3},
    {"vcpu_signature": "0x00a00f11", "sev_features": "0x0"},
    {"vcpu_signature": None, "sev_features": "0xffffffffffffffff"},
]


def as_leaf(fields: dict[str, Any]) -> object:
    return parse_record(canonical_json({"type": "revoke", **fields}))


def as_list(fields: dict[str, Any]) -> object:
    return parse_revocations(canonical_json([fields]))


def as_bundle(fields: dict[str, Any]) -> object:
    bundle, _ = bundle_of("example.com/log")
    return parse_bundle(canonical_json({**json.loads(bytes(bundle)), "revocations": [fields]}))


READERS = pytest.mark.parametrize("read", [as_leaf, as_list, as_bundle])


@READERS
@pytest.mark.parametrize("reason", BAD_REASONS)
def test_a_reason_that_revoke_refuses_is_refused_by_every_reader(
    read: Callable[[dict[str, Any]], object], reason: str
) -> None:
    with pytest.raises(MalformedRecord, match="the reason is not one line of 1 to 500 printable characters"):
        read({"selector": {"vcpus": 3}, "severity": "revoked", "reason": reason})
    with pytest.raises(UsageError, match="the reason is not one line"):
        new_revocation({"vcpus": 3}, "revoked", reason)


@READERS
def test_a_reason_with_a_lone_surrogate_is_refused(read: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(MalformedRecord):
        read({"selector": {"vcpus": 3}, "severity": "revoked", "reason": "a\udce9b"})


@READERS
@pytest.mark.parametrize("reason", GOOD_REASONS)
def test_a_reason_that_revoke_accepts_is_accepted_by_every_reader(
    read: Callable[[dict[str, Any]], object], reason: str
) -> None:
    assert read({"selector": {"vcpus": 3}, "severity": "revoked", "reason": reason})
    assert new_revocation({"vcpus": 3}, "revoked", reason).reason == reason


@READERS
@pytest.mark.parametrize("selector", BAD_SELECTORS)
def test_a_selector_with_an_impossible_value_is_refused(
    read: Callable[[dict[str, Any]], object], selector: dict[str, Any]
) -> None:
    with pytest.raises(MalformedRecord, match=r"no record can have|has fields that no record has"):
        read({"selector": selector, "severity": "revoked", "reason": "bad"})


@READERS
@pytest.mark.parametrize("selector", GOOD_SELECTORS)
def test_a_selector_with_a_possible_value_is_accepted(
    read: Callable[[dict[str, Any]], object], selector: dict[str, Any]
) -> None:
    assert read({"selector": selector, "severity": "revoked", "reason": "bad"})


def test_all_reasons_of_0_1_0_are_accepted_without_control_or_bidi_characters() -> None:
    """0.1.0 published what its Python considered printable; all versions of Python since 3.11 agree for Unicode 14."""
    for character in map(chr, range(0x110000)):
        if character.isprintable():
            assert is_reason(f"a{character}"), hex(ord(character))
        elif unicodedata.category(character) != "Cn":  # some of which are printable in a later Unicode version
            assert not is_reason(f"a{character}") or unicodedata.unidata_version > "14.0.0", hex(ord(character))
