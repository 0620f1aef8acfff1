"""Where the loaders differ for one IGVM file: which rule matters, for how many pages, and what each loader does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import IS_2MB, SHARED, PageDataType, ParameterArea, ParameterInsert, VpContext
from catalog.firmware.igvm.page_run import PageRun
from catalog.firmware.metadata import PAGE_SIZE
from catalog.launch.igvm_rules import IgvmRules


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule in which loaders differ, and which matters for a file.

    what: what of the file it is about. loaders: names of the loaders by what they do.
    """

    what: str
    loaders: Mapping[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """In the JSON of `ldcat inspect`."""
        return {"what": self.what, "loaders": {does: list(names) for does, names in self.loaders.items()}}


@dataclass(slots=True)
class _Counts:
    """What a file has for one platform."""

    without_data: int = 0
    shared: int = 0
    large: int = 0
    long_areas: int = 0
    contexts: int = 0
    unsorted: bool = False


def loader_differences(file: IgvmFile, mask: int, rules: Mapping[str, IgvmRules]) -> list[Difference]:
    """The differences that matter for the platform with this mask. rules: of each loader, by its name."""
    counts = _counted(file, mask)
    asked: tuple[tuple[int, str, Callable[[IgvmRules], str]], ...] = (
        (counts.unsorted, "pages, VMSAs and parameters are not in the order of their addresses", _order),
        (counts.without_data, "pages without data: {}", lambda one: f"launched as {one.zero_type.name}"),
        (counts.shared, "pages shared with the host: {}", _shared),
        (counts.large, "pages of 2 MiB: {}", lambda one: "as 512 pages" if one.whole_large_pages else "as one page"),
        (counts.long_areas, "parameter areas of more than one page: {}", _areas),
        (counts.contexts, "vCPUs with a context: {}", _vmsas),
    )
    return list(_found(asked, rules))


def _found(
    asked: tuple[tuple[int, str, Callable[[IgvmRules], str]], ...], rules: Mapping[str, IgvmRules]
) -> Iterator[Difference]:
    for count, what, does in asked:
        loaders: dict[str, tuple[str, ...]] = {}
        for name, one in rules.items():
            loaders[does(one)] = (*loaders.get(does(one), ()), name)
        if count and len(loaders) > 1:
            yield Difference(what.format(f"{count:,}"), loaders)


def _order(rules: IgvmRules) -> str:
    return {"file": "in the order of the file", "regions": "in QEMU's regions", "address": "by address"}[rules.order]


def _shared(rules: IgvmRules) -> str:
    return "measured as NORMAL" if rules.measures_shared else "not measured"


def _areas(rules: IgvmRules) -> str:
    return "all their pages" if rules.whole_areas else "their first pages"


def _vmsas(rules: IgvmRules) -> str:
    if rules.resets_other_vcpus:
        return "a VMSA for every vCPU of the guest, after all pages"
    return "after all pages" if rules.vmsas_at_end else "where the file has them"


def _counted(file: IgvmFile, mask: int) -> _Counts:
    counts, areas, last = _Counts(), dict[int, int](), -1
    for _, one in file.headers():
        if isinstance(one, PageRun):
            for gpa, own, offset, flags, kind, _ in zip(*one[1:], strict=True):
                if own & mask:
                    counts.without_data += not offset and kind == PageDataType.NORMAL
                    counts.shared += bool(flags & SHARED)
                    counts.large += bool(flags & IS_2MB)
                    counts.unsorted |= gpa < last
                    last = gpa
        elif isinstance(one, ParameterArea):
            areas[one.area] = one.size
        elif isinstance(one, ParameterInsert | VpContext) and one.mask & mask:
            counts.unsorted |= one.gpa < last
            last = one.gpa
            if isinstance(one, VpContext):
                counts.contexts += 1
            else:
                counts.long_areas += areas[one.area] > PAGE_SIZE
    return counts
