"""`ldcat doctor`: report current and upcoming problems of a published log."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import OwnTrustOption, TableFormatOption, named_location
from catalog.cli.publisher_options import is_own, log_folder, own_note
from catalog.cli.trust_files import unsigned_trust_in
from catalog.errors import UsageError
from catalog.fast.match_text import fact_lines
from catalog.state.folders import remembered
from catalog.state.publisher import Publisher
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.verify.location import CatalogLocation, HostedLocation

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LogFolder
    from catalog.net.static_host import StaticHost
    from catalog.operate.doctor import Examination
    from catalog.operate.finding import Finding


HELP_ORDER = 170
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example("ldcat doctor public --trust trust.note", "Check a log before and after it is published"),
    Example(
        "ldcat doctor https://log.example.com --trust trust.note",
        "Check what the host serves",
        runs=False,
    ),
)
EXIT_CODES = {0: "no finding is an error", 1: "a finding is an error"}


def command(
    location: Annotated[
        Any,  # CatalogLocation | None
        Argument(
            parser=named_location,
            metavar="[LOG]",
            envvar="LDCAT_LOG",
            help="Folder of the log, or its URL; if not given, the folder in ldcat.toml.",
        ),
    ] = None,
    trust: OwnTrustOption = None,
    url: Annotated[
        str | None,
        Option(metavar="URL", help="Where the folder is served: its headers are checked, and its bytes compared."),
    ] = None,
    output: TableFormatOption = Format.TABLE,
) -> int:
    """Report problems of a published log, and what to do about them.

    Current and upcoming problems are reported. It checks the signatures that the policy of the trust note demands,
    expiry dates, whether the files are consistent, and the headers of the host that serves them. With a URL in place of
    the folder, what the host serves is checked.
    """
    from catalog.log.log_folder import no_log
    from catalog.net.static_host import StaticHost
    from catalog.operate.doctor import examination_to_dict, examine
    from catalog.operate.finding import is_healthy
    from catalog.transparency.trust import Trust
    from catalog.verify.hosted_log import HostedLog

    log = _log(location, url)
    host = log.host if isinstance(log, HostedLog) else None if url is None else StaticHost.parse(url)
    with own_note(trust) as path:
        trust_note = unsigned_trust_in(path)
    signed = {key.name: remembered("signed", key.name) for key in Trust.parse(trust_note.text).policy.logs}
    if log.is_here and not log.root.is_dir():
        raise no_log(log, signed.values())
    now = int(time.time())
    is_compared = host is not None or not is_own(log.root)
    found = examine(log, trust_note, signed, compares=is_compared, now=now)
    is_seen = log.is_here or found.checkpoint is not None  # otherwise the host is what was examined
    served = list(_ask(host, log, found, now)) if host and is_seen else []
    record = examination_to_dict(found, served, now)
    if output is Format.JSON:
        render.json_document(record)
    else:
        for text in _lines(record, log.name):
            render.line(text)
    return 0 if is_healthy([*found.findings, *served]) else 1


def _log(location: CatalogLocation | None, url: str | None) -> LogFolder:
    """The log to examine: a folder, or what a host serves. Raises UsageError for two URLs, and as `log_folder`."""
    from catalog.log.log_folder import LogFolder
    from catalog.verify.hosted_log import HostedLog

    if location is None and url and not Publisher.find():
        return HostedLog.of(HostedLocation(url, None))
    if not isinstance(location, HostedLocation):
        return LogFolder(log_folder(location, "ldcat doctor FOLDER|URL"))
    if url:
        raise UsageError("two URLs are given", "ldcat doctor URL, or ldcat doctor FOLDER --url URL")
    return HostedLog.of(HostedLocation(location.url, None))


def _ask(host: StaticHost, log: LogFolder, found: Examination, now: int) -> Iterator[Finding]:
    from catalog.operate.doctor_host import host_findings, probes
    from catalog.operate.finding import note
    from catalog.transparency.merkle import root_hash
    from catalog.transparency.tiles import TileReader

    if found.checkpoint is None:
        yield note("host", "was not checked: the folder has no checkpoint to compare with", "repair the folder first")
    else:
        root_at = (lambda size: root_hash(size, TileReader(log, size).node)) if log.is_here else None
        yield from host_findings(probes(log, found.checkpoint, found.release), host.send, now, root_at)


def _lines(record: dict[str, Any], title: str) -> Iterator[str]:
    from catalog.transparency.durations import span

    checkpoint, release = record["checkpoint"], record["release"]
    facts = [("trust note", f"version {record['trust']['version']}, quorum {record['trust']['quorum'] or 'none'}")]
    if checkpoint:
        facts += [("log", checkpoint["origin"]), ("leaves", checkpoint["size"])]
    if release:
        facts.append(("release", release["release"]))
    for signer in record["signers"]:
        when = "" if signer["age"] is None else f", {span(max(0, signer['age']))} ago"
        facts.append(("signed by", f"{signer['name']} ({signer['algorithm']}){when}"))
    yield from fact_lines(facts, title=title)
    for severity in ("error", "warning", "note"):
        some = [finding for finding in record["findings"] if finding["severity"] == severity]
        yield from _group(severity, some)
    if not record["findings"]:
        yield "nothing is wrong"


def _group(severity: str, findings: Iterable[dict[str, str]]) -> Iterator[str]:
    for number, finding in enumerate(findings):
        if not number:
            yield f"{severity}s"
        yield f"  {finding['subject']}: {finding['what']}"
        yield f"    > {finding['advice']}"
