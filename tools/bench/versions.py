"""An installed version of ldcat, and how its commands are run."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Version:
    """An installed version of ldcat. folder: of the catalogs, logs and state that this version itself makes."""

    name: str
    python: Path
    folder: Path

    def command(self, *arguments: object) -> list[str]:
        """Arguments of a process that runs the command `ldcat`."""
        return [str(self.python.with_name("ldcat")), *map(str, arguments)]

    def run(self, *arguments: object, code: int = 0, state: str = "state") -> bytes:
        """Stdout of an ldcat command. Raises SystemExit if it ends with another exit code than `code`."""
        return finished(self.command(*arguments), self.environment(state), code)

    def environment(self, state: str = "state") -> dict[str, str]:
        """Of its processes: nothing that the caller has set for ldcat, and XDG folders below `folder`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LDCAT_", "PYTHON", "XDG_"))}
        homes = {f"XDG_{kind.upper()}_HOME": str(self.folder / kind) for kind in ("cache", "config", "data")}
        return kept | homes | {"XDG_STATE_HOME": str(self.folder / state)}

    def has(self, command: str) -> bool:
        """Whether it has a command; "" is one that each version has."""
        return not command or not subprocess.run([*self.command(command), "--help"], capture_output=True).returncode


def finished(command: list[str], environment: dict[str, str] | None = None, code: int = 0) -> bytes:
    """Stdout of a command. Raises SystemExit if it ends with another exit code than `code`."""
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode != code:
        raise SystemExit(f"bench: {' '.join(command)} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout
