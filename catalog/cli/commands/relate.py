"""`ldcat relate`: find which SEV-SNP launch digests are of one launch with different numbers of vCPUs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

from catalog.abi.digest import LaunchDigest
from catalog.ask.evidence_files import read_digests
from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import QuietOption, TableFormatOption, number_option
from catalog.cli.program.chosen_backend import hash_backend
from catalog.errors import UsageError
from catalog.fast.match_text import fact_lines
from catalog.fast.note_text import note_line
from catalog.relate.relate import Related, relate
from catalog.relate.related_chains import RESTS_ON
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.work.engine import local_engine, processors

HELP_ORDER = 55
HELP_GROUP = Group.GUEST_OWNERS
EXAMPLES = (Example("ldcat relate digests.txt", "Find digests of one launch with different numbers of vCPUs"),)
EXIT_CODES = {0: "a relation was found", 1: "none was found"}


def command(
    digests: Annotated[
        list[str],
        Argument(
            metavar="DIGEST|FILE|-...",
            help="SEV-SNP launch digests in hex or base64, or files: digests, one a line, or an attestation report; "
            "- reads stdin.",
        ),
    ],
    most: Annotated[
        int | None,
        Option(
            "--more-vcpus",
            parser=number_option,
            metavar="N",
            help="How many more vCPUs to try. By default 511, and 64 with unknown reset addresses.",
        ),
    ] = None,
    reset_base: Annotated[
        list[int] | None,
        Option(
            parser=number_option,
            metavar="ADDRESS",
            help="Search unknown AP reset addresses in the 64 KiB from here, such as 0x800000. May be repeated. By "
            "default 0x800000 and 0, for up to 8 digests.",
        ),
    ] = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Find launch digests of one launch that differ in vCPU count.

    All APs of an SEV-SNP launch have the same VMSA page, which is measured last. So a digest becomes that of a launch
    with more vCPUs by equal steps, which are tried for every VMM profile of firmware images, vCPU type and reset
    address that is known. No firmware and no catalog is needed.
    """
    if digests.count("-") > 1:
        raise UsageError("stdin can be read only once", "give the other digests as a file")
    given: list[LaunchDigest] = []
    for number, one in enumerate(digests, 1):
        given += read_digests(one, sys.stdin.buffer, f"argument {number}")
    backend = hash_backend()
    with (
        render.progress(quiet=quiet, plain=False) as begin,
        local_engine(processors(), threads=backend.compiled) as engine,
    ):
        found = relate(
            given, most=most, upper_halves=reset_base or (), engine=engine, backend=backend, start_progress=begin
        )
    if output is Format.JSON:
        render.json_document(found.to_dict())
    else:
        for text in _lines(found):
            render.line(text)
    return 0 if found.chains else 1


def _lines(found: Related) -> Iterator[str]:
    for number, chain in enumerate(found.chains, 1):
        facts: list[tuple[str, object]] = [("AP page", chain.page)]
        facts += [(f"n + {member.more}" if member.more else "n", member.digest.hex()) for member in chain.members]
        yield from fact_lines(facts, title=f"chain {number}: one launch with n or more vCPUs, n unknown")
        yield from (f"  {text}" for text in chain.inferred())
    if found.chains:
        yield note_line(RESTS_ON)
    if found.unrelated:
        count = len(found.unrelated)
        yield f"{count} launch digest{'s are' if count > 1 else ' is'} related to no other"
    yield f"tried: {found.tried}"
