"""Evidence is read from a file, or is the text itself; the name of a file that is not there is neither."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from catalog.ask.evidence_files import read_digests, read_evidence
from catalog.errors import Unreadable

DIGEST = "5e" * 48


@pytest.mark.parametrize(
    "name",
    [
        f"reports/{DIGEST}.bin",
        f"{DIGEST}.bin",
        f"./{DIGEST}",
        f"../{DIGEST}",
        f"/{DIGEST}",
        f"~/{DIGEST}",
        f"/my reports/{DIGEST}.bin",
        f"report-{DIGEST}.json",
        f"https://example.com/{DIGEST}",
    ],
)
def test_a_digest_in_the_name_of_a_missing_file_is_no_evidence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for read in (read_evidence, read_digests):
        with pytest.raises(Unreadable, match="no such file"):
            read(name, io.BytesIO())


@pytest.mark.parametrize(
    "text", [f"the digest is {DIGEST}.", f"measurement = {DIGEST}", f"see /reports/1.bin: {DIGEST}", f"digest={DIGEST}"]
)
def test_a_digest_in_a_sentence_is_evidence(text: str) -> None:
    found = read_evidence(text, io.BytesIO())
    assert (found.digest.hex(), found.claimed_by) == (DIGEST, "a text")
