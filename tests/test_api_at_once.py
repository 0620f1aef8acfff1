"""The first lookup in a Release: it says what every later one says, and loads no large library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog import Release
from catalog.abi.digest import LaunchDigest
from catalog.api.evidence_inputs import EvidenceInput
from catalog.api.opened import Opened
from catalog.build.builder import BuildResult
from catalog.errors import MalformedInput, VerificationFailed
from tests.support.attestation_builder import report_bytes
from tests.support.catalogs import digest_of
from tests.support.published_logs import Place

ROOT = Path(__file__).parent.parent
HEAVY = {"dataclasses", "json", "logging", "msgspec", "pathlib", "pyarrow", "re", "typing", "catalog.store"}


def inputs(built: BuildResult) -> list[EvidenceInput]:
    snp, sev = digest_of(built, "sev-snp"), digest_of(built, "sev")
    report = report_bytes(measurement=bytes.fromhex(snp))
    given: list[EvidenceInput] = [snp, sev, bytes.fromhex(snp), f"0x{sev}", report, report.hex(), "0" * 96, bytes(32)]
    return [*given, LaunchDigest(bytes.fromhex(snp))]


def test_the_first_answer_is_that_of_later_ones(place: Place, small: BuildResult) -> None:
    for where, trust in ((place.log, place.trust), (small.folder, None)):
        Release.open(where, trust).close()  # a release is verified once
        for given in inputs(small):
            with Release.open(where, trust) as release:
                first, second = (release.lookup(given) for _ in range(2))
            assert first.to_dict() == second.to_dict()
            assert str(first) == str(second)


def test_the_release_is_the_same_before_and_after_it_is_open_as_a_whole(place: Place, small: BuildResult) -> None:
    Release.open(place.log, place.trust).close()
    with Release.open(place.log, place.trust) as release:
        before = (release.place, release.origin, release.number, release.verified, release.fresh_until, repr(release))
        assert before[0] == f"{place.log}/releases/1"
        assert release.prove(digest_of(small, "sev-snp"))
        after = (release.place, release.origin, release.number, release.verified, release.fresh_until, repr(release))
    assert before == after


def test_what_is_not_verified_yet_is_not_open_at_once(place: Place, small: BuildResult) -> None:
    assert Opened.at_once(str(place.log), str(place.trust)) is None
    Release.open(place.log, place.trust).close()
    opened = Opened.at_once(str(place.log), str(place.trust))
    assert opened
    opened.close()
    for where, trust in (
        (str(place.log), ""),
        (str(small.folder), str(place.trust)),
        (f"/{small.folder}", ""),
        ("https://example.com/log", ""),
        ("nowhere", ""),
    ):
        assert Opened.at_once(where, trust) is None


@pytest.mark.parametrize("given", ["", "zz", "00", b"1"])
def test_evidence_in_no_form_is_refused(given: EvidenceInput, small: BuildResult) -> None:
    with Release.open(small.folder) as release, pytest.raises(MalformedInput):
        release.lookup(given)


def test_a_catalog_that_was_replaced_is_not_taken_for_the_one_that_was_opened(
    small: BuildResult, tmp_path: Path
) -> None:
    shutil.copytree(small.folder, tmp_path / "catalog")
    with Release.open(tmp_path / "catalog") as release:
        assert release.lookup(digest_of(small, "sev-snp"))
        manifest = tmp_path / "catalog/manifest.json"
        manifest.write_bytes(manifest.read_bytes() + b"\n")
        with pytest.raises(VerificationFailed, match="another catalog than when it was opened"):
            release.lookup(digest_of(small, "sev-snp"))


def test_the_current_folder_may_change(small: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.folder.parent)
    with Release.open(small.folder.name) as release:
        monkeypatch.chdir(tmp_path)
        for _ in range(3):
            assert release.lookup(digest_of(small, "sev-snp"))
        assert release.place == small.folder.name


def test_no_large_library_is_loaded(small: BuildResult) -> None:
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "before = set(sys.modules)\n"
        "from catalog import Release\n"
        f"with Release.open({str(small.folder)!r}) as release:\n"
        f"    assert release.lookup({digest_of(small, 'sev-snp')!r})\n"
        "print(*set(sys.modules) - before)\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY
