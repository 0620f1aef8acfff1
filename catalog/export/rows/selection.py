"""Selection: what is selected of a catalog, and what of it may be exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from catalog.abi.digest import LaunchDigest
from catalog.ask.selector import build_selector
from catalog.errors import UnknownName, UsageError
from catalog.export.rows.export_rows import DIGEST_SIZE, ArrowRows, PackedDigests
from catalog.export.rows.rules import Rule
from catalog.rows.fields import BY_NAME
from catalog.rows.numbers import as_ranges, parse_counts
from catalog.spec import embedded
from catalog.store.catalog import Catalog

_NEEDED = "name launch digests, or --vmm with one of --vcpus, --vcpu-type and --vcpu-signature, under TDX --firmware"


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export: named launch digests, or rows by their fields.

    digests: 48 bytes each.
    fields: as `build_selector` takes them, without the vCPU count. vcpus: counts; None: any.
    """

    digests: tuple[bytes, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    vcpus: frozenset[int] | None = None

    def shown(self) -> dict[str, Any]:
        """The selection for sidecars: values by option; of named digests how many."""
        if self.digests:
            return {"digests": len(self.digests)}
        counts = {} if self.vcpus is None else {"vcpus": as_ranges(sorted(self.vcpus))}
        names = {"firmware_sha256": "firmware", "kernel_hashes_sha256": "kernel-hashes"}
        texts = {name: BY_NAME[name].text(one) if isinstance(one, int) else one for name, one in self.fields.items()}
        return {names.get(name, name.replace("_", "-")): text for name, text in texts.items()} | counts


def make_selection(digests: Sequence[str], fields: Mapping[str, Any], vcpus: str | None) -> Selection:
    """The selection of a command line. fields: by name; None: not given. vcpus: counts, such as `1-64,96`.

    Raises UsageError if nothing, too much or both kinds are selected, MalformedInput for an invalid digest.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    if digests:
        if given or vcpus is not None:
            raise UsageError(
                "launch digests and options that select rows are given",
                "give launch digests, or --vmm with --vcpus, --vcpu-type or --vcpu-signature",
            )
        return Selection(parse_digests(digests))
    has_vcpus = vcpus is not None or not {"vcpu_type", "vcpu_signature"}.isdisjoint(given)
    if not given and not has_vcpus:
        raise UsageError("nothing is selected", _NEEDED)
    if "vmm" not in given:
        raise UsageError("--vmm is missing", _NEEDED)
    vmm = embedded.all_profiles().get(given["vmm"])
    if vmm and vmm.tdx and "firmware_sha256" not in given:
        raise UsageError("the selection is too wide: an MRTD depends on no vCPUs", "add --firmware")
    if not (has_vcpus or (vmm and (vmm.tdx or vmm.igvm) and "firmware_sha256" in given)):
        of_file = "--firmware, " if vmm and vmm.igvm else ""
        raise UsageError("the selection is too wide", f"add {of_file}--vcpus, --vcpu-type or --vcpu-signature")
    return Selection((), given, None if vcpus is None else frozenset(parse_counts(vcpus.split(","))))


def selector_of(catalog: Catalog, selection: Selection) -> Mapping[str, Any]:
    """The fields of a selection in canonical form; raises UnknownName and as `build_selector`."""
    vmm = selection.fields.get("vmm")
    if vmm is not None and vmm not in catalog.profiles:
        raise UnknownName("VMM profile", vmm, catalog.profiles)
    return build_selector(catalog, selection.fields)


def parse_digests(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Launch digests of SEV-SNP or TDX, in hex or base64, each once.

    Raises MalformedInput for anything else, UsageError for a digest of SEV or SEV-ES and for several in one text.
    """
    if several := next((text for text in texts if len(text.split()) > 1), None):
        raise UsageError(
            f"{len(several.split()):,} words are given as one launch digest",
            "give each as a value of its own; a shell makes them of $(cat FILE) without quotes",
        )
    found = dict.fromkeys(LaunchDigest.parse(text).value for text in texts)
    for digest in found:
        if len(digest) != DIGEST_SIZE:
            raise UsageError(
                f"{digest.hex()[:16]}... has {len(digest)} bytes: it is a launch digest of SEV or SEV-ES",
                "exports are of SEV-SNP and TDX digests, of 48 bytes: no system that ldcat exports to checks others",
            )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Objection:
    """What prevents the export of a launch digest.

    shared: a configuration that is not selected has the digest, and that is worse.
    which: the configuration with the digest that is meant, for people; None: all of them, or it is not known.
    said: why it is revoked, in the words of the publisher; None: it is not revoked, or there are several reasons.
    """

    rule: Rule
    shared: bool = False
    which: str | None = field(default=None, compare=False)
    said: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        which = f" ({self.which})" if self.which else ""
        said = f": {self.said}" if self.said else ""
        if self.shared:
            return f"another configuration with the same digest{which}: {self.rule.why}{said}"
        return f"{self.rule.why}{which}{said}"


@dataclass(frozen=True, slots=True)
class Selected:
    """What may be exported, and what not. technology: of all that is selected.

    exported: number of launch digests by each rule that speaks against them and is allowed.
    left_out: number of launch digests by what prevents it.
    refused: named launch digests with what prevents it; missing: those that the catalog does not have.
    """

    technology: str
    rows: ArrowRows
    digests: PackedDigests
    exported: Mapping[Rule, int]
    left_out: Mapping[Objection, int]
    refused: Mapping[bytes, Objection]
    missing: Sequence[bytes]

    @property
    def count(self) -> int:
        """Launch digests that were selected, exported or not."""
        return len(self.digests) + sum(self.left_out.values())
