"""An ID block in the words of each consumer: it says what the row says, or it is refused."""

from __future__ import annotations

import json
import tomllib
from base64 import b64decode
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)

from catalog.abi.id_auth import IdAuth
from catalog.abi.id_block import IdBlock
from catalog.endorse.id_signatures import check_id_signatures
from catalog.endorse.report_checks import id_key_digest
from catalog.errors import LdcatError, MalformedInput, UsageError
from catalog.evidence.sniff import sniff
from catalog.export.export_format import export_format_named
from catalog.export.exported import Export
from catalog.export.settings import GivenFile, Settings
from tests.support.exports import export_of
from tests.support.id_block_exports import AUTHOR_KEY, HASHES, ID_KEY, PATH, id_block_export, key_file, launch, written

FORMATS = ("id-block", "qemu", "libvirt", "kata")
IN_WORDS = FORMATS[1:]


def only_file(name: str, of: Export) -> bytes:
    (data,) = written(name, of).values()
    return data


def structures(name: str, of: Export) -> tuple[bytes, bytes]:
    """The ID block and the ID auth structure, as the consumer reads them."""
    if name == "id-block":
        files = written(name, of)
        return files["id-block.bin"], files["id-auth.bin"]
    text = only_file(name, of).decode()
    if name == "kata":
        said = tomllib.loads(text)
        return b64decode(said["snp_id_block"]), b64decode(said["snp_id_auth"])
    if name == "libvirt":
        found = ElementTree.fromstring(text).find("launchSecurity")
        assert found is not None
        return b64decode(found.findtext("idBlock", "")), b64decode(found.findtext("idAuth", ""))
    said = dict(part.split("=", 1) for part in text.strip().split(",")[1:])
    return b64decode(said["id-block"]), b64decode(said["id-auth"])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("author", [None, key_file(AUTHOR_KEY)])
def test_every_format_has_the_same_structures(name: str, author: GivenFile | None) -> None:
    family, image = bytes(range(16)), bytes(range(16, 32))
    of = id_block_export(author_key=author, policy=0x3001F, guest_svn=7, family_id=family, image_id=image)
    block, auth = structures(name, of)
    assert IdBlock.parse(block).to_dict() == {
        "measurement": of.digests[0].hex(),
        "family_id": family.hex(),
        "image_id": image.hex(),
        "guest_svn": 7,
        "policy": "0x3001f",
    }
    check_id_signatures(IdAuth.parse(auth), block)
    assert (IdAuth.parse(auth).author_key is None) is (author is None)
    assert structures(name, of) == (block, auth)  # signatures are deterministic


def test_the_key_digests_are_those_that_a_lookup_expects() -> None:
    said = json.loads(written("id-block", id_block_export(author_key=key_file(AUTHOR_KEY)))["id-keys.json"])
    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    assert said == {
        "id_key_digest": id_key_digest(ID_KEY.public_key().public_bytes(*form)).hex(),
        "author_key_digest": id_key_digest(AUTHOR_KEY.public_key().public_bytes(*form)).hex(),
    }
    assert list(json.loads(written("id-block", id_block_export())["id-keys.json"])) == ["id_key_digest"]


def test_an_exported_block_is_evidence() -> None:
    of = id_block_export()
    block, _ = structures("id-block", of)
    found = sniff(block)
    assert found.id_block is not None
    assert found.id_block.measurement.value == of.digests[0]


