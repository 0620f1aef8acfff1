"""Options of `explain`: what is expected, an event log, and firmware, kernels, initrds and command lines to try."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from catalog.ask.builds import builds_with
from catalog.cli.declare.declared import Option
from catalog.cli.options import named_path, seconds_option
from catalog.explain.baseline import KnownInputs, collect_known
from catalog.explain.log_inputs import LogInputs, collect_inputs
from catalog.store.catalog import Catalog

ExpectOption = Annotated[
    str | None,
    Option(
        metavar="JSON|FILE|-",
        help="Expected configuration, as `ldcat measure --format json` prints it, or as a batch line.",
    ),
]
BudgetOption = Annotated[
    float,
    Option(
        parser=seconds_option,
        metavar="SECONDS",
        help="Time that the search may take; then the answer says what is left.",
    ),
]

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
EventLogOption = Annotated[
    Path | None,
    Option(
        "--event-log",
        parser=named_path,
        metavar="FILE",
        help="Event log of a TD (CCEL data, or cc_eventlog or event_log in JSON): say which events are known.",
    ),
]


def log_inputs(
    opened: Catalog | None,
    firmware: Sequence[str] | None,
    kernels: Sequence[Path] | None,
    initrds: Sequence[Path] | None,
    appends: Sequence[str] | None,
) -> LogInputs:
    """What the events of a log are compared with: what was given, and what is recorded of builds."""
    return collect_inputs(
        builds_with(opened),
        firmware=firmware or (),
        kernels=kernels or (),
        initrds=initrds or (),
        appends=appends or (),
    )


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
