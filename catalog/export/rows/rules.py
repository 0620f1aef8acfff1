"""Rules: what speaks against the export of a row, and which of it an option allows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from catalog.errors import MalformedRecord
from catalog.export.exported import TDX
from catalog.fast.match import verifier_halts
from catalog.firmware.build import NOT_RECORDED
from catalog.imports.endorsed_facts import Base
from catalog.launch.hosted import hosted_verdict
from catalog.log.revocations import Revocations
from catalog.notes import Note
from catalog.rows.endorsed_record import REPORTED, EndorsedRecord
from catalog.rows.fields import IDENTITY, identity
from catalog.store.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that speaks against the export of a row.

    code: of the note if it is exported.
    why: what is so, as the end of "launch digest X is not exported: ...".
    option: of the command, without which the row is not exported; None: it never is.
    always: whether it is exported without an option, and only noted.
    """

    code: str
    why: str
    option: str | None = None
    always: bool = False


REVOKED = Rule("revoked", "revoked by the publisher of the log")
NOT_LAUNCHABLE = Rule("launch-not-expected", "not expected to launch")
HOSTED = Rule("launch-not-expected", "not expected to launch: the platform of the VMM launches its own firmware only")
"""It speaks against a digest only if no other VMM launches with it: MRTDs are the same under many."""
ONLY_REPORTED = Rule("base-not-endorsed", "seen in public, and endorsed by nobody")
UNENFORCED = Rule(
    "kernel-hashes-not-enforced",
    "kernel hashes are measured but not enforced: the firmware boots any kernel",
    "--unenforced",
)
MAYBE_UNENFORCED = Rule(
    "kernel-hashes-maybe-enforced",
    "kernel hashes are measured, and whether the firmware enforces them is not known",
    "--unenforced",
)
ENDORSED = Rule("exported-endorsed", "endorsed, and the firmware is not known", "--endorsed")
LAUNCH_UNKNOWN = Rule("launch-not-known", "the firmware is not known to launch", "--launch-unknown")
NO_KERNEL = Rule(
    "digest-covers-no-kernel", "no kernel hashes are measured: the host chooses what is booted", "--no-kernel"
)
IGVM_FILE = Rule(
    "digest-covers-igvm-file",
    "the digest covers an IGVM file, and whether a kernel is in it is not known",
    NO_KERNEL.option,
)
KERNEL_IN_RTMRS = Rule(
    "digest-covers-no-kernel", "an MRTD covers no kernel, RTMR1 and RTMR2 do: compare these, too", always=True
)
DEPRECATED = Rule("deprecated", "deprecated by the publisher of the log", always=True)
MAY_NOT_HALT = Rule(
    "kernel-hashes-may-not-halt",
    "the firmware verifies kernel hashes, and may not halt when one differs (edk2 before 2024-08)",
    always=True,
)

RULES = (
    REVOKED,
    NOT_LAUNCHABLE,
    HOSTED,
    ONLY_REPORTED,
    UNENFORCED,
    MAYBE_UNENFORCED,
    ENDORSED,
    LAUNCH_UNKNOWN,
    NO_KERNEL,
    IGVM_FILE,
    DEPRECATED,
    MAY_NOT_HALT,
    KERNEL_IN_RTMRS,
)
"""All rules, the worst first: the worst one is the reason that is told."""

OPTIONS = tuple(dict.fromkeys(rule.option for rule in RULES if rule.option))
"""The options that allow something."""


def allowed_rules(options: Collection[str], *, several: bool) -> frozenset[Rule]:
    """The rules that do not prevent an export.

    options: those that were given. several: whether the export has more than one launch digest.
    """
    given = {*options, None if several else NO_KERNEL.option}
    return frozenset(rule for rule in RULES if rule.always or (rule.option is not None and rule.option in given))


def worst(rules: Collection[Rule]) -> Rule | None:
    """The worst of some rules; None if there is none."""
    return next((rule for rule in RULES if rule in rules), None)


def of_digest(rows: Collection[frozenset[Rule]]) -> frozenset[Rule]:
    """What speaks against a launch digest. rows: what speaks against each row with it."""
    found = frozenset(rule for rules in rows for rule in rules)
    return found if all(HOSTED in rules for rules in rows) else found - {HOSTED}