def test_the_words_of_qemu_and_libvirt_follow_from_the_row() -> None:
    author = key_file(AUTHOR_KEY)
    line = only_file("qemu", id_block_export(author_key=author)).decode()
    assert line.startswith(
        "-object sev-snp-guest,id=sev0,cbitpos=51,reduced-phys-bits=1,policy=0x30000,kernel-hashes=on,id-block="
    )
    assert line.endswith(",author-key-enabled=on\n")
    bare = launch(kernel_hashes=None, kernel_name=None, append=None, vcpus=3)
    line = only_file("qemu", id_block_export(bare)).decode()
    assert ",kernel-hashes=off," in line
    assert "author-key-enabled" not in line
    for row, given, words in ((launch(), author, ("yes", "yes")), (bare, None, ("no", "no"))):
        domain = ElementTree.fromstring(only_file("libvirt", id_block_export(row, author_key=given)))
        security = domain.find("launchSecurity")
        assert security is not None
        assert (security.get("authorKey"), security.get("kernelHashes")) == words
        assert security.findtext("policy") == "0x30000"
        assert (domain.findtext("vcpu"), domain.findtext("os/loader")) == (str(row.vcpus), PATH)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a&b<c>.fd", "/a&b<c>.fd"),
        ("/a'\".fd", "/a'\".fd"),
        ("/a\nb.fd", None),
        ("/a\0b.fd", None),
        ("guest/OVMF.fd", None),
        (None, None),
    ],
)
def test_the_loader_is_where_the_package_has_it_or_to_be_set(path: str | None, shown: str | None) -> None:
    of = id_block_export(launch(path))
    domain = ElementTree.fromstring(only_file("libvirt", of))
    assert domain.findtext("os/loader") == (shown or "/path/of/the/firmware")
    codes = [note.code for note in export_format_named("libvirt").notes(of)]
    assert ("loader-path-unknown" in codes) is (shown is None)


def test_the_settings_of_kata() -> None:
    said = tomllib.loads(only_file("kata", id_block_export(policy=0x30000)).decode())
    assert list(said) == ["snp_id_block", "snp_id_auth", "snp_guest_policy"]
    assert said["snp_guest_policy"] == 196608
    of = id_block_export(author_key=key_file(AUTHOR_KEY))
    assert [note.code for note in export_format_named("kata").notes(of)] == [
        "id-block-launch",
        "launch-incomplete",
        "author-key-not-used",
    ]
    milan = id_block_export(launch(vcpu_signature=0xA00F11))
    (note,) = [one for one in export_format_named("kata").notes(milan) if one.code == "launch-of-other-vcpu-type"]
    assert "EPYC-v4, not with vCPU signature 0x00a00f11 (EPYC-Milan): " in note.text


def test_what_a_domain_of_libvirt_lacks_is_said() -> None:
    for row, kernel in (
        (launch(), ", and <kernel>, <initrd> and <cmdline> as they are hashed"),
        (launch(kernel_hashes=None), ""),
    ):
        (note,) = [
            one for one in export_format_named("libvirt").notes(id_block_export(row)) if one.code == "launch-incomplete"
        ]
        assert note.text.endswith(f"<cpu> with a model of vCPU signature 0x00800f12 (EPYC){kernel}")


def test_an_author_key_that_is_the_id_key_is_noted() -> None:
    own = id_block_export()
    same = replace(own, settings=replace(own.settings, author_key=own.settings.id_key))
    codes = [note.code for note in export_format_named("id-block").notes(same)]
    assert codes == ["id-block-launch", "author-key-is-id-key"]


def test_the_launch_is_described_as_far_as_it_is_known() -> None:
    (note,) = export_format_named("id-block").notes(id_block_export())
    assert note.text.endswith(
        ": 1 vCPU, vCPU signature 0x00800f12 (EPYC), sev_features 0x1, firmware OVMF.amdsev.fd, kernel hashes debian, "
        "guest policy 0x30000"
    )
    chosen = id_block_export()
    chosen = replace(chosen, source=replace(chosen.source, selection={"vcpu-type": "EPYC-v4"}))
    (note,) = export_format_named("id-block").notes(chosen)
    assert "vCPU signature 0x00800f12 (EPYC-v4), " in note.text
    unnamed = launch(vcpu_signature=1, kernel_hashes=None, kernel_name=None)
    (note,) = export_format_named("id-block").notes(id_block_export(unnamed))
    assert "vCPU signature 0x00000001, sev_features 0x1, firmware OVMF.amdsev.fd, kernel hashes none" in note.text
    (note,) = export_format_named("id-block").notes(id_block_export(launch(vcpus=2, kernel_name=None)))
    assert ": 2 vCPUs, " in note.text
    assert f", kernel hashes {HASHES.table_sha256.hex()}, " in note.text
    unknown = launch(firmware=None, vcpus=None, vcpu_signature=None, sev_features=None, vmm=None)
    (note,) = export_format_named("id-block").notes(id_block_export(unknown))
    assert note.text.endswith("but this one: guest policy 0x30000")


