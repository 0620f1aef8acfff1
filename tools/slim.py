"""The wheel of ldcat-slim, made from that of ldcat: the same files, and few dependencies (docs/adr/0053)."""

from __future__ import annotations

import base64
import hashlib
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

from catalog.state.missing_packages import SLIM
from tools.sbom import ROOT

MOST_BYTES = 30_000_000
"""Of an environment with ldcat-slim and what it needs, without pip."""

_FULL, _NAME = "ldcat", SLIM.replace("-", "_")


def slim_wheel(wheel: Path, out: Path) -> Path:
    """Write the wheel of ldcat-slim that belongs to one of ldcat; the same bytes from the same wheel."""
    made = out / wheel.name.replace(f"{_FULL}-", f"{_NAME}-", 1)
    record = ""
    with zipfile.ZipFile(wheel) as read, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as written:
        for entry in read.infolist():
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


def slim_metadata(text: str) -> str:
    """The metadata of ldcat-slim: what ldcat needs in addition is the extra `full`."""
    head, blank, rest = text.partition("\n\n")
    return "\n".join(_slim_lines(head.splitlines())) + blank + rest


def _slim_lines(lines: Iterable[str]) -> Iterator[str]:
    kept = {Requirement(one).name: one for one in slim_requirements()}
    for line in lines:
        name, _, value = line.partition(": ")
        requirement = Requirement(value) if name == "Requires-Dist" else None
        if name == "Name":
            yield f"Name: {SLIM}"
        elif requirement and requirement.marker is None and requirement.name not in kept:
            yield f'{line}; extra == "full"'
        elif not (requirement and requirement.marker is None):
            yield line
    yield from (f"Requires-Dist: {one}" for one in kept.values())
    yield "Provides-Extra: full"


def slim_requirements() -> list[str]:
    """What ldcat-slim needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[str] = project["tool"]["ldcat"]["slim"]
    return found
