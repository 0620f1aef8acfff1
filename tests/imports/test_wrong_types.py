"""Each value inside a document, replaced by one of every other type: it is read or refused, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from catalog.errors import LdcatError, MalformedRecord
from catalog.imports.cbor import Tagged, decode
from catalog.imports.chains import parse_trusted
from catalog.imports.documents import read_document
from catalog.imports.import_files import import_files
from tests.support import published_documents as made

PLAIN: list[Any] = [None, True, 7, -1, 1 << 63, "", "x", [], [7], [[]], {}, {"a": 7}]
IN_CBOR: list[Any] = [*PLAIN, b"", b"x", {0: 7}, Tagged(1, 7), Tagged(560, b"x"), Tagged(506, b"\x07")]

POLICY, SVN = {0: 2, 1: {4: Tagged(560, bytes(8))}}, {0: 1, 1: {1: Tagged(553, 4)}}
TRIPLE = made.triple(bytes.fromhex(made.DIGEST), extra=[POLICY, SVN])
CORIM = made.corim(TRIPLE, f4={0: Tagged(1, made.SIGNED), 1: Tagged(1, made.NOW)})
JSON = {
    "go": made.go_metadata(),
    "dstack": made.dstack_attached(),
    "secretvm": made.as_json([made.secretvm_row()]),
    "c8s": made.as_json(made.c8s()),
    "rvps": made.rvps_message({"snp_launch_measurement": [made.DIGEST]}),
    "contrast": made.contrast_manifest(),
    "patch": made.contrast_patch(),
}

Path = tuple[Any, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where the values inside a value are, also in bytes that are CBOR themselves."""
    yield path
    if isinstance(value, list):
        for at, one in enumerate(value):
            yield from places(one, (*path, at))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from places(one, (*path, key))
    elif isinstance(value, Tagged):
        yield from places(value.value, (*path, "tagged"))
    elif isinstance(value, bytes):
        with suppress(MalformedRecord):
            inner = decode(value, "x")
            if isinstance(inner, dict):
                yield from places(inner, (*path, "inside"))


def changed(value: Any, path: Path, new: Any) -> Any:
    """The value with another one at a place."""
    if not path:
        return new
    first, *rest = path
    if isinstance(value, list):
        return [changed(one, tuple(rest), new) if at == first else one for at, one in enumerate(value)]
    if isinstance(value, dict):
        return {key: changed(one, tuple(rest), new) if key == first else one for key, one in value.items()}
    if isinstance(value, Tagged):
        return Tagged(value.tag, changed(value.value, tuple(rest), new))
    return made.cbor(changed(decode(value, "x"), tuple(rest), new))


def check(data: bytes) -> None:
    given = parse_trusted(made.key_pem(made.corim_key()), made.trusted())
    with suppress(LdcatError):
        imported = read_document(data, given).said_by("somebody").named("name")
        assert import_files(imported, data)


@pytest.mark.parametrize("name", JSON)
def test_in_json(name: str) -> None:
    value = json.loads(JSON[name])
    for path in places(value):
        for new in PLAIN:
            check(made.as_json(changed(value, path, new)))


@pytest.mark.parametrize("data", [made.dstack(), CORIM], ids=["dstack", "corim"])
def test_in_cbor(data: bytes) -> None:
    value = decode(data, "x")
    for path in places(value):
        for new in IN_CBOR:
            check(made.cbor(changed(value, path, new)))


@pytest.mark.parametrize("header", ["h1", "h2", "h3", "h8", "h33", "h34", "iss", "feed", "signingtime"])
def test_in_headers_that_are_signed(header: str) -> None:
    for new in IN_CBOR:
        check(made.uvm(**{header: new}))
        if header.startswith("h"):
            check(made.signed_corim(**{header: new}))


def test_in_what_is_signed() -> None:
    meta = decode(decode(decode(made.signed_corim(), "x").value[0], "x")[8], "x")
    for path in places(meta):
        for new in IN_CBOR:
            check(made.signed_corim(h8=made.cbor(changed(meta, path, new))))
    for number in range(1, 9):
        for new in (b"", b"x", 7, b"\x08\x01", b"\x0a\x00"):
            check(made.gce(more=made.field(number, new)))
            check(made.gce(snp=made.field(number, new)))
