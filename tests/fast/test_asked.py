"""When a host was asked last: two clocks decide, and nobody else may write it down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.fast import asked
from catalog.fast.asked import Asked, CheckpointAge, Moment
from catalog.fast.beneath import Shared

THEN = Moment("a boot", 1000.0, 1_800_000_000.0)
LOCATION = "https://example.com/log"


def after(running: float, wall: float, boot: str = "a boot") -> CheckpointAge:
    return CheckpointAge(300, Moment(boot, THEN.running + running, THEN.wall + wall))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    (state / "asked").mkdir(parents=True, mode=0o700)
    state.chmod(0o700)
    memory = Asked(str(state), LOCATION)
    (state / memory.name).write_bytes(memory.text(b"a checkpoint", THEN))
    (state / memory.name).chmod(0o600)
    return state


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (after(0, 0), True),
        (after(299.5, 300), True),
        (after(301, 299), False),
        (after(299, 301), False),  # the wall clock was set ahead
        (after(86_400, 100), False),  # it was set back, to shortly after
        (after(100, -1), False),  # it was set back, to before
        (after(-1, 10), False),
        (after(10, 10, "another boot"), False),
        (after(10, 10, ""), False),
        (CheckpointAge(-1, THEN), False),
    ],
)
def test_both_clocks_decide(state: Path, age: CheckpointAge, expected: bool) -> None:
    assert Asked(str(state), LOCATION).is_recent(b"a checkpoint", age) is expected


def test_it_is_of_one_location_and_one_checkpoint(state: Path) -> None:
    assert not Asked(str(state), LOCATION).is_recent(b"another checkpoint", after(1, 1))
    assert not Asked(str(state), f"{LOCATION}/releases/1").is_recent(b"a checkpoint", after(1, 1))
    assert not Asked(str(state / "nothing"), LOCATION).is_recent(b"a checkpoint", after(1, 1))


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1], lambda text: text + "\n", lambda text: text.replace("/1", "/2")]
)
@pytest.mark.parametrize("number", ["x", "nan", "inf", "-inf", "1e999", ""])
def test_a_damaged_file_is_of_no_time(state: Path, number: str, change: Callable[[str], str]) -> None:
    memory = Asked(str(state), LOCATION)
    file = state / memory.name
    text = file.read_text()
    file.write_text(change(text))
    assert not memory.is_recent(b"a checkpoint", after(1, 1))
    for part in ("1000.0", "1800000000.0"):
        file.write_text(text.replace(part, number))
        assert not memory.is_recent(b"a checkpoint", after(1, 1))
    file.write_bytes(b"\xff" * 10_000)
    assert not memory.is_recent(b"a checkpoint", after(1, 1))


def test_a_file_that_others_can_write_is_refused(state: Path) -> None:
    memory = Asked(str(state), LOCATION)
    for path in (state / memory.name, state / "asked"):
        path.chmod(0o777)
        with pytest.raises(Shared):
            memory.is_recent(b"a checkpoint", after(1, 1))
        path.chmod(0o700)


def test_a_boot_that_has_no_name_makes_nothing_recent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = Moment.now()
    assert now.boot
    assert Moment.now().is_within(60, now)
    monkeypatch.setattr(asked, "_BOOT_ID", str(tmp_path / "nothing"))
    assert not Moment.now().is_within(60, Moment.now())
