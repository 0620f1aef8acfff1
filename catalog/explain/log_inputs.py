"""What the events of a log are compared with: firmware builds, and the files of a direct boot."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from catalog.ask.inspect import Inspection
from catalog.errors import MalformedFirmware, UsageError
from catalog.evidence.evidence import Evidence
from catalog.explain.log_kinds import COMMAND_LINE, FILE, INITRD, KERNEL
from catalog.files import inputs
from catalog.firmware.build import FirmwareBuild
from catalog.firmware.tdx.authenticode import authenticode_sha384
from catalog.firmware.tdx.direct_boot import command_line_sha384, patched_kernel
from catalog.firmware.tdx.rtmr_facts import EVENTS, RtmrFacts
from catalog.firmware.tdx.tdx_facts import TdxFacts

MAX_KERNEL_SIZE = 256 << 20
"""Bytes of a kernel with a built-in initrd, such as a unified kernel image."""

MAX_PAIRS = 64
"""Limit for kernels times initrds: for each pair a kernel is patched and hashed."""

Named = Mapping[str, Mapping[bytes, Sequence[str]]]
"""What has a digest, for people, by kind of the event."""


@dataclass(frozen=True, slots=True)
class KnownFirmware:
    """A build, or an image. rtmr: its events; None if its record has none. mrtd: 48 bytes, by way of WAYS."""

    name: str
    rtmr: RtmrFacts | None
    mrtd: Mapping[str, bytes]

    @property
    def why_unknown(self) -> str | None:
        return self.rtmr.why_unknown if self.rtmr else "its record has no events of RTMR0"


@dataclass(frozen=True, slots=True)
class LogInputs:
    """firmware: those given by the user first, then those of which events are recorded. files: of a direct boot.

    left_out: which file was not compared as a kernel, and why.
    asked: the digests of each kind of file that was given, by its name for people: one of them has to be in the log.
    given: how many of the firmware the user gave: one of them has to be the launched one.
    """

    firmware: Sequence[KnownFirmware]
    files: Named
    left_out: Sequence[str] = ()
    asked: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    given: int = 0

    def named(self) -> Named:
        """Everything that has a digest: builds too, by each of their events."""
        found: dict[str, dict[bytes, list[str]]] = {kind: {} for kind in EVENTS}
        for one in self.firmware:
            for kind, digest in one.rtmr.digests.items() if one.rtmr else ():
                found[kind].setdefault(digest, []).append(one.name)
        return {**found, **self.files}


def collect_inputs(
    builds: Mapping[str, FirmwareBuild],
    *,
    firmware: Sequence[str] = (),
    kernels: Sequence[Path] = (),
    initrds: Sequence[Path] = (),
    appends: Sequence[str] = (),
) -> LogInputs:
    """What the user gave, and what is known of builds. builds: by name. firmware: names or files.

    Raises Unreadable, UsageError for too many files, and the errors of `Inspection.of`.
    """
    given = list({one.name: one for one in (_given(name, builds) for name in firmware)}.values())
    recorded = [_recorded(build) for build in builds.values()]
    known = {one.name: one for one in (*given, *(one for one in recorded if one.rtmr))}
    some_kernels, some_initrds = _listed(kernels), _listed(initrds)
    files, left_out = _files(some_kernels, some_initrds, appends)
    asked = {
        "kernel": frozenset(files.get(KERNEL, ())) | _of_files(files, some_kernels),
        "initrd": _of_files(files, some_initrds),
        "command line": frozenset(files.get(COMMAND_LINE, ())),
    }
    are_given = (bool(some_kernels), bool(some_initrds), bool(appends))
    asked = {what: digests for (what, digests), is_given in zip(asked.items(), are_given, strict=True) if is_given}
    return LogInputs(tuple(known.values()), files, left_out, asked, len(given))


def quoted_rtmrs(evidence: Evidence) -> Sequence[bytes] | None:
    """RTMR0 to RTMR3 of a quote or a TD report, 48 bytes each; None for other evidence."""
    return evidence.td.report.rtmrs if evidence.td else None


def _given(name: str, builds: Mapping[str, FirmwareBuild]) -> KnownFirmware:
    inspected = Inspection.of(name, builds)
    if inspected.image is None:
        return _recorded(inspected.build)
    facts = TdxFacts.of(inspected.image)
    return KnownFirmware(name, facts.rtmr, facts.mrtd)


def _recorded(build: FirmwareBuild) -> KnownFirmware:
    """What the record of a build says."""
    facts = build.component.tdx
    return KnownFirmware(build.name, facts.rtmr if facts else None, facts.mrtd if facts else {})


def _listed(paths: Iterable[Path]) -> list[Path]:
    """The files, and those in folders."""
    found: list[Path] = []
    for path in paths:
        try:
            found += sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
        except OSError as error:
            raise inputs.unreadable(path, error) from error
    return found


def _files(kernels: Sequence[Path], initrds: Sequence[Path], appends: Sequence[str]) -> tuple[Named, Sequence[str]]:
    """Digests of every file, of every pair of kernel and initrd, and of every command line; and what was left out."""
    if len(kernels) * (len(initrds) + 1) > MAX_PAIRS or len(initrds) > MAX_PAIRS:
        raise UsageError(
            f"{len(kernels)} kernels and {len(initrds)} initrds are more than {MAX_PAIRS} pairs",
            "give only files that may have been booted",
        )
    found: dict[str, dict[bytes, list[str]]] = defaultdict(dict)
    sizes: dict[Path | None, int | None] = {None: None}
    for path in initrds:
        digest, sizes[path] = inputs.hash_file(path, regular=True, algorithm="sha384"), _size(path)
        for kind in (INITRD, FILE):
            found[kind].setdefault(digest, []).append(str(path))
    left_out = []
    for path in kernels:
        try:
            _add_kernel(found, path, sizes)
        except MalformedFirmware as error:
            left_out.append(f"{path} as a kernel: {error}")
    for text, has_initrd in product(appends, (True, False)):
        what = f"{text!r} {'with' if has_initrd else 'without'} an initrd"
        found[COMMAND_LINE].setdefault(command_line_sha384(text, has_initrd=has_initrd), []).append(what)
    return found, tuple(left_out)


def _of_files(files: Named, paths: Sequence[Path]) -> frozenset[bytes]:
    """The digests of files as they are."""
    names = set(map(str, paths))
    return frozenset(digest for digest, some in files.get(FILE, {}).items() if names & set(some))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise inputs.unreadable(path, error) from error


def _add_kernel(
    found: dict[str, dict[bytes, list[str]]], path: Path, initrds: Mapping[Path | None, int | None]
) -> None:
    """The kernel as a file and as an application: as it is, and as QEMU patches it with each initrd and without.

    Raises MalformedFirmware if it is no application: firmware boots PE images.
    """
    image = inputs.read_file(path, limit=MAX_KERNEL_SIZE, regular=True)
    found[FILE].setdefault(hashlib.sha384(image).digest(), []).append(str(path))
    forms: list[tuple[str, bytes | None]] = [(str(path), image)]
    for initrd, size in initrds.items():
        what = f"with {initrd}" if initrd else "without initrd"
        forms.append((f"{path}, as QEMU patches it {what}", patched_kernel(image, size)))
    for label, form in forms:
        if form is not None:
            found[KERNEL].setdefault(authenticode_sha384(form), []).append(label)
