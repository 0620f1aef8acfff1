"""ExportFormat: what a file in formats/ defines; and all formats by name, found as technologies are."""

from __future__ import annotations

import pkgutil
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from catalog.errors import UnknownName, UsageError
from catalog.export import formats as folder
from catalog.export.exported import SEV_SNP, TECHNOLOGIES, Export, ExportFile
from catalog.notes import Note

MOST_FILES = 100_000
"""Files of an export, all of which its sidecar names."""

_NAME = re.compile("[a-z0-9-]{1,32}")


class Readers(StrEnum):
    """Who reads formats, in the order in which they are offered."""

    VERIFIERS = "Key brokers and verifiers"
    LAUNCHERS = "Hosts, with a signed ID block"
    PLATFORMS = "Platforms that have a manifest of their own"


class ExportFormat(ABC):
    """A format that another system accepts launch digests in.

    Equal input gives equal bytes, but for signatures of RSA-PSS, whose salt the library draws.
    """

    name: ClassVar[str]
    """Of `ldcat export --to`: lower-case letters, digits and hyphens."""
    title: ClassVar[str]
    """One line for people: what it is, and who reads it."""
    readers: ClassVar[Readers] = Readers.PLATFORMS
    """The group that it is offered in."""
    file_name: ClassVar[str]
    """Usual name of its file, or of its folder."""
    settings: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields of Settings that it takes; others are refused."""
    required: ClassVar[frozenset[str]] = frozenset()
    """Those of them that have to be given."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Values of settings that are not given, by name, or by name and technology; `valid_from` has that of its source
    (validity.py).
    """
    one_of: ClassVar[Sequence[str]] = ()
    """Those of which one has to be given, the usual one first."""
    technologies: ClassVar[frozenset[str]] = frozenset({SEV_SNP})
    """Those whose launch digests its reader knows."""
    why_no_other: ClassVar[str] = ""
    """Why it takes no launch digests of other technologies, as the end of a sentence."""
    depends_on: ClassVar[frozenset[str]] = frozenset()
    """What its refusals and warnings depend on, for a row of known firmware: `firmware`, `kernel_hashes`, `vmm`."""
    takes_updates: ClassVar[bool] = False
    """Whether its consumer replaces a list of values, so that `--diff` makes sense."""
    is_folder: ClassVar[bool] = False
    """Whether it always is several files, and never standard output."""
    artifact_type: ClassVar[str | None] = None
    """Type of the OCI artifact that its files are layers of (oci_artifact.py writes it); None: they are plain files."""
    is_binary: ClassVar[bool] = False
    """Whether a terminal cannot show it."""
    file_ending: ClassVar[str] = ""
    """What the name of a file has to end with, because its reader decides by that how to read it."""

    @abstractmethod
    def files(self, export: Export) -> Sequence[ExportFile]:
        """The files of an export. Raises UsageError for rows or settings that the format has no place for."""

    def check_technology(self, export: Export) -> None:
        """Raises UsageError for launch digests of a technology that its reader does not know."""
        if export.technology not in self.technologies:
            others = [name for name, one in export_formats().items() if export.technology in one.technologies]
            raise UsageError(
                f"{self.name} takes no launch digests of {TECHNOLOGIES[export.technology]}: {self.why_no_other}",
                f"formats that do: {', '.join(others)}",
            )

    def check_rows(self, export: Export) -> None:
        """Raises UsageError for rows that the format has no place for, as `files` does; settings may be missing."""
        if not self.required:
            self.files(export)

    def notes(self, export: Export) -> Sequence[Note]:  # noqa: ARG002
        """What whoever uses the files has to know."""
        return ()


@cache
def export_formats() -> Mapping[str, ExportFormat]:
    """All formats by name, sorted: the constant FORMAT of each module in formats/ whose name does not begin with `_`.

    Raises TypeError if one has an invalid name, or the name of another one.
    """
    found: dict[str, ExportFormat] = {}
    names = (info.name for info in pkgutil.iter_modules(folder.__path__) if not info.name.startswith("_"))
    for name in names:
        one: ExportFormat = import_module(f"{folder.__name__}.{name}").FORMAT
        if _NAME.fullmatch(one.name) is None or one.name in found:
            raise TypeError(f"{name}.py: {one.name!r} is no name of a format, or is the name of another one")
        found[one.name] = one
    return dict(sorted(found.items()))


def export_format_named(name: str) -> ExportFormat:
    """The format of that name; raises UnknownName."""
    if name not in export_formats():
        raise UnknownName("export format", name, export_formats())
    return export_formats()[name]