@pytest.mark.parametrize(
    ("policy", "code"),
    [(0xB0000, "debug-allowed"), (0x70000, "migration-agent-allowed")],
)
def test_a_policy_that_lets_the_host_in_is_said(policy: int, code: str) -> None:
    for name in FORMATS:
        assert code in [note.code for note in export_format_named(name).notes(id_block_export(policy=policy))]


def test_a_digest_of_another_vmm_is_said_where_qemu_launches() -> None:
    of = id_block_export(launch(vmm="gce-v1"))
    for name in IN_WORDS:
        (note,) = [note for note in export_format_named(name).notes(of) if note.code == "launch-of-other-vmm"]
        assert "a launch by gce-v1" in note.text
    assert [note.code for note in export_format_named("id-block").notes(of)] == ["id-block-launch"]


REFUSED = [
    ({"policy": 0x10000}, UsageError, "bit 17 of the guest policy must be 1; 0x10000 has it clear"),
    ({"policy": 1 << 40 | 0x30000}, UsageError, "guest policy bit 40 is not known to this version"),
    ({"policy": 1 << 64}, UsageError, "is no guest policy of 64 bits"),
    ({"guest_svn": 1 << 32}, UsageError, "4294967296 is no security version number of 32 bits"),
    ({"family_id": bytes(15)}, UsageError, "--family-id needs 16 bytes in hex, not 15"),
    ({"image_id": bytes(17)}, UsageError, "--image-id needs 16 bytes in hex, not 17"),
    ({"id_key": None}, UsageError, "needs the key that signs it"),
    ({"id_key": key_file(ec.generate_private_key(ec.SECP256R1()))}, MalformedInput, "key is P-256; an ID block needs"),
    (
        {"author_key": key_file(ec.generate_private_key(ec.SECP521R1()))},
        MalformedInput,
        "the key is P-521; an ID block",
    ),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("settings", "kind", "message"), REFUSED)
def test_settings_that_are_refused(name: str, settings: dict[str, Any], kind: type[LdcatError], message: str) -> None:
    with pytest.raises(kind, match=message):
        export_format_named(name).files(id_block_export(**settings))


def test_one_passphrase_opens_both_keys() -> None:
    keys: dict[str, Any] = {"id_key": key_file(ID_KEY, b"horse"), "author_key": key_file(AUTHOR_KEY, b"horse")}
    opened = structures("id-block", id_block_export(**keys, passphrase=b"horse"))
    assert opened == structures("id-block", id_block_export(author_key=key_file(AUTHOR_KEY)))
    with pytest.raises(UsageError, match="is encrypted, and no passphrase is given"):
        export_format_named("id-block").files(id_block_export(**keys))


@pytest.mark.parametrize("name", FORMATS)
def test_several_digests_are_refused(name: str) -> None:
    of = export_of(2, settings=Settings(id_key=key_file(ID_KEY)))
    for made in (export_format_named(name).files, export_format_named(name).notes):
        with pytest.raises(UsageError, match="an ID block has one launch digest, but 2 are selected") as error:
            made(of)
        assert error.value.hint == "they differ in --vcpus: select one value, or name one digest"


@pytest.mark.parametrize("changes", [{"firmware": None}, {"vcpus": None}])
def test_a_digest_alone_becomes_an_id_block_alone(changes: dict[str, None]) -> None:
    of = id_block_export(launch(**changes))
    assert IdBlock.parse(structures("id-block", of)[0]).measurement.value == of.digests[0]
    for name in IN_WORDS:
        with pytest.raises(UsageError, match="the launch of this digest is not known"):
            export_format_named(name).files(of)


def test_kata_launches_with_kernel_hashes_only() -> None:
    with pytest.raises(UsageError, match="measures kernel hashes in every launch, and this one has none"):
        export_format_named("kata").files(id_block_export(launch(kernel_hashes=None)))
