"""`ldcat monitor`: follow a log on a static host: what is new, and whether it still has the same history."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import FORMAT, LogTrustOption, QuietOption, named_path, number_option
from catalog.errors import LdcatError
from catalog.fast.beneath import MAX_READ
from catalog.files.inputs import read_file
from catalog.state.folders import state_folder
from catalog.terminal import render
from catalog.terminal.next_step import next_step
from catalog.terminal.render import Format
from catalog.verify.location import HostedLocation

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LogFolder
    from catalog.operate.monitor import Watched
    from catalog.transparency.trust import Trust


HELP_ORDER = 180
HELP_GROUP = Group.AUDITORS
EXAMPLES = (
    Example(
        "ldcat monitor https://log.example.com --trust trust.note",
        "Compare a log with its state at the last check",
        runs=False,
    ),
    Example(
        "ldcat monitor https://log.example.com --trust trust.note --every 3600 --format jsonl",
        "Check every hour, with a line of JSON for each check",
        runs=False,
    ),
)
EXIT_CODES = {
    4: "a fork; both signed checkpoints are kept as evidence",
    5: "the host does not answer",
    6: "the quorum did not cosign the checkpoint",
    8: "stale",
    9: "older than at the last check",
    11: "a release record or revocations do not follow from the log",
}


def command(
    url: Annotated[str, Argument(metavar="URL", help="URL of the log on a static host, https://HOST/PATH.")],
    trust_file: LogTrustOption,
    evidence: Annotated[
        Path | None,
        Option(
            parser=named_path,
            metavar="DIR",
            help="Folder for both checkpoints of a fork; if not given, in the state folder.",
        ),
    ] = None,
    every: Annotated[
        int | None,
        Option(
            parser=number_option,
            metavar="SECONDS",
            help="Check again and again, until interrupted; if not given, once.",
        ),
    ] = None,
    output: Annotated[Literal[Format.TABLE, Format.JSON, Format.JSONL], FORMAT] = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Check a published log, and what changed since the last check.

    It lists new releases and revocations. The format json prints one document, jsonl a line for each check, whatever is
    found.
    """
    from catalog.transparency.trust import read_trust
    from catalog.verify.hosted_log import HostedLog  # cryptography takes long to load

    log = HostedLog.of(HostedLocation(url, None))
    kept = evidence or state_folder() / "watched" / "evidence"
    while True:
        trust = read_trust(read_file(trust_file, limit=MAX_READ, regular=True))
        now = int(time.time())
        try:
            watched = _look(log, trust, kept, now)
        except LdcatError as failure:
            _say_failure(failure, log.name, now, output)
            if every is None:
                raise
            render.problem(str(failure), next_step(failure, "ldcat monitor"))
        else:
            _say(watched, log.name, now, output, quiet=quiet and every is None)
        if every is None:
            return 0
        time.sleep(max(1, every))


def _look(log: LogFolder, trust: Trust, evidence: Path, now: int) -> Watched:
    """Check the log once, and remember its state if it is valid.

    now: seconds since 1970. Raises as `watch` and `verified_against_seen`; Forked with the folder of the evidence.
    """
    from catalog.log.seen import Kept
    from catalog.operate.monitor import Forked, watch
    from catalog.publish import fork_evidence
    from catalog.state.seen_logs import seen_checkpoints, verified_against_seen

    def verify(kept: Mapping[str, Kept]) -> tuple[Watched, Kept]:
        watched = watch(log, trust, {origin: one.note for origin, one in kept.items()}, seen_checkpoints(kept), now=now)
        found = watched.seen
        return watched, Kept(watched.note, found.revocations, found.from_leaves, found.commits)

    try:
        watched, _ = verified_against_seen({key.name for key in trust.policy.logs}, verify, "watched")
    except Forked as fork:
        raise fork.kept(fork_evidence.keep(fork.files, evidence)) from fork
    return watched


def _say(watched: Watched, url: str, now: int, output: Format, *, quiet: bool) -> None:
    if output is not Format.TABLE:
        _document({"url": url, "time": now, **watched.to_dict(), "error": None}, output)
    elif not quiet:
        for text in _lines(watched, url, now):
            render.line(text)
    for note in watched.notes:
        render.warning(note.text)
    if watched.newer_trust:
        render.warning(f"the publisher stands by version {watched.newer_trust} of the trust note: obtain it")


def _say_failure(failure: LdcatError, url: str, now: int, output: Format) -> None:
    if output is not Format.TABLE:
        error = {"exit_code": failure.exit_code, "message": str(failure), "hint": failure.hint}
        _document({"url": url, "time": now, "change": None, "error": error}, output)


def _document(record: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        render.json_document(record)
    else:
        render.json_lines([record])


def _lines(watched: Watched, url: str, now: int) -> Iterator[str]:
    from catalog.transparency.durations import span

    found, last = watched.checkpoint, watched.before
    before = "" if last is None else f", {last.size:,} at the last check"
    yield f"{watched.change}  {found.origin} at {url}: {found.size:,} leaves{before}"
    names = ", ".join(dict.fromkeys(signer.key.name for signer in watched.signers))
    fresh = f"fresh for {span(watched.fresh_until - now)}"
    yield f"  release {watched.last_release} is the last one; signed by {names}; {fresh}"
    for release in watched.releases:
        manifest = release.record.artifacts.get("manifest.json")
        yield f"  + release {release.record.release}, manifest {manifest}"
        yield from (f"    ! false, and corrected by a later release: {why}" for why in release.false)
        yield from (f"    ! {why}" for why in release.steps_back)
        yield from (f"    x {one.severity}: {one.selector_text}: {one.reason}" for one in release.revokes)
    for mark, records in (("+", watched.endorsements.added), ("-", watched.endorsements.withdrawn)):
        yield from (f"  {mark} endorsed {one.launch_digest} by {one.endorser_id}" for one in records)
