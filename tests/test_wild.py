"""Public launch digests in the default catalog, and the table of `make wild`.

The digests are facts of public documents; their sources are in data/fleets/, data/firmware/ and docs/fleets.md.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from catalog.ask.answer_text import miss_notes
from catalog.build.builder import BuildResult
from tools.wild import Entry, kinds_of, look_up, main, read_corpus, shortfalls, table

PUBLIC = {
    "dstack, a report of 2026": (
        "7f51e17f72a04d5422cb2c00998166536019a217376f3aa45a630e59c805a599847ff250dbffcd07e1ba639771d6f05d",
        "named",
    ),
    "SecretVM, a report": (
        "4f2f8168a6e12c416f24fc0dab99a3eac9403637640d497a781fac269e3e3dc8ac76d2fd2bd8b13b02ec77a7c6002c7b",
        "named",
    ),
    "HyperBEAM, a report with 32 vCPUs": (
        "87a66765a6781512346ecb47511165c26b6da3e729973d9710a0c567c74aa657823af0c162d516f8430054ffa32ec249",
        "named",
    ),
    "EC2 with 4 vCPUs, aws/uefi issue 10": (
        "25ac810f5c4750890fb1a158f097962e04d4d7fb640d1d08a99829cf4a70543a47cc6fb192bbe90aa713142361a66155",
        "named",
    ),
    "GCE with 1 vCPU": (
        "172ce88b7cda0d8aa6ed220f52450accc1edc9e07e71694690f5b833d5caa86621aacfda006d2ff4c615782146aa0e8e",
        "endorsed, related",
    ),
    "GCE with 240 vCPUs": (
        "4d22b390960c310b333d9509701a91ac7b339e6c394cb56fad8edcb7233019506b934125ee7311c345f209ff0ba3426d",
        "endorsed, related",
    ),
    "Oak stage0 with 16 vCPUs": (
        "7401ee84bf03a2fdc2ab0debec3c44b9acd5759fa570c8dec37001206800e22a3a229ae976d125549d04c399c6918369",
        "endorsed, related",
    ),
    "Internet Computer, one of a pair": (
        "9962a9dd8904a77a6d89c4244de44761f496cabe776bce855d20164f39b0b90023f02b4ee1f67e9d376bbd8e1a1b9067",
        "endorsed, related",
    ),
    "Azure UVM, SVN 100": (
        "03fea02823189b25d0623a5c81f97c8ba4d2fbc48c914a55ce525f90454ddcec303743dac2fc013f0846912d1412f6df",
        "endorsed",
    ),
    "Contrast v0.7.1": (
        "73b9805c032589b19b48e4d388307874e5e865ae01960772fa3287a011dd0b8d45cceb677741548892adfc997d6c7a5d",
        "endorsed",
    ),
    "TUM-DSE/CVM_eval, docs/attestation.md": (
        "4af0aa02fe41302d34e508c1f1fff64e6364510360d70095d9582b0de384c20f24cc27bad6c9d0cd5f798d8b13b8e975",
        "reported",
    ),
    "Tinfoil, tests of tinfoil-python": (
        "2dedaee13b84dc618efc73f685b16de46826380a2dd45df15da3dd8badbc9822cadf7bfc7595912c4517ba6fab1b52c0",
        "unexplained",
    ),
}
"""Launch digests by where they were seen, each with what is expected of the default catalog."""


def entries() -> list[Entry]:
    return [
        Entry(name, name.partition(" ")[0], digest, frozenset(expected.split(", ")))
        for name, (digest, expected) in PUBLIC.items()
    ]


def test_public_digests_are_answered_as_expected(default: BuildResult) -> None:
    found = look_up(default.folder, entries())
    assert {entry.name: ", ".join(sorted(kinds_of(reply))) for entry, reply in found} == {
        name: expected for name, (_, expected) in PUBLIC.items()
    }
    assert list(shortfalls(found)) == []
    lines = list(table(found))
    assert re.sub(" {2,}", "  ", lines[-1]) == "all  12  4 of 4  6 of 6  4 of 4  1 of 1  1 of 1"
    (gce,) = (line for line in lines if line.startswith("GCE"))
    assert re.sub(" {2,}", "  ", gce) == "GCE  2  -  2 of 2  2 of 2  -  -"


def test_a_platforms_base_gives_its_other_counts(default: BuildResult) -> None:
    ((_, reply),) = look_up(default.folder, entries()[5:6])
    (row,) = reply.inferred
    assert (row.vmm, row.vcpus, row.to_dict()["base"]["vcpus"]) == ("gce-v1", 240, 1)


def test_a_miss_says_who_was_asked(default: BuildResult) -> None:
    ((_, reply),) = look_up(default.folder, entries()[-1:])
    assert reply.asked == (
        "ContainerPlat-AMD-UVM",
        "Contrast",
        "GCE ovmf_x64_csm",
        "IC GuestOS",
        "Oak stage0",
        "Tinfoil enclaves",
        "github.com/confidential-dot-ai/c8s",
    )
    assert reply.firmware_of == ("aws-ec2", "debian", "dstack", "hyperbeam", "secretvm")
    notes = [note.text for note in miss_notes(reply)]
    assert f"the catalog has rows of firmware from: {', '.join(reply.firmware_of)}" in notes
    assert f"none of its endorsers endorses this digest: {', '.join(reply.asked)}" in notes
    assert reply.to_dict()["asked"] == {"firmware_of": [*reply.firmware_of], "endorsers": [*reply.asked]}


def test_less_than_expected_is_named_and_fails(
    default: BuildResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest, _ = PUBLIC["Azure UVM, SVN 100"]
    line = {"id": "uvm-01", "platform": "Azure", "launch_digest": digest, "expected": "endorsed"}
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps(line) + "\n", encoding="utf-8")
    command = ["--corpus", str(corpus), "--catalog", str(default.folder)]
    assert main(command) == 0
    assert "less than expected" not in capsys.readouterr().out
    corpus.write_text(json.dumps({**line, "expected": "named"}) + "\n", encoding="utf-8")
    assert main(command) == 1
    assert "less than expected: uvm-01: named expected; answered endorsed, exit code 10" in capsys.readouterr().out


def test_quoted_digests_of_a_corpus_are_expected_to_be_reported(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    line = {"platform": "x", "launch_digest": "00" * 48, "expected": "endorsed, related"}
    names = ("hippius-01", "internet-computer-dfinity-09", "google-compute-engine-03")
    corpus.write_text("".join(json.dumps({"id": name, **line}) + "\n" for name in names), encoding="utf-8")
    assert [sorted(entry.expected) for entry in read_corpus(corpus)] == [
        ["reported"],
        ["endorsed"],
        ["endorsed", "related"],
    ]
