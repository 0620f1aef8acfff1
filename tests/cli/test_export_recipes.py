"""The commands of docs/exports.md that use other programs on exported files: sha256sum, jq, python3 and sed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from base64 import b64decode
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from tests.support.cli import Run
from tests.support.id_block_exports import ID_KEY, key_file, qemu_digest
from tests.support.published_logs import Place

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
CHECKS = re.findall(r"^(?:jq|python3) .*\| sha256sum --check$", PAGE, re.MULTILINE)
ID_BLOCKS = dict(re.findall(r"`(sed -n '[^`]*' (\S+)) \| ldcat lookup -`", PAGE))


def shell(command: str, folder: Path) -> tuple[int, str]:
    program = command.split()[0]
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("LDCAT_REQUIRE_ORACLES") else pytest.skip)(f"{program} is not installed")
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, cwd=folder)
    return done.returncode, done.stdout


@pytest.fixture
def options(place: Place, small: BuildResult, tmp_path: Path) -> tuple[str, ...]:
    """A launch digest and the options with which it is exported; keys are in the current folder."""
    (tmp_path / "id.pem").write_bytes(key_file(ID_KEY).data)
    return qemu_digest(small), "--unenforced", "--launch-unknown", *place.options()


def test_there_are_recipes() -> None:
    assert (len(CHECKS), sorted(ID_BLOCKS.values())) == (2, ["kata.toml", "libvirt.xml", "qemu.args"])


@pytest.mark.parametrize("command", CHECKS, ids=["jq", "python3"])
def test_a_file_is_compared_with_its_sidecar(run: Run, options: tuple[str, ...], tmp_path: Path, command: str) -> None:
    path = tmp_path / "rvps-message.json"
    code, _, err = run("export", "--to", "rvps", *options, "-o", str(path))
    assert code == 0, err
    assert shell(command, tmp_path) == (0, "rvps-message.json: OK\n")
    path.write_bytes(path.read_bytes().replace(b"sample", b"simple"))
    assert shell(command, tmp_path) == (1, "rvps-message.json: FAILED\n")


@pytest.mark.parametrize(("command", "name"), ID_BLOCKS.items(), ids=list(ID_BLOCKS.values()))
def test_an_id_block_is_read_back(run: Run, options: tuple[str, ...], tmp_path: Path, command: str, name: str) -> None:
    kind = {"kata.toml": "kata", "libvirt.xml": "libvirt", "qemu.args": "qemu"}[name]
    key = ("--id-key", str(tmp_path / "id.pem"))
    for one, output in ((kind, name), ("id-block", "id-block")):
        code, _, err = run("export", "--to", one, *options, *key, "-o", str(tmp_path / output))
        assert code == 0, err
    code, out = shell(command, tmp_path)
    assert code == 0
    assert b64decode(out, validate=False) == (tmp_path / "id-block" / "id-block.bin").read_bytes()
