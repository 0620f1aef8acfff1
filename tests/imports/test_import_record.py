"""Our own TOML of what is known in part: it comes back as it was, and anything else is refused with its path."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from catalog.errors import MalformedRecord
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.kernel_record import KernelRecord
from catalog.firmware.metadata import Area, Section
from catalog.imports import import_wire
from catalog.imports.component_facts import FirmwareFacts, KernelFacts
from catalog.imports.documents import forms, read_document
from catalog.imports.endorsed_facts import Base, Claims, EndorsedDigest, Endorser
from catalog.imports.import_files import import_files, to_dict, without_comment
from catalog.imports.import_record import parse_import
from catalog.imports.import_toml import import_toml, kernel_toml
from catalog.imports.imported import Imported
from catalog.spec import embedded
from catalog.wire import Wire
from tests.support import published_documents as made
from tests.support.published_documents import DIGEST, GIVEN

SHORT, LONG = st.binary(min_size=32, max_size=32), st.binary(min_size=48, max_size=48)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
U32 = st.integers(0, (1 << 32) - 1)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


SECTIONS = st.lists(st.builds(Section, U32, U32, st.sampled_from([1, 2, 3, 4, 16, 99])), max_size=3).map(tuple)
FIRMWARE = st.builds(
    FirmwareFacts,
    name=maybe(TEXT),
    sha256=maybe(SHORT),
    sha384=maybe(LONG),
    size=maybe(st.integers(1, 1 << 14).map(lambda pages: pages << 12)),
    snp_baseline=LONG,
    sections=maybe(SECTIONS),
    reset_vector=maybe(U32),
    hashes_area=maybe(st.builds(Area, U32, maybe(U32))),
)
KERNELS = st.builds(KernelFacts, SHORT, maybe(TEXT), maybe(SHORT)) | st.builds(
    KernelFacts, SHORT, append_words=st.lists(TEXT, min_size=1, max_size=2).map(tuple)
)
ENDORSERS = st.builds(Endorser, TEXT, maybe(TEXT), maybe(TEXT), maybe(st.integers(0, 1 << 40)))
CLAIMS = st.builds(
    Claims,
    vcpus=maybe(st.integers(1, 4096)),
    vcpu_type=maybe(TEXT),
    product=maybe(TEXT),
    policy=maybe(st.integers(0, (1 << 64) - 1)),
    firmware_sha256=maybe(SHORT),
    firmware_sha384=maybe(LONG),
    kernel_sha256=maybe(SHORT),
    initrd_sha256=maybe(SHORT),
    igvm_sha256=maybe(SHORT),
    reset_vector=maybe(U32),
)
ENDORSED = st.builds(EndorsedDigest, LONG, st.just("sev-snp"), ENDORSERS, CLAIMS) | st.builds(
    EndorsedDigest, SHORT, st.sampled_from(["sev", "sev-es"]), ENDORSERS
)
BASES = st.builds(
    Base,
    LONG,
    st.just("sev-snp"),
    ENDORSERS,
    st.integers(1, 4096),
    reset_vector=maybe(U32),
    product=maybe(TEXT),
    vcpu_type=maybe(TEXT),
    vmm=maybe(TEXT),
    sev_features=maybe(st.integers(0, (1 << 64) - 1)),
    name=maybe(TEXT),
)
SOME_BASES = st.lists(BASES, min_size=1).map(tuple)
PUBLISHED = st.builds(Imported, st.just("published-list"), st.none(), origin=TEXT, bases=SOME_BASES)
IMPORTS = st.builds(
    Imported,
    form=st.sampled_from(["dstack", "azure-uvm"]),
    document_sha256=SHORT,
    checked=st.sampled_from(["signature", "none"]),
    document_time=maybe(U32),
    certificate_until=maybe(U32),
    origin=maybe(TEXT),
    firmware=st.lists(FIRMWARE, min_size=1, max_size=2).map(tuple),
    kernels=st.lists(KERNELS, max_size=2).map(tuple),
    endorsed=st.lists(ENDORSED, max_size=2).map(tuple),
    bases=st.lists(BASES, max_size=2).map(tuple),
)


@given(IMPORTS | PUBLISHED)
def test_what_is_written_is_read_back(imported: Imported) -> None:
    """What has a record of its own is not in the import record."""
    firmware = tuple(one for one in imported.firmware if one.record() is None)
    kernels = tuple(one for one in imported.kernels if not one.is_whole)
    expected = replace(imported, firmware=firmware, kernels=kernels)
    assume(firmware or kernels or imported.endorsed or imported.bases)
    text = import_toml(imported)
    assert parse_import(text) == expected
    assert [base.name for base in parse_import(text).bases] == [base.name for base in imported.bases]
    assert import_toml(parse_import(text)) == text


@given(TEXT, SHORT, maybe(SHORT), TEXT)
def test_a_kernel_record_is_one_that_specs_take(name: str, kernel: bytes, initrd: bytes | None, append: str) -> None:
    empty = hashlib.sha256(b"").digest()
    facts = KernelFacts(kernel, name, initrd or empty, append=append)
    record = KernelRecord.parse(kernel_toml(facts))
    assert (record.name, record.append) == (name, append)
    assert (record.hashes.kernel, record.hashes.initrd) == (kernel, initrd or empty)
    assert (record.wire.initrd is None) == (initrd is None)
    assert replace(KernelFacts.of(record), record=None) == facts


RECORD = f"""
format = "ldcat-import/1"
[document]
form = "x"
sha256 = "{"11" * 32}"
checked = "none"
"""
FIRMWARE_TABLE = f'[[firmware]]\nsnp_baseline = "{DIGEST}"\n'
KERNEL_TABLE = f'[[kernel]]\nkernel_sha256 = "{"11" * 32}"\n'
ENDORSED_TABLE = f'[[endorsed]]\nlaunch_digest = "{DIGEST}"\ntechnology = "sev-snp"\nendorser = {{ scheme = "x" }}\n'
BASE_TABLE = ENDORSED_TABLE.replace("endorsed", "base")


def test_a_record_written_by_hand_is_read() -> None:
    imported = parse_import(RECORD + FIRMWARE_TABLE + ENDORSED_TABLE + BASE_TABLE + "vcpus = 2\n")
    assert [one.snp_baseline for one in imported.firmware] == [bytes.fromhex(DIGEST)]
    assert (imported.endorsed[0].claims, imported.bases[0].vcpus) == (Claims(), 2)


def test_a_section_of_an_unknown_type_is_read_by_its_number() -> None:
    sections = 'sections = [{ gpa = 0x1000, size = 0x1000, type = 0x63 }, { gpa = 0, size = 0x1000, type = "CPUID" }]\n'
    [firmware] = parse_import(RECORD + FIRMWARE_TABLE + sections).firmware
    assert firmware.sections == (Section(0x1000, 0x1000, 0x63), Section(0, 0x1000, 3))


def test_values_that_were_published_without_a_document_have_an_origin() -> None:
    head = 'format = "ldcat-import/1"\n[document]\nform = "published-list"\nchecked = "none"\n'
    origin = 'origin = "https://example/list at abc, 2026-03-01"\n'
    data = (head + origin + ENDORSED_TABLE).encode()
    imported = read_document(data, GIVEN)
    assert (imported.document_sha256, to_dict(imported)["document_sha256"]) == (None, None)
    [(name, record)] = import_files(imported, data).items()
    assert name == f"published-list-{hashlib.sha256(record).hexdigest()[:12]}.toml"
    whole = replace(imported, endorsed=(), kernels=(KernelFacts(b"\1" * 32, "k", b"\2" * 32, append=""),))
    [kernel] = import_files(whole, b"").values()
    assert kernel.startswith(b'# from published-list, published by "https://example/list at abc')
    for broken in (head, head.replace("none", "signature") + origin):
        with pytest.raises(MalformedRecord, match=r"\$.document: without sha256 it has an origin"):
            parse_import(broken + ENDORSED_TABLE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RECORD, "import record: 0 entries, not 1 to"),
        (RECORD.replace("/1", "/2") + FIRMWARE_TABLE, "invalid enum value 'ldcat-import/2'"),
        (RECORD.replace('"x"', '"../x"') + FIRMWARE_TABLE, r"\$.document.form: '../x' is no name of a format"),
        (RECORD.replace("none", "maybe") + FIRMWARE_TABLE, "invalid enum value 'maybe'"),
        (RECORD + FIRMWARE_TABLE + "size = 0\n", "invalid size 0"),
        (RECORD + FIRMWARE_TABLE + "size = 0x5000000\n", "invalid size 83886080"),
        (RECORD + FIRMWARE_TABLE + "weight = 1\n", "unknown field `weight`"),
        (RECORD + FIRMWARE_TABLE + 'sha256 = "AB"\n', r"\$.firmware\[0\].sha256: 'AB'"),
        (RECORD + FIRMWARE_TABLE + 'sections = [{ gpa = 0, size = 1, type = "X" }]\n', "unknown section type 'X'"),
        (RECORD + "[[firmware]]\nsize = 4096\n", "neither sha256, sha384 nor snp_baseline"),
        (
            RECORD + f'[[kernel]]\nkernel_sha256 = "{"1" * 64}"\nappend = ""\nappend_words = ["a"]\n',
            "exclude one another",
        ),
        (RECORD + f'[[kernel]]\nkernel_sha256 = "{"1" * 64}"\nappend_words = ["a\\u0000"]\n', "cannot hold a NUL"),
        (RECORD + ENDORSED_TABLE.replace("sev-snp", "cca"), "'cca' is no technology"),
        (RECORD + ENDORSED_TABLE.replace("sev-snp", "sev"), "launch digest of sev: 48 bytes are not 32"),
        (RECORD + ENDORSED_TABLE.replace("}", ", svn = -1 }"), "svn: -1 is not a number below"),
        (RECORD + ENDORSED_TABLE + "claims = { vcpus = 0 }\n", "cannot have 0 vCPUs"),
        (RECORD + ENDORSED_TABLE + "claims = { policy = 0x10000000000000000 }\n", "policy"),
        (RECORD + ENDORSED_TABLE + 'claims = { igvm_sha256 = "x" }\n', r"\$.endorsed\[0\].claims.igvm_sha256"),
        (RECORD + FIRMWARE_TABLE + 'name = ""\n', "name: 0 characters are not 1 to 1024"),
        (RECORD + KERNEL_TABLE + f'name = "{"x" * 1025}"\n', "name: 1025 characters"),
        (RECORD + BASE_TABLE, "missing required field `vcpus`"),
        (RECORD + BASE_TABLE + "vcpus = 4097\n", "cannot have 4097 vCPUs"),
    ],
)
def test_a_record_that_is_not_exactly_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(MalformedRecord, match=message):
        parse_import(text)


def test_names_and_publisher_are_given_where_the_document_has_none() -> None:
    imported = read_document(made.as_json([made.secretvm_row()]), GIVEN)
    assert imported.said_by(None) is imported
    plain = imported.named(None)
    assert (plain.firmware[0].name, plain.kernels[0].name) == ("secretvm/5a5a5a5a5a5a", "prod/v0.0.25")
    given_one = imported.named("mine")
    assert (given_one.firmware[0].name, given_one.kernels[0].name) == ("mine", "mine/prod/v0.0.25")
    two = [made.secretvm_row(), made.secretvm_row(vm_type="dev", ovmf_hash="a5" * 48)]
    several = read_document(made.as_json(two), GIVEN).named("mine")
    assert [one.name for one in several.firmware] == ["mine/5a5a5a5a5a5a", "mine/a5a5a5a5a5a5"]
    rvps = read_document(made.rvps_file(), GIVEN).said_by("https://example")
    assert (rvps.origin, rvps.endorsed[0].endorser.id) == ("https://example", "https://example")
    corim = read_document(made.corim(), GIVEN).said_by("https://example")
    assert (corim.origin, corim.endorsed[0].endorser.id) == ("https://example", "https://publisher.example")
    contrast = read_document(made.contrast_manifest(), GIVEN).said_by("https://example")
    assert contrast.bases[0].endorser.id == "https://example"


def test_the_comment_that_names_a_document_is_no_part_of_what_it_says() -> None:
    imported = read_document(made.as_json([made.secretvm_row()]), GIVEN).named("mine")
    written = {name: record for name, record in import_files(imported, b"").items() if "/" in name}
    assert written
    for record in written.values():
        first, _, facts = record.partition(b"\n")
        assert first.startswith(b"# from ")
        assert without_comment(record) == facts
        assert without_comment(facts) == facts


def test_a_whole_record_is_written_as_it_is_everywhere_else() -> None:
    build = next(iter(embedded.builds().values()))
    data = build.to_toml().encode()
    [(name, written)] = import_files(read_document(data, GIVEN).named(None), data).items()
    assert FirmwareBuild.parse(written.decode()) == build
    assert name == f"firmware/{build.name.replace('/', '_')}.toml"
    [(name, renamed)] = import_files(read_document(data, GIVEN).named("mine"), data).items()
    assert FirmwareBuild.parse(renamed.decode()) == replace(build, name=f"mine/{build.name}")
    assert name == f"firmware/mine_{build.name.replace('/', '_')}.toml"
    path = next((embedded.data_folder() / "kernel_hashes").glob("*installer*.toml"))
    imported = read_document(path.read_bytes(), GIVEN).named(None).said_by('a "b"\n')
    [(_, kernel)] = import_files(imported, path.read_bytes()).items()
    assert KernelRecord.parse(kernel.decode()) == KernelRecord.parse(path.read_text())
    assert kernel.decode().splitlines()[0].endswith(', published by "a \\"b\\"\\n"')


def test_an_import_record_is_imported_without_its_document() -> None:
    data = made.uvm()
    files = import_files(read_document(data, made.trusted()).named(None), data)
    [record, document] = files
    assert (files[document], document.split("/")[0]) == (data, "documents")
    again = read_document(files[record], GIVEN)
    assert again.notes == ("read from an import record, and its document is not checked again",)
    assert (again.checked, again.recorded) == ("signature", True)
    assert import_files(again.named(None), files[record]) == {record: files[record]}


def test_names_of_files_hold_nothing_but_plain_characters() -> None:
    facts = KernelFacts(b"\1" * 32, "../../etc/\x1b[2J" + "x" * 300, b"\2" * 32, append="")
    dots = replace(facts, name="...")
    imported = Imported("x", b"\3" * 32, kernels=(facts, dots))
    names = list(import_files(imported, b""))
    assert names[0].startswith("kernel_hashes/_.._etc_2Jxxx"), names
    assert (len(names[0].rpartition("/")[2]) <= 125, names[1]) == (True, "kernel_hashes/unnamed.toml")


def test_json_has_null_for_what_is_not_known() -> None:
    facts = to_dict(read_document(made.dstack(), GIVEN))
    [firmware] = facts["firmware"]
    assert (firmware["sha256"], firmware["snp_baseline"]) == (None, DIGEST)
    assert firmware["hashes_area"] == {"gpa": 0x810C00, "size": None}
    assert firmware["sections"][0] == {"gpa": 0x800000, "size": 0x9000, "type": "SNP_SEC_MEM"}
    [endorsed] = to_dict(read_document(made.uvm(), made.trusted()))["endorsed"]
    assert (endorsed["launch_digest"], endorsed["endorser"]["svn"], endorsed["claims"]["vcpus"]) == (DIGEST, 100, None)


def test_the_page_has_every_key_and_every_format() -> None:
    page = (Path(__file__).parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
    record = page.partition("```toml")[2].partition("```")[0]
    wires = [one for one in vars(import_wire).values() if isinstance(one, type) and issubclass(one, Wire)]
    tables = {"document", "firmware", "kernel", "endorsed", "base"}
    keys = {key for wire in wires for key in wire.__struct_fields__} - tables
    assert len(keys) > 30
    assert [key for key in sorted(keys) if f"{key} = " not in record] == []
    assert [name for name in forms() if f"\n| `{name}` |" not in page] == []
