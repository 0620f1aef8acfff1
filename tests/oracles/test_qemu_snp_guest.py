"""Against QEMU 9.1 or later: it makes the object of an exported line, and says back what it read; no SEV is needed.

Debian's stable releases have an older QEMU. With LDCAT_SLOW_ORACLES=1 that of sid is downloaded, with its C library:
42 MB.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from catalog.abi.kernel_hashes import KernelHashes
from tests.oracles.debian_sid import unpack_from_sid
from tests.oracles.go_programs import unavailable
from tests.support.id_block_exports import AUTHOR_KEY, HASHES, id_block_export, key_file, launch, written

PROGRAM, FIRST = "qemu-system-x86_64", (9, 1)
PROPERTIES = ("policy", "kernel-hashes", "id-block", "id-auth", "author-key-enabled", "cbitpos", "reduced-phys-bits")


@pytest.fixture(scope="session")
def qemu(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str | Path]:
    """The command that runs QEMU."""
    if shutil.which(PROGRAM):
        shown = subprocess.run([PROGRAM, "--version"], capture_output=True, check=True, text=True).stdout
        if tuple(map(int, re.findall(r"\d+", shown)[:2])) >= FIRST:
            return [PROGRAM]
    if os.environ.get("LDCAT_SLOW_ORACLES") != "1":
        pytest.skip("QEMU 9.1 is not installed; LDCAT_SLOW_ORACLES=1 downloads it from Debian sid")
    folder = tmp_path_factory.mktemp("qemu")
    if problem := unpack_from_sid(folder, ("qemu-system-x86",), with_dependencies=True):
        unavailable(problem)
    usr = folder / "unpacked/usr"
    (library,) = usr.glob("lib/*/libc.so.6")
    loader = usr / "lib64/ld-linux-x86-64.so.2"
    return [loader, "--library-path", library.parent, usr / "bin" / PROGRAM, "-L", usr / "share/qemu"]


def started(command: Sequence[str | Path], line: str) -> tuple[dict[str, Any], str]:
    """The properties of the object that QEMU made of a line, and what it wrote as errors."""
    asked: list[dict[str, Any]] = [{"execute": "qmp_capabilities"}]
    asked += [
        {"execute": "qom-get", "arguments": {"path": "/objects/sev0", "property": name}, "id": name}
        for name in PROPERTIES
    ]
    asked.append({"execute": "quit"})
    options = ["-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"]
    questions = "".join(json.dumps(one) + "\n" for one in asked)
    done = subprocess.run(
        [*command, *options, *line.split()], input=questions, capture_output=True, text=True, timeout=60
    )
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    return {one["id"]: one["return"] for one in answers if "id" in one and "return" in one}, done.stderr


@pytest.mark.parametrize("author", [False, True])
@pytest.mark.parametrize("hashes", [None, HASHES])
def test_the_object_is_made_of_an_exported_line(
    qemu: Sequence[str | Path], author: bool, hashes: KernelHashes | None
) -> None:
    export = id_block_export(
        launch(kernel_hashes=hashes), author_key=key_file(AUTHOR_KEY) if author else None, policy=0x3001F
    )
    line = written("qemu", export)["qemu.args"].decode()
    found, errors = started(qemu, line)
    assert errors == ""
    said = dict(part.split("=", 1) for part in line.strip().split(",")[1:])
    assert found == {
        "policy": 0x3001F,
        "kernel-hashes": hashes is not None,
        "id-block": said["id-block"],
        "id-auth": said["id-auth"],
        "author-key-enabled": author,
        "cbitpos": 51,
        "reduced-phys-bits": 1,
    }


def test_a_shorter_id_block_is_refused(qemu: Sequence[str | Path]) -> None:
    line = written("qemu", id_block_export())["qemu.args"].decode()
    block = line.partition(",id-block=")[2].partition(",")[0]
    found, errors = started(qemu, line.replace(block, block[4:]))
    assert found == {}
    assert "parameter length of 93 not equal to 96" in errors
