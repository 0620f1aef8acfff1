"""A copy of the package with additional files, and the commands run with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_DRIVER = """
import io, json, sys
from catalog.cli.main import run
from catalog.fast.plain_lookup import plain_lookup

done, streams = [], (sys.stdout, sys.stderr)
for arguments in json.load(sys.stdin):
    if arguments[0] == "plain-lookup":
        out, err, code = plain_lookup(arguments[1:]) or ("", "", None)
    else:
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in streams)
        code = run(arguments)
        out, err = (stream.buffer.getvalue().decode() for stream in (sys.stdout, sys.stderr))
        sys.stdout, sys.stderr = streams
    done.append((code, out, err))
json.dump(done, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a command."""

    code: int | None
    out: str
    err: str

    @property
    def record(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of catalog/ and data/ in a folder of its own; commands run in the folder above it."""

    root: Path

    @classmethod
    def with_files(cls, root: Path, files: Mapping[str, str]) -> Copy:
        """A copy with new files, by path; none replaces an existing file."""
        for name in ("catalog", "data"):
            shutil.copytree(ROOT / name, root / name)  # including the compiled modules
        for path, text in files.items():
            with (root / path).open("x", encoding="utf-8") as file:
                file.write(text)
        return cls(root)

    def run(self, *steps: Sequence[object]) -> list[Done]:
        """Runs commands one after the other in one process; `plain-lookup` is a lookup on the fast path only."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LDCAT_")}
        home = str(self.root.parent)
        environment |= {"PYTHONPATH": str(self.root), "HOME": home, "COLUMNS": "200"}
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            environment.pop(name, None)
        done = subprocess.run(
            [sys.executable, "-c", _DRIVER],
            input=json.dumps([[str(word) for word in step] for step in steps]),
            capture_output=True,
            text=True,
            cwd=self.root.parent,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [Done(*each) for each in json.loads(done.stdout)]
