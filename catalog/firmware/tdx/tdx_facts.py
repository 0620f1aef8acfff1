"""TdxFacts: the TDVF sections of an image, and its MRTD in each way in which a VMM builds a TD.

Nothing but the image and the VMM enters an MRTD, so the digests are facts of the image.

Source: Linux, arch/x86/kvm/vmx/tdx.c, tdx_gmem_post_populate; QEMU, target/i386/kvm/tdx.c; Cloud Hypervisor ae44c297,
vmm/src/vm.rs, init_tdx_memory; google/gce-tcb-verifier 74582c0, tdx/measurement.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from catalog.errors import MalformedFirmware
from catalog.firmware.ovmf import OvmfImage
from catalog.firmware.tdx.mrtd import PAGE_SIZE, Mrtd
from catalog.firmware.tdx.rtmr_facts import RtmrFacts
from catalog.firmware.tdx.td_hob import memory_of, td_hob
from catalog.firmware.tdx.tdvf import (
    MR_EXTEND,
    PAGE_AUG,
    TdvfSection,
    TdvfSectionType,
    bytes_before_image,
    read_tdvf,
    section_contents,
)

SINGLE_PASS, TWO_PASS, EXTEND_ALONE = "single-pass", "two-pass", "mr-extend-alone"
"""A page is added and measured before the next one; all pages of a section are added before any of them is measured;
as the first, and a section is measured only if MR_EXTEND is its one attribute.
"""

MACHINES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "c3-standard-4": (16, 1, 176),
        "c3-standard-8": (32, 1, 176),
        "c3-standard-22": (88, 1, 176),
        "c3-standard-44": (176, 1, 176),
        "c3-standard-88": (352, 2, 176),
        "c3-standard-176": (704, 4, 176),
    }
)
"""Machine types whose TD HOB was measured: GiB of memory, NUMA nodes, and most GiB of a node."""

WAYS = (SINGLE_PASS, TWO_PASS, EXTEND_ALONE, *MACHINES)
"""The ways in which a VMM builds a TD of an image; those of a machine type measure every section, as single-pass."""


@dataclass(frozen=True)
class TdxFacts:
    """sections: in the order of the metadata. mrtd: 48 bytes by way, of WAYS. fault: why there is neither, or None.

    recorded: what a record says of the events of RTMR0. image: from which they are computed, if there is no record.

    A way is missing if what it measures is not in the file, such as the variable store of a CODE file.
    """

    sections: tuple[TdvfSection, ...]
    mrtd: Mapping[str, bytes] = field(hash=False)
    fault: str | None = field(default=None, compare=False)
    recorded: RtmrFacts | None = field(default=None, compare=False)
    image: OvmfImage | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, image: OvmfImage) -> TdxFacts:
        """The facts of an image; with a fault if it has no TDVF metadata that a TD can be built of."""
        try:
            sections = read_tdvf(image)
        except MalformedFirmware as error:
            return cls((), {}, str(error), image=image)
        before = bytes_before_image(sections, len(image.data))
        contents = [section_contents(one, image.data, before) for one in sections]
        return cls(sections, MrtdOfImage(list(zip(sections, contents, strict=True))), image=image)

    @cached_property
    def rtmr(self) -> RtmrFacts | None:
        """The events of RTMR0 that follow from the image; None if they are not known. Its volumes are unpacked once."""
        return RtmrFacts.of(self.image) if self.image else self.recorded

    def __reduce__(self) -> tuple[type[TdxFacts], tuple[Any, ...]]:
        return TdxFacts, (self.sections, dict(self.mrtd), self.fault, self.rtmr)

    def agrees_with(self, other: TdxFacts) -> bool:
        """Whether both can be true of one image: one made by an earlier version may lack ways."""
        common = self.mrtd.keys() & other.mrtd.keys()
        if None not in (self.recorded, other.recorded) and self.recorded != other.recorded:
            return False
        return self.sections == other.sections and all(self.mrtd[way] == other.mrtd[way] for way in common)

    def joined(self, other: TdxFacts) -> TdxFacts:
        """The facts that one of two of the same image knows; they agree."""
        if self.image or (other.mrtd.keys() <= self.mrtd.keys() and (self.recorded or not other.recorded)):
            return self
        return replace(self, mrtd={**other.mrtd, **self.mrtd}, recorded=self.recorded or other.rtmr)

    def to_dict(self) -> dict[str, Any]:
        """The member `tdx` in the JSON of `ldcat inspect`."""
        return {
            "fault": self.fault,
            "sections": [one.to_dict() for one in self.sections],
            "mrtd": {way: digest.hex() for way, digest in self.mrtd.items()},
            "rtmr": self.rtmr and self.rtmr.to_dict(),
        }


_Parts = Sequence[tuple[TdvfSection, memoryview | None]]


class MrtdOfImage(Mapping[str, bytes]):
    """MRTDs of an image by way, each computed when it is first asked for: together they take a fifth of a second.

    parts: sections with their contents; None: in another file.
    """

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts
        ways = [way for way in (SINGLE_PASS, TWO_PASS, EXTEND_ALONE) if all(_has_measured(*one, way) for one in parts)]
        self._hobs = _td_hobs(parts) if all(contents is not None for _, contents in parts) else {}
        self._known: dict[str, bytes | None] = dict.fromkeys((*ways, *self._hobs))

    def __getitem__(self, way: str) -> bytes:
        digest = self._known[way]
        if digest is None:
            digest = self._known[way] = self._with_td_hob(way) if way in self._hobs else _digest(self._parts, way)
        return digest

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def _with_td_hob(self, machine: str) -> bytes:
        """The MRTD for a machine type: all sections are measured, and the TD HOB has its memory."""
        made = Mrtd()
        for section, contents in self._parts:
            is_hob = section.kind == TdvfSectionType.TD_HOB
            _build(made, section, memoryview(self._hobs[machine]) if is_hob else contents)
        return made.digest()


def _has_measured(section: TdvfSection, contents: memoryview | None, way: str) -> bool:
    """Whether what a way measures of a section is known."""
    return contents is not None or not _is_measured(section, way)


def _is_measured(section: TdvfSection, way: str) -> bool:
    return section.attributes == MR_EXTEND if way == EXTEND_ALONE else bool(section.attributes & MR_EXTEND)


def _digest(parts: _Parts, way: str) -> bytes:
    """The MRTD in a way without a TD HOB."""
    made = Mrtd()
    for section, contents in parts:
        _build(made, section, contents if _is_measured(section, way) else None, two_pass=way == TWO_PASS)
    return made.digest()


def _td_hobs(parts: _Parts) -> dict[str, bytes]:
    """The TD HOB by machine type; without the machine types whose memory does not fit into the section."""
    private = [(section.gpa, section.end) for section, _ in parts]
    hob = next(section for section, _ in parts if section.kind == TdvfSectionType.TD_HOB)
    made = {machine: td_hob(hob.gpa, private, memory_of(*memory)) for machine, memory in MACHINES.items()}
    return {machine: listed for machine, listed in made.items() if len(listed) <= hob.size}


def _build(made: Mrtd, section: TdvfSection, contents: memoryview | None, *, two_pass: bool = False) -> None:
    """Add the pages of a section, and measure them. contents: without the zeros behind them; None: not measured."""
    is_added = not section.attributes & PAGE_AUG
    if two_pass and contents is not None:
        for gpa in range(section.gpa, section.end, PAGE_SIZE) if is_added else ():
            made.add(gpa)
        is_added = False
    for gpa, page in _pages(section, contents):
        if is_added:
            made.add(gpa)
        if contents is not None:
            made.extend(gpa, page)


def _pages(section: TdvfSection, contents: memoryview | None) -> Iterator[tuple[int, memoryview]]:
    known, zeros = contents or memoryview(b""), memoryview(bytes(PAGE_SIZE))
    for at in range(0, section.size, PAGE_SIZE):
        page = known[at : at + PAGE_SIZE]
        whole = page if len(page) == PAGE_SIZE else memoryview(bytes(page).ljust(PAGE_SIZE, b"\0")) if page else zeros
        yield section.gpa + at, whole
