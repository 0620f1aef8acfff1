"""An ldcat that finds only what a slim install has: one process, which runs any number of command lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from packaging.requirements import Requirement

from tools.slim import is_slim, slim_settings

ROOT = Path(__file__).parent.parent.parent
_THEIRS = {"cffi": ("cffi", "_cffi_backend", "pycparser"), "backports.zstd": ("backports",)}

_PROGRAM = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import PathFinder

allowed, left_out, ours = set(sys.argv[1].split()), tuple(sys.argv[2].split()), sys.argv[3]

class Slim(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        found = super().find_spec(name, path, target)
        where = (found and (found.origin or list(found.submodule_search_locations or [""])[0])) or ""
        hidden = "site-packages" in where and name.partition(".")[0] not in allowed
        hidden |= f"{name}.".startswith(left_out)
        return None if hidden else found

sys.meta_path[:] = [Slim if one is PathFinder else one for one in sys.meta_path if "__editable__" not in repr(one)]
sys.path.insert(0, ours)
from catalog.cli.main import run

for line in sys.stdin:
    asked, before = json.loads(line), dict(os.environ)
    os.environ.update(asked["environment"])
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = run(asked["arguments"])
    print(json.dumps([code, *(one.buffer.getvalue().decode() for one in (out, err))]), flush=True)
    os.environ.clear()
    os.environ.update(before)
"""


class SlimInstall:
    """Runs command lines; each gives exit code, stdout and stderr."""

    def __init__(self, asked: IO[str], answers: IO[str]) -> None:
        self._asked, self._answers = asked, answers

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        self._asked.write(json.dumps({"arguments": arguments, "environment": environment}) + "\n")
        self._asked.flush()
        code, out, err = json.loads(self._answers.readline())
        return code, out, err


@contextmanager
def slim_install(home: Path) -> Iterator[SlimInstall]:
    """home: where it keeps its state."""
    names = [Requirement(one).name for one in slim_settings()["dependencies"]]
    code = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "catalog").rglob("*.py")]
    left_out = [f"{name.removesuffix('.__init__')}." for name in code if not is_slim(name)]
    allowed = [top for name in names for top in _THEIRS.get(name, (name,))]
    command = [sys.executable, "-c", _PROGRAM, " ".join(allowed), " ".join(left_out), str(ROOT)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LDCAT_", "PYTHON"))}
    homes = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("STATE", "CACHE", "DATA")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=home, env={**environment, **homes}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield SlimInstall(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait(60)
