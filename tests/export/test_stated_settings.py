"""What a sidecar states of settings: what was given or is the default, and of keys their digests alone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from catalog.export.export_format import export_format_named, export_formats
from catalog.export.setting_table import FILES
from catalog.export.settings import GivenFile, Settings
from catalog.export.sidecar import StatedSettings, make_sidecar
from catalog.export.stated_settings import stated_settings
from tests.support.exports import export_of
from tests.support.id_block_exports import AUTHOR_KEY, ID_KEY, key_file

WITH_FILES = {"id_key": "id_key_digest", "author_key": "author_key_digest"}
NOT_STATED = {"key", "passphrase", "cert", "ca", "files", "tag"}
"""Secrets and files; and the tag, because a layout has no sidecar."""
ID = "0" * 32


def stated(name: str, /, **settings: Any) -> dict[str, Any]:
    found = stated_settings(export_format_named(name), export_of(settings=Settings(**settings)))
    return {one: value for one in found.__struct_fields__ if (value := getattr(found, one)) is not None}


def test_every_setting_is_stated_or_is_a_secret_or_a_file() -> None:
    names = {one.name for one in fields(Settings)} - NOT_STATED
    assert {WITH_FILES.get(name, name) for name in names} == set(StatedSettings.__struct_fields__)
    assert NOT_STATED - {"tag"} == FILES - set(WITH_FILES)


def test_defaults_are_of_settings_that_the_format_takes() -> None:
    for one in export_formats().values():
        assert set(one.defaults) <= one.settings - one.required


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("rvps", {}, {"name": "snp_launch_measurement"}),
        ("rvps", {"name": "mine"}, {"name": "mine"}),
        (
            "rvps-file",
            {"days": 30},
            {"name": "snp_launch_measurement", "valid_from": "2026-11-28T00:00:00Z", "days": 30},
        ),
        (
            "configmap",
            {"valid_from": 1_000_000_000},
            {
                "name": "snp_launch_measurement",
                "namespace": "trustee-operator-system",
                "valid_from": "2001-09-09T01:46:40Z",
                "days": 365,
            },
        ),
        (
            "corim",
            {"issuer": "Example", "key": GivenFile("secret.pem", b"")},
            {"valid_from": "2026-11-28T00:00:00Z", "days": 365, "issuer": "Example"},
        ),
        ("contrast", {"product": "Milan"}, {"product": "Milan"}),
        ("check", {}, {"policy": "0x30000"}),
        ("check", {"guest_svn": 0, "policy": 0xB0000}, {"policy": "0xb0000", "guest_svn": 0}),
        (
            "gce-endorsement",
            {"commit": b"\x12\x34", "image_id": bytes(range(16))},
            {
                "valid_from": "2026-11-28T00:00:00Z",
                "policy": "0x30000",
                "guest_svn": 0,
                "family_id": ID,
                "image_id": bytes(range(16)).hex(),
                "commit": "1234",
            },
        ),
        ("c8s", {}, {}),
        ("in-toto", {"key": GivenFile("secret.pem", b"")}, {}),
    ],
)
def test_what_is_given_or_the_default(name: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert stated(name, **given) == expected


@pytest.mark.parametrize("name", ["id-block", "qemu", "libvirt", "kata", "check"])
def test_keys_are_stated_by_their_digests(name: str) -> None:
    secret = b"a passphrase"
    keys: dict[str, Any] = {"id_key": key_file(ID_KEY, secret), "author_key": key_file(AUTHOR_KEY, secret)}
    export = export_of(settings=Settings(**keys, passphrase=secret))
    found = stated_settings(export_format_named(name), export)
    public = ID_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert found.id_key_digest == stated("check", id_key=GivenFile("id.pub.pem", public))["id_key_digest"]
    assert found.author_key_digest not in (None, found.id_key_digest)
    said = bytes(make_sidecar(name, export.source, export.digests, [], [], settings=found))
    assert b"key.pem" not in said
    assert secret not in said