def component_rules(catalog: Catalog, row: Mapping[str, Any], revocations: Revocations[Any]) -> frozenset[Rule]:
    """What speaks against rows with these components, for any name that they have in the catalog; not its revocation.

    row: values of the fields that name components, as in the columns of a table, and of the technology.
    revocations: for the endorsement of a base.
    Raises MalformedRecord for a component that the catalog does not list, and unless it is one image or base.
    """
    if sum(row[name] is not None for name in IDENTITY) != 1:
        raise MalformedRecord("the catalog has a row that does not begin with one firmware image or base")
    if bases := catalog.bases.get(row["base_digest"], []):
        return frozenset(rule for base in bases for rule in _base_rules(catalog, base, revocations))
    table, vmm = row["kernel_hashes_sha256"], row["vmm"]
    builds = catalog.firmware.get(identity(row), [])
    if not builds or (table is not None and table not in catalog.kernel_hashes) or vmm not in (None, *catalog.profiles):
        raise MalformedRecord("the catalog has a row whose components it does not list")
    return frozenset(rule for build in builds for rule in _build_rules(catalog, build, row))


def endorsed_rules(records: Sequence[EndorsedRecord], revocations: Revocations[Any]) -> frozenset[Rule]:
    """What speaks against a digest that no row has. records: its endorsements, at least one."""
    endorsing = [record for record in records if record.endorser_scheme != REPORTED]
    found = {ENDORSED} if endorsing else {ONLY_REPORTED}
    found |= {rule for record in records for rule in _severity_rules(revocations.severity(record))}
    found |= {KERNEL_IN_RTMRS for record in records if record.technology == TDX}
    return frozenset(found)


def revocation_reason(records: Iterable[EndorsedRecord], revocations: Revocations[Any]) -> str | None:
    """Why the first revoked one of some endorsements is revoked, in the words of the publisher; None: none is."""
    found = (revocations.status(record) for record in records)
    return next((one.reason for one in found if one is not None and one.severity == "revoked"), None)


def endorsement_rules(
    records: Iterable[EndorsedRecord], technology: str, revocations: Revocations[Any]
) -> Mapping[bytes, tuple[frozenset[Rule], str | None]]:
    """The launch digests of a technology that have a revoked or deprecated endorsement: what speaks against rows with
    them, and why it was revoked.

    records: all endorsements of a catalog.
    """
    found: dict[bytes, tuple[frozenset[Rule], str | None]] = {}
    for record in records:
        if record.technology != technology:
            continue
        if rules := frozenset(_severity_rules(revocations.severity(record))):
            digest = bytes.fromhex(record.launch_digest)
            before, reason = found.get(digest, (frozenset(), None))
            found[digest] = before | rules, reason or revocation_reason([record], revocations)
    return found


def notes_on(counts: Mapping[Rule, int]) -> list[Note]:
    """Notes on what was exported. counts: launch digests by what speaks against them."""
    shown = [(rule, counts[rule]) for rule in RULES if counts.get(rule)]
    return [Note(rule.code, f"{count_digests(count)} exported: {rule.why}") for rule, count in shown]


def count_digests(count: int) -> str:
    """A number of launch digests, for people."""
    return f"{count:,} launch digest{'' if count == 1 else 's'}"


def _build_rules(catalog: Catalog, build: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Rule]:
    vmm, technology = row["vmm"], row["technology"]
    if technology == TDX:
        yield KERNEL_IN_RTMRS
    elif row["kernel_hashes_sha256"] is None:
        yield IGVM_FILE if catalog.builds[build["name"]].is_igvm else NO_KERNEL
    elif build["kernel_hashes_enforced"] != "yes":
        yield UNENFORCED if build["kernel_hashes_enforced"] == "no" else MAYBE_UNENFORCED
    elif not verifier_halts(build["version"]):
        yield MAY_NOT_HALT
    hosted = vmm and hosted_verdict(vmm, catalog.profiles[vmm].wire.hosted, build["distribution"])
    recorded = catalog.launchable.get((build["name"], technology), {"verdict": NOT_RECORDED.verdict})["verdict"]
    if recorded == "no":
        yield NOT_LAUNCHABLE
    elif hosted:
        yield HOSTED
    elif recorded != "yes":
        yield LAUNCH_UNKNOWN


def _base_rules(catalog: Catalog, base: Base, revocations: Revocations[Any]) -> Iterator[Rule]:
    """Rows that follow from a base rest on its endorsement."""
    yield ONLY_REPORTED if base.endorser.scheme == REPORTED else ENDORSED
    by = {name: getattr(base.endorser, name) for name in ("scheme", "id", "feed", "svn")}
    for record in catalog.endorsements.of(base.digest):
        if msgspec.to_builtins(record.endorser) == by:
            yield from _severity_rules(revocations.severity(record))


def _severity_rules(severity: str | None) -> Iterator[Rule]:
    if severity == "revoked":
        yield REVOKED
    elif severity == "deprecated":
        yield DEPRECATED
