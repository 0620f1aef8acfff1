"""Lookups of bare digests: a batch, with one answer a line and the exit code of the worst; candidates for a prefix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.ask.answer import found_answer
from catalog.ask.lookup import Lookups
from catalog.ask.verification import VerificationInputs
from catalog.cli.options import is_setting
from catalog.diff.flat import flat
from catalog.errors import MalformedInput, UsageError
from catalog.fast.match_text import ENDORSED, NOT_FOUND, REVOKED
from catalog.terminal import render
from catalog.terminal.render import Format

if TYPE_CHECKING:
    from catalog.ask.answer import Answer
    from catalog.cli.prefix_lookup import Candidates
    from catalog.evidence.several_digests import BatchLine
    from catalog.fast.match import Match
    from catalog.store.catalog import Catalog

WORST_FIRST = (REVOKED, MalformedInput.exit_code, NOT_FOUND, ENDORSED, 0)
"""Exit codes of a line."""

_NO_DIGEST = "not a launch digest, which has 64 (SEV or SEV-ES) or 96 (SEV-SNP or TDX) hex digits"
_WORDS = {REVOKED: "revoked", NOT_FOUND: "unknown", ENDORSED: "endorsed", 0: "found"}


def look_up_batch(catalog: Catalog, lines: list[BatchLine], min_svn: Mapping[str, int], output: Format) -> int:
    """Print the answer to each line, without related digests; returns the exit code of the worst."""
    proofs = VerificationInputs(min_svn=min_svn)
    worst = len(WORST_FIRST) - 1
    columns: list[str] = []
    with closing(Lookups(catalog, render.warning)) as lookups:
        for line in lines:
            reply = None
            if line.evidence:
                reply = found_answer(catalog, line.evidence, proofs, lookups.lookup)
            worst = min(worst, WORST_FIRST.index(MalformedInput.exit_code if reply is None else reply.found_code))
            if output is Format.CSV:
                columns = _print_csv(line.number, reply, columns)
            elif output is Format.TABLE:
                render.line(_text(line.number, reply))
            else:
                render.json_lines([_record(line.number, reply)])
    return WORST_FIRST[worst]


def check_digests_alone(certs: Path | None, root: Path | None, others: Sequence[object], what: str) -> None:
    """Raises UsageError if options are given that belong to one report or launch measurement.

    certs and root may be settings of this machine. others: None for an option that is not given.
    """
    given = (certs, "LDCAT_CERTS"), (root, "LDCAT_ROOT")
    others = (*others, *(path for path, variable in given if not is_setting(path, variable)))
    if any(option is not None for option in others):
        raise UsageError(f"{what} nothing verifies", "leave out the options of reports and launch measurements")


def print_candidates(found: Candidates, output: Format) -> int:
    """Print the candidates for a prefix; returns the exit code."""
    if output is Format.JSON:
        shown = [candidate.to_dict() for candidate in found.found]
        render.json_document({"candidates": shown, "has_more": found.has_more})
    elif output is Format.TABLE:
        for one in found.found:
            names = list(dict.fromkeys([", ".join(_configuration(match)) for match in one.matches] or one.endorsers))
            render.line(f"{one.digest.hex()}  candidate{_first(names)}")
    else:
        raise UsageError("candidates are printed as a table or as JSON")
    if found.has_more:
        render.warning(f"there are more than these {len(found.found)} candidates: give more of the digest")
    if found.found:
        render.note("a candidate only begins like the digest: compare all of it")
    elif not found.has_more:
        render.note("no digest of this catalog begins like this")
    return found.exit_code


def _first(names: Sequence[str]) -> str:
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"  {names[0]}{more}" if names else ""


def _text(number: int, reply: Answer | None) -> str:
    if reply is None or reply.digest is None:
        return f"line {number}  error     {_NO_DIGEST}"
    names = list(dict.fromkeys(_names(reply)))
    return f"{reply.digest.hex()}  {_WORDS[reply.exit_code]:<8}{_first(names)}".rstrip()


def _names(reply: Answer) -> Iterator[str]:
    """What the digest is of: the configurations of each match, then the bases of inferred rows and the endorsers."""
    for match in (*reply.matches, *reply.inferred):
        yield ", ".join(_configuration(match))
    yield from (one.record.endorser_id for one in (*reply.endorsements, *reply.reported))


def _configuration(match: Match) -> Iterator[str]:
    if match.base:
        yield f"follows from {match.base['name']}"
    else:
        yield match.firmware["name"]
    if match.kernel_hashes:
        yield match.kernel_hashes["name"]
    if match.row["vmm"] is not None:
        yield match.row["vmm"]
    if match.row["vcpus"] is not None:
        yield f"{match.row['vcpus']} vCPU{'' if match.row['vcpus'] == 1 else 's'}"
    yield from match.vcpu_types[:1]


def _record(number: int, reply: Answer | None) -> dict[str, Any]:
    return {"line": number, **({"error": _NO_DIGEST} if reply is None else reply.to_dict())}


def _print_csv(number: int, reply: Answer | None, columns: list[str]) -> list[str]:
    """Print the rows of a line, and the header before the first row of all; returns the header's columns."""
    if reply is None:
        render.warning(f"line {number} is {_NO_DIGEST}")
        return columns
    if not reply.matches:
        render.warning(f"line {number}: {_WORDS[reply.exit_code]}")
    rows = [flat(with_kernel(match)) for match in reply.matches]
    if rows and not columns:
        columns = list(rows[0])
        render.csv_cells([columns])
    render.csv_cells([row.get(name) for name in columns] for row in rows)
    return columns


def with_kernel(match: Match) -> dict[str, object]:
    """The JSON of a match with every field of the kernel hashes, so that all rows of a CSV have the same columns."""
    record = match.to_dict()
    names = ("name", "table_sha256", "kernel_sha256", "initrd_sha256", "cmdline_sha256", "append")
    return {**record, "kernel_hashes": record["kernel_hashes"] or dict.fromkeys(names)}
