"""What this machine found in compressed volumes is found again without unpacking them."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.fast.beneath import Shared
from catalog.firmware.blob_verifier import Enforced
from catalog.state import known_volumes
from catalog.state.known_volumes import enforced_by
from tests.support.firmware_builder import build_ovmf, packed_volume, volume_contents

YES = build_ovmf(volume=packed_volume(volume_contents(verifier=True)))
NO = build_ovmf(volume=packed_volume(volume_contents(verifier=False)))
UNKNOWN = build_ovmf(volume=packed_volume(volume_contents(verifier=True), cut=400))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/ldcat"


def test_a_verdict_is_remembered(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [enforced_by(image) for image in (YES, NO, UNKNOWN)] == [Enforced.YES, Enforced.NO, Enforced.UNKNOWN]
    assert sorted(path.name.partition("-")[2] for path in (state / "enforced").iterdir()) == ["no", "yes"]
    monkeypatch.setattr(known_volumes, "enforcement_in", None)
    assert [enforced_by(image) for image in (YES, NO)] == [Enforced.YES, Enforced.NO]


def test_what_lies_around_the_volumes_does_not_matter(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enforced_by(YES)
    monkeypatch.setattr(known_volumes, "enforcement_in", None)
    assert enforced_by(bytes(4096) + YES) is Enforced.YES
    with pytest.raises(TypeError):
        enforced_by(build_ovmf(volume=packed_volume(volume_contents(verifier=True, at=99))))


def test_a_file_that_others_can_write_is_refused(state: Path) -> None:
    enforced_by(NO)
    (kept,) = (state / "enforced").iterdir()
    kept.chmod(0o666)
    with pytest.raises(Shared):
        enforced_by(NO)


def test_without_a_home_nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_volumes, "state_home", lambda: None)
    assert enforced_by(YES) is Enforced.YES
