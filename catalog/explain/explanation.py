"""Explanations: the result of a search: inputs that differ from the expected ones, or what the search excludes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalog.explain.baseline import EXPECTATION
from catalog.explain.candidate import Candidate
from catalog.explain.divergence import Divergence, find_divergence
from catalog.explain.igvm_hit import IgvmHit
from catalog.explain.igvm_search import IgvmSearch
from catalog.explain.search import SearchResult
from catalog.explain.search_space import (
    AXES,
    START,
    USUAL_MISTAKES,
    Axis,
    SearchSpace,
    differing_parts,
    measured_axes,
    same,
)
from catalog.fast.match import kernel_note, launch_notes, no_kernel_note, revocation_notes
from catalog.launch.launchability import launchability
from catalog.launch.technology import technology_named
from catalog.log.revocation_list import Revocation
from catalog.log.revocations import Revocations
from catalog.notes import Note, worst_first
from catalog.rows.digest_record import DigestRecord, digest_record
from catalog.rows.numbers import as_ranges

MOST_AXES = 3
"""Limit for the axes on which a candidate differs from the baseline."""

_COMBINATIONS = (
    ("every single axis", "{left} of {of} single axes"),
    ("every two axes", "{left} of {of} combinations of two axes"),
    ("every three axes", "{left} of {of} combinations of three axes"),
)
"""All that differs on one axis, on two and on three, if it is excluded and if some of it is left."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search.

    source: name of its baseline.
    space: values of the axes.
    searched: the result.
    most: limit for the axes of its stages.
    """

    source: str
    space: SearchSpace
    searched: SearchResult
    most: int

    def to_dict(self) -> dict[str, Any]:
        """An element of `searched` in the JSON of `ldcat explain`."""
        return {
            "from": self.source,
            "candidates": self.searched.tried,
            "axes": {name: self._axis(name) for name in AXES},
            "usual_mistakes": self._usual(),
            "excluded": [list(stage.axes) for stage in self.searched.done if not stage.usual],
            "not_excluded": [list(stage.axes) for stage in self.searched.left if not stage.usual],
        }

    def summary(self) -> list[str]:
        """Lines that say what was searched without a hit, with the axes and their values, for a page."""
        searched = self.searched
        whole = min((len(stage.axes) for stage in searched.left if not stage.usual), default=self.most + 1)
        lines = [_excluded(self.source, whole)]
        if rest := [stage.words for stage in searched.done if len(stage.axes) >= whole and not stage.usual]:
            lines.append(f"nothing that differs on {_listed(rest)} has it either")
        if USUAL_MISTAKES in searched.done:
            lines.append("no combination of usual mistakes has it either, on any number of axes")
        if rest := [stage.words for stage in sorted(searched.left, key=lambda one: not one.usual) if stage != START]:
            why = "before the interruption" if searched.interrupted else "within the budget"
            lines.append(f"not searched {why}: {_listed(rest)}")
        for name in self._axes() if self.most else ():
            axis = self._axis(name)
            lines.append(f"{name}: {_listed(axis['near'])} - and {_listed(axis['others']) or 'no others'}")
        return lines

    def brief(self) -> list[str]:
        """At most two lines: what is excluded, and how much is not; `summary` and the JSON name the axes."""
        excluded, unfinished = [], []
        for count, (every, some) in enumerate((("the {source} itself", "the {source} itself"), *_COMBINATIONS)):
            done, left = (
                sum(not stage.usual and len(stage.axes) == count for stage in stages)
                for stages in (self.searched.done, self.searched.left)
            )
            if left:
                unfinished.append(some.format(source=self.source, left=left, of=done + left))
            elif done:
                excluded.append(every.format(source=self.source))
        for stages, words in ((self.searched.done, excluded), (self.searched.left, unfinished)):
            if USUAL_MISTAKES in stages:
                words.append("the usual mistakes")
        if not excluded:
            return ["excluded: nothing"]
        lines = [f"excluded: {', '.join(excluded)}"]
        return [*lines, f"not finished: {', '.join(unfinished)}"] if unfinished else lines

    def _axes(self) -> list[str]:
        """The axes that a technology of the evidence measures."""
        return [name for name in AXES if any(name in measured_axes(one) for one in self.space.possible)]

    def _axis(self, name: str) -> dict[str, list[str]]:
        axis: Axis[Any] = getattr(self.space, name)
        return {"near": [choice.label for choice in axis.near], "others": [choice.label for choice in axis.far]}

    def _usual(self) -> dict[str, Any]:
        axes = {name: [choice.label for choice in getattr(self.space, name).usual] for name in AXES}
        return {"excluded": USUAL_MISTAKES in self.searched.done, "axes": axes}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The result of `explain`.

    searches: in order; differences are from the baseline of the first one.
    revocations: those of the log in which the catalog is published.
    hopeless: whether nothing but the baselines was tried, because no known firmware can have this digest.
    igvm: the search of IGVM files, which comes first; None if none is known.
    """

    searches: tuple[Search, ...]
    revocations: Sequence[Revocation] = ()
    hopeless: bool = False
    igvm: IgvmSearch | None = None

    def __repr__(self) -> str:
        tried = sum(search.searched.tried for search in self.searches) + (self.igvm.tried if self.igvm else 0)
        count = "1 configuration" if len(self.hits) == 1 else f"{len(self.hits)} configurations"
        return f"<Explanation: {count} found, {tried:,} candidates tried>"

    @property
    def hits(self) -> tuple[Candidate | IgvmHit, ...]:
        if self.igvm and self.igvm.hits:
            return self.igvm.hits
        return next((search.searched.hits for search in self.searches if search.searched.hits), ())

    @property
    def interrupted(self) -> bool:
        of_igvm = self.igvm is not None and self.igvm.interrupted
        return of_igvm or any(search.searched.interrupted for search in self.searches)

    @property
    def can_go_on(self) -> bool:
        """Whether a longer search can find more."""
        of_igvm = self.igvm is not None and not self.igvm.is_whole
        return not self.hits and (of_igvm or any(search.searched.left for search in self.searches))

    @property
    def compared_with(self) -> str:
        return self.igvm.space.source if self.igvm else self.searches[0].source

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `ldcat explain`."""
        return {
            "found": bool(self.hits),
            "compared_with": self.compared_with,
            "explanations": [self._hit(candidate) for candidate in self.hits],
            "interrupted": self.interrupted,
            "searched": [search.to_dict() for search in self.searches],
            "igvm": self.igvm and self.igvm.to_dict(),
        }

    def differences(self, candidate: Candidate | IgvmHit) -> list[tuple[str, str, str]]:
        """Axis, expected values and found value, for each axis on which the candidate differs.

        Of an IGVM file none, unless another launch of one was expected.
        """
        if isinstance(candidate, IgvmHit):
            expected = self.igvm and self.igvm.space.expected
            return candidate.differences(expected) if expected else []
        found = []
        for name in AXES:
            axis: Axis[Any] = getattr(self.searches[0].space, name)
            choice = candidate.choice(name)
            if choice and not any(same(choice.value, other.value) for other in axis.near):
                found.append((name, _listed([other.label for other in axis.near]), choice.label))
        return found

    def divergence(self, candidate: Candidate | IgvmHit) -> Divergence | None:
        """Where the candidate diverges from the baseline of the first search; None as of `find_divergence`.

        None for a launch from an IGVM file.
        """
        if isinstance(candidate, IgvmHit):
            return None
        called = "expected" if self.compared_with == EXPECTATION else "nearest"
        return find_divergence(self.searches[0].space, candidate, called)

    def _hit(self, candidate: Candidate | IgvmHit) -> dict[str, Any]:
        differs: list[dict[str, Any]] = [
            {"axis": axis, "expected": expected, "found": is_} for axis, expected, is_ in self.differences(candidate)
        ]
        for difference in differs:
            if difference["axis"] == "kernel_hashes" and not isinstance(candidate, IgvmHit):
                difference["parts"] = self._kernel_parts(candidate)
        digest = candidate.config().digest().hex()
        found = Revocations(self.revocations).status(record(candidate))
        revocation = (found.severity, found.reason) if found else None
        notes = [*revocation_notes(revocation), *candidate_notes(candidate)]
        parted = self.divergence(candidate)
        return {
            "launch_digest": digest,
            **configuration(candidate),
            "differs": differs,
            "related": None if isinstance(candidate, IgvmHit) else self._related(candidate),
            "parting": parted and parted.to_dict(),
            "revocation": found and {"severity": found.severity, "reason": found.reason},
            "notes": [note.to_dict() for note in worst_first(notes)],
        }

    def _related(self, candidate: Candidate) -> dict[str, Any] | None:
        """The same launch with the nearest expected number of vCPUs, if nothing else differs and its chain goes on."""
        differing = [axis for axis, *_ in self.differences(candidate)]
        found = candidate.vcpus
        if found is None or differing != ["vcpus"] or not technology_named(candidate.technology.value).digest_is_state:
            return None
        counts = [choice.value for choice in self.searches[0].space.vcpus.near]
        nearest = min(counts, key=lambda count: (count > found, abs(count - found)))
        digest = replace(candidate, vcpus=nearest).config().digest()
        return {"launch_digest": digest.hex(), "vcpus": nearest, "more_vcpus": found - nearest}

    def _kernel_parts(self, candidate: Candidate) -> list[str]:
        """Which of kernel, initrd and command line differ from the most similar expected kernel hashes, if any."""
        found = candidate.kernel_hashes.value
        near = [choice.value for choice in self.searches[0].space.kernel_hashes.near if choice.value]
        return min((differing_parts(found, other) for other in near), key=len, default=[]) if found else []


def configuration(candidate: Candidate | IgvmHit) -> dict[str, Any]:
    """A candidate in JSON: fields as in `ldcat measure`, with names of build and kernel."""
    build, config = candidate.build, candidate.config()
    return {
        **config.to_dict(build.name, candidate.kernel),
        "kernel_hashes_enforced": build.component.kernel_hashes_enforced.value,
        "launchable": launchability(build, config.technology, config.vmm).verdict,
    }


def record(candidate: Candidate | IgvmHit) -> DigestRecord:
    """The digest record that the candidate would have in a log."""
    config = candidate.config()
    return digest_record({**config.row(), "launch_digest": config.digest().value})


def candidate_notes(candidate: Candidate | IgvmHit) -> list[Note]:
    """Notes to read before relying on the digest of a candidate."""
    build, config = candidate.build, candidate.config()
    technology = config.technology
    recorded = launchability(build, technology, config.vmm)
    enforced = build.component.kernel_hashes_enforced.value
    version = build.origin.version if build.origin else None
    if config.kernel_hashes:
        kernel = kernel_note(enforced, version)
    else:
        kernel = no_kernel_note(technology, from_igvm=build.is_igvm)
    return [kernel, *launch_notes(technology, recorded.verdict, recorded.reason)]


def _listed(labels: Sequence[str]) -> str:
    if all(label.isdecimal() for label in labels):  # vCPU counts
        return as_ranges(sorted(map(int, labels)))
    most = 5
    return "; ".join(labels) if len(labels) <= most else f"{'; '.join(labels[:most])}; and {len(labels) - most} more"


def _excluded(source: str, whole: int) -> str:
    """The line about what was searched completely. whole: everything that differs on fewer axes than this."""
    if whole == 0:
        return f"the budget was too small even for the {source} alone"
    if whole == 1:
        return f"nothing in the {source} has this digest"
    where = ("one axis", "two axes", "three axes")[whole - 2]
    return f"nothing that differs from the {source} on at most {where}, within these values, has this digest"
