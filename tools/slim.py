"""The wheel of ldcat-slim, made from that of ldcat: lookups and verified proofs, with few dependencies."""

from __future__ import annotations

import base64
import hashlib
import tomllib
import zipfile
from functools import cache
from pathlib import Path

from catalog.state.missing_packages import SLIM
from tools.sbom import ROOT

MOST_BYTES = 30_000_000
"""Of an environment with ldcat-slim and what it needs, without pip."""

_FULL, _NAME = "ldcat", SLIM.replace("-", "_")
_COMMANDS = "catalog.cli.commands"


def slim_wheel(wheel: Path, out: Path) -> Path:
    """Write the wheel of ldcat-slim that belongs to one of ldcat; the same bytes from the same wheel."""
    made = out / wheel.name.replace(f"{_FULL}-", f"{_NAME}-", 1)
    record = ""
    with zipfile.ZipFile(wheel) as read, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as written:
        for entry in read.infolist():
            module = entry.filename.removesuffix(".py").replace("/", ".")
            if not is_slim(module) or _is_manual_of_others(entry.filename):
                continue
            data = read.read(entry)
            folder, _, rest = entry.filename.partition("/")
            if folder.startswith(f"{_FULL}-"):  # of metadata and scripts
                entry.filename = f"{folder.replace(_FULL, _NAME, 1)}/{rest}"
            if rest == "METADATA":
                data = slim_metadata(data.decode("utf-8")).encode("utf-8")
            if rest == "RECORD":  # the last file
                data = f"{record}{entry.filename},,\n".encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
            record += f"{entry.filename},sha256={digest},{len(data)}\n"
            written.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return made


def is_slim(name: str) -> bool:
    """Whether a module of ldcat, or a file named like one, is in ldcat-slim."""
    settings = slim_settings()
    if any(f"{name}.".startswith(f"{room}.") for room in settings["left-out"]):
        return False
    room, _, command = name.rpartition(".")
    return room != _COMMANDS or command in (*settings["commands"], "__init__")


def _is_manual_of_others(file: str) -> bool:
    """Whether a file is the man page of a command that ldcat-slim does not have."""
    folder, _, page = file.rpartition("/man1/ldcat-")
    return bool(folder) and page.removesuffix(".1").replace("-", "_") not in slim_settings()["commands"]


def slim_metadata(text: str) -> str:
    """The metadata of ldcat-slim, which has no extras."""
    head, blank, rest = text.partition("\n\n")
    kept = [
        line for line in head.splitlines() if not line.startswith(("Name: ", "Requires-Dist: ", "Provides-Extra: "))
    ]
    needed = [f"Requires-Dist: {one}" for one in slim_settings()["dependencies"]]
    return "\n".join([kept[0], f"Name: {SLIM}", *kept[1:], *needed]) + blank + rest


@cache
def slim_settings() -> dict[str, list[str]]:
    """Of pyproject.toml: `dependencies`; `commands`, and rooms that are `left-out`, as modules."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = project["tool"]["ldcat"]["slim"]
    return found
