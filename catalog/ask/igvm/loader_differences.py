"""Where the loaders that launch an IGVM file differ: which rule matters for it, and what each of them does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from catalog.abi.page_info import PageType
from catalog.firmware.igvm.igvm_file import IgvmFile
from catalog.firmware.igvm.igvm_layout import (
    IS_2MB,
    SHARED,
    UNMEASURED,
    ParameterArea,
    ParameterInsert,
    VpContext,
)
from catalog.firmware.igvm.igvm_types import PageDataType
from catalog.firmware.igvm.page_run import PageRun
from catalog.firmware.metadata import PAGE_SIZE
from catalog.launch.igvm.loaded_pages import LoadedPages, loaded_pages
from catalog.launch.igvm_rules import IgvmRules


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule in which loaders differ, and which matters for a file.

    rule: its key in the table [igvm] of a profile. count: how many pages, areas or contexts it is about.
    loaders: names of the loaders by their value of the rule.
    """

    rule: str
    count: int
    loaders: Mapping[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """In the JSON of `ldcat inspect`."""
        loaders = {value: list(names) for value, names in self.loaders.items()}
        return {"rule": self.rule, "count": self.count, "loaders": loaders}


def loader_differences(file: IgvmFile, mask: int, rules: Mapping[str, IgvmRules]) -> list[Difference]:
    """The differences that matter for the platform with this mask. rules: of each loader that launches it, by name."""
    counts = _counted(file, mask)
    asked: tuple[tuple[str, int, Callable[[IgvmRules], str]], ...] = (
        ("order", _ordered(file, mask, rules), _order),
        ("pages_without_data", counts["without data"], lambda one: one.zero_type.name),
        ("shared_pages", counts["shared"], lambda one: "NORMAL" if one.measures_shared else "not-measured"),
        ("large_pages", counts["large"], lambda one: "whole" if one.whole_large_pages else "first-page"),
        ("parameter_areas", counts["long areas"], lambda one: "whole" if one.whole_areas else "first-page"),
        ("vcpus_without_context", 1, lambda one: "reset-state" if one.resets_other_vcpus else "not-measured"),
    )
    return [*_found(asked, rules)]


def _found(
    asked: tuple[tuple[str, int, Callable[[IgvmRules], str]], ...], rules: Mapping[str, IgvmRules]
) -> Iterator[Difference]:
    for rule, count, value_of in asked:
        loaders: dict[str, tuple[str, ...]] = {}
        for name, one in rules.items():
            loaders[value_of(one)] = (*loaders.get(value_of(one), ()), name)
        if count and len(loaders) > 1:
            yield Difference(rule, count, loaders)


def _order(rules: IgvmRules) -> str:
    return f"{rules.order}, VMSAs {'at-end' if rules.vmsas_at_end else 'in-order'}"


def _ordered(file: IgvmFile, mask: int, rules: Mapping[str, IgvmRules]) -> int:
    """Pages and VMSAs that do not come at the same place under all loaders, all other rules being the same."""
    orders = {_order(one): one for one in rules.values()}.values()
    first, *others = [_sequence(file, mask, one) for one in orders] or [LoadedPages.none()]
    return max((_unequal(first, other) for other in others), default=0)


def _sequence(file: IgvmFile, mask: int, rules: IgvmRules) -> LoadedPages:
    """All pages and VMSAs in the order of a loader."""
    same = replace(rules, zero_type=PageType.NORMAL, measures_shared=True, whole_large_pages=False, whole_areas=False)
    pages = loaded_pages(file, mask, same)
    if rules.vmsas_at_end:
        contexts = [one for _, one in file.headers if isinstance(one, VpContext) and one.mask & mask]
        for one in sorted(contexts, key=lambda context: context.vp_index):
            pages.extend(LoadedPages.one(PageType.VMSA, one.gpa, one.file_offset))
    return pages


def _unequal(one: LoadedPages, other: LoadedPages) -> int:
    if one.gpas == other.gpas and one.kinds == other.kinds:
        return 0
    return sum(
        1
        for gpa, kind, other_gpa, other_kind in zip(one.gpas, one.kinds, other.gpas, other.kinds, strict=True)
        if (gpa, kind) != (other_gpa, other_kind)
    )


def _counted(file: IgvmFile, mask: int) -> dict[str, int]:
    counts, areas = dict.fromkeys(("without data", "shared", "large", "long areas"), 0), dict[int, int]()
    for _, one in file.headers:
        if isinstance(one, PageRun):
            for begin, end in one.uniform_parts():
                if one.masks[begin] & mask:
                    flags, is_normal = one.flags[begin], one.data_types[begin] == PageDataType.NORMAL
                    if is_normal and not flags & UNMEASURED:
                        counts["without data"] += one.file_offsets[begin:end].count(0)
                        counts["shared"] += end - begin if flags & SHARED else 0
                    counts["large"] += end - begin if flags & IS_2MB else 0
        elif isinstance(one, ParameterArea):
            areas[one.area] = one.size
        elif isinstance(one, ParameterInsert) and one.mask & mask:
            counts["long areas"] += areas[one.area] > PAGE_SIZE
    return counts
