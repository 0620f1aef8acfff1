"""Options of `explain` that give candidates: firmware, kernels, initrds and command lines to try."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from catalog.cli.declare.declared import Option
from catalog.cli.options import named_path
from catalog.explain.baseline import KnownInputs, collect_known
from catalog.store.catalog import Catalog

_CANDIDATES = "Candidates to try, in addition to the known ones"

FirmwareOption = Annotated[
    list[str] | None,
    Option(metavar="FILE|NAME", help="Firmware to try. May be repeated.", rich_help_panel=_CANDIDATES),
]
KernelFilesOption = Annotated[
    list[Path] | None,
    Option(
        parser=named_path,
        metavar="FILE|DIR",
        help="Kernel, or folder of kernels, to try. May be repeated.",
        rich_help_panel=_CANDIDATES,
    ),
]
InitrdFilesOption = Annotated[
    list[Path] | None,
    Option(
        parser=named_path,
        metavar="FILE|DIR",
        help="Initrd, or folder of initrds, to try. May be repeated.",
        rich_help_panel=_CANDIDATES,
    ),
]
CmdlinesOption = Annotated[
    list[str] | None,
    Option(metavar="TEXT", help="Kernel command line to try. May be repeated.", rich_help_panel=_CANDIDATES),
]


def known_inputs(
    opened: Catalog | None,
    firmware: Sequence[str] | None,
    kernels: Sequence[Path] | None,
    initrds: Sequence[Path] | None,
    appends: Sequence[str] | None,
) -> KnownInputs:
    """What is tried: what was given, and what the catalog has."""
    return collect_known(
        opened, firmware=firmware or (), kernels=kernels or (), initrds=initrds or (), appends=appends or ()
    )
