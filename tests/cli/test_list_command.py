"""`ldcat list`, and hints that name it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.manuals.listings import Listed, names_of
from catalog.errors import UnknownName
from catalog.export.export_format import export_formats
from catalog.spec import embedded
from tests.support.cli import Run

EMBEDDED = {
    Listed.BUILDS: embedded.builds(),
    Listed.KERNELS: embedded.kernels(),
    Listed.VMMS: {**embedded.profiles(), **embedded.loaders()},
    Listed.VCPU_TYPES: embedded.vcpu_types().by_name,
    Listed.FLEETS: embedded.fleets(),
    Listed.EXPORT_FORMATS: export_formats(),
}


@pytest.mark.parametrize("kind", Listed)
def test_every_embedded_name_is_listed_in_every_format(run: Run, monkeypatch: pytest.MonkeyPatch, kind: Listed) -> None:
    monkeypatch.delenv("LDCAT_CATALOG")
    names = sorted(EMBEDDED[kind])
    assert names_of(kind) == names
    code, out, err = run("list", kind, "-f", "json")
    assert (code, err) == (0, "")
    rows = json.loads(out)
    assert [row["name"] for row in rows] == names
    assert [json.loads(line) for line in run("list", kind, "-f", "jsonl")[1].splitlines()] == rows
    read = list(csv.DictReader(io.StringIO(run("list", kind, "-f", "csv")[1])))
    assert read == [{key: "" if value is None else value for key, value in row.items()} for row in rows]
    shown = run("list", kind)[1]
    assert {*names} <= {*shown.replace("\n", " ").split(" ")}


def test_a_row_says_what_the_name_is_for(run: Run) -> None:
    rows = {row["name"]: row for kind in Listed for row in json.loads(run("list", kind, "-f", "json")[1])}
    assert rows["EPYC-Milan"] == {"name": "EPYC-Milan", "vcpu_signature": "0x00a00f11"}
    assert rows["qemu-kvm-init2"]["technologies"] == "sev-es sev-snp"
    assert rows["sid/ovmf-amdsev/OVMF.amdsev.fd"]["package"] == "ovmf-amdsev"
    assert rows["aws-ec2"]["form"] == "published-list"


def test_builds_of_a_catalog_are_listed_with_the_embedded_ones(run: Run, small: BuildResult) -> None:
    rows = json.loads(run("list", "builds", "--catalog", str(small.folder), "-f", "json")[1])
    names = {row["name"] for row in rows}
    assert set(embedded.builds()) < names


def test_nothing_is_verified_where_no_catalog_is_read(run: Run) -> None:
    code, _, err = run("list", "vmms", "--insecure-skip-verify")
    assert (code, err.splitlines()[-1]) == (2, "ldcat: hint: ldcat list vmms")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("measure", "@", "-t", "sev"), "builds"),
        (("vmsa", "build", "--vmm", "qemu-kvm-init2", "--vcpu-type", "@"), "vcpu-types"),
    ],
)
def test_a_hint_that_does_not_list_all_names_how_to(run: Run, arguments: tuple[str, ...], kind: str) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert err.endswith(f" more; all: ldcat list {kind}\n")
    assert len(err.splitlines()[-1]) <= 200


def test_a_hint_that_lists_all_names_nothing_else() -> None:
    assert UnknownName("VMM profile", "@", ["one", "two"]).hint == "known: one, two"
    assert UnknownName("VMM profile", "ones", ["one", "two"]).hint == "nearest: one; all: ldcat list vmms"
    assert UnknownName("role", "@", [f"a-name-of-some-length-{n}" for n in range(9)]).hint == (
        "known: " + ", ".join(f"a-name-of-some-length-{n}" for n in range(5)) + " and 4 more"
    )
    assert UnknownName("role", "@", []).hint == "no role is known here"
