"""The unit and the container file of docs/deploy: as far as they can be run without systemd and without an engine."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.release.build import Built
from tests.query.test_diff import rows_of
from tests.web.services import ROOT, Place, service

DEPLOY = ROOT / "docs/deploy"
UNIT = DEPLOY / "ldcat-serve.service"


def test_the_unit_is_one(tmp_path: Path) -> None:
    """With a program where it expects it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/ldcat/bin/ldcat", "/bin/true"))
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_the_unit_is_confined() -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    unit = parser["Service"]
    assert unit["DynamicUser"] == unit["NoNewPrivileges"] == unit["MemoryDenyWriteExecute"] == "yes"
    assert unit["ProtectSystem"] == "strict"
    assert unit["CapabilityBoundingSet"] == ""


def test_the_image_runs_as_nobody_and_its_arguments_are_understood(place: Place, tmp_path: Path) -> None:
    lines = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text()).splitlines()
    steps = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    second = steps[max(at for at, step in enumerate(steps) if step[0] == "FROM") :]
    user = second.index(["USER", "65532:65532"])
    assert not [step for step in second[user + 1 :] if step[0] in ("USER", "RUN", "COPY")]
    entry, command = (json.loads(dict(second)[name]) for name in ("ENTRYPOINT", "CMD"))
    assert entry[0] == "ldcat"
    assert "/readyz" in dict(second)["HEALTHCHECK"]
    there = {"/srv/ldcat/log": place.log, "/etc/ldcat/trust.note": place.trust}
    assert entry[1:3] == ["serve", "--listen"]
    with service(tmp_path, *(there.get(word, word) for word in command)) as served:
        assert served.json("/readyz")["verified"]


CONFINED = """
import ctypes, os, sys
home = {home!r}
libc = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result:
        raise OSError(ctypes.get_errno(), "cannot be confined")
check(libc.unshare(0x00020000))                                        # CLONE_NEWNS
check(libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None))         # MS_REC | MS_PRIVATE
check(libc.mount(home.encode(), home.encode(), None, 0x1000, None))    # MS_BIND: its state
check(libc.mount(b"none", b"/", None, 0x20 | 0x1000 | 1, None))        # MS_REMOUNT | MS_BIND | MS_RDONLY
os.setgroups([])
if {nobody}:
    os.setgid(65532)
    os.setuid(65532)
check(libc.prctl(38, 1, 0, 0, 0))                                      # PR_SET_NO_NEW_PRIVS
libc.prctl(65, 1, 0, 0, 0)                                             # PR_SET_MDWE, since Linux 6.3
try:
    open("/written", "w")
    raise SystemExit("the root can be written to")
except OSError:
    pass
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up what it has")
def test_it_serves_as_nobody_below_a_root_that_is_read_only(small: Built, tmp_path: Path) -> None:
    place_folder, home = tmp_path / "place", tmp_path / "home"
    place_folder.mkdir()
    home.mkdir()
    place = Place(place_folder, small)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    nobody = all(folder.stat().st_mode & 1 for folder in Path(sys.base_prefix, "lib").resolve().parents)
    os.chown(home, 65532 if nobody else 0, -1)
    prelude = CONFINED.format(home=str(home), nobody=nobody)
    with service(home, place.log, "--trust", place.trust, prelude=prelude) as served:
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{served.process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert status["NoNewPrivs"] == "1"
        if nobody:  # else Python itself can be read by root alone
            assert (status["Uid"].split()[0], int(status["CapEff"], 16)) == ("65532", 0)
        digest = next(digest.hex() for digest in rows_of(small).values())
        assert served.json(f"/d/{digest}.json")["found"]
        assert served.json("/readyz")["verified"]
        assert served.ask("/range/1/0")[0] == 200
        assert served.stop() == 0
