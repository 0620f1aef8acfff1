"""`ldcat revoke`: revoke, deprecate or restore rows and endorsed digests of a log, in a new release."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.cli.help_form import Example, Group
from catalog.cli.options import OwnKeyOption, PassphraseOption, QuietOption, TableFormatOption, WrittenLogOption
from catalog.cli.publisher_options import freshness, log_folder, log_signers, warn_if_never_signed
from catalog.cli.row_options import with_row_options
from catalog.state.folders import remembered
from catalog.store.catalog import Catalog
from catalog.terminal import render
from catalog.terminal.moments import moment
from catalog.terminal.render import Format

if TYPE_CHECKING:
    from catalog.log.records import RevokeRecord
    from catalog.publish.publish import Published

HELP_ORDER = 90
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example(
        "ldcat revoke --log public --key keys/log.key --severity revoked --reason 'CVE-2026-0001' "
        "--firmware sid/ovmf-amdsev/OVMF.amdsev.fd",
        "Revoke every launch of a build",
    ),
    Example(
        "ldcat revoke --log public --key keys/log.key --severity deprecated --reason 'measured by mistake' "
        "--digest 3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f",
        "Deprecate one launch digest",
    ),
)
EXIT_CODES = {
    4: "verification failed",
    9: "the log is older than what this machine signed last",
}


class Severity(StrEnum):
    """The status of the selected rows from now on."""

    REVOKED = "revoked"
    DEPRECATED = "deprecated"
    RESTORED = "restored"


@with_row_options
def command(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Reason: one line for whoever looks up such a row.")],
    severity: Annotated[
        Severity,
        typer.Option(help="revoked: do not rely on it; deprecated: still valid; restored: neither any more."),
    ],
    log: WrittenLogOption = None,
    key: OwnKeyOption = None,
    passphrase: PassphraseOption = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
    *,
    selected: dict[str, Any],
) -> int:
    """Revoke, deprecate or restore launch digests of a log.

    Rows and endorsed digests are selected by the options below. The new release has the same catalog, and nothing is
    deleted. The newest record that selects a row counts, also for rows that are published later. To correct a wrong
    digest, revoke it by --digest, then publish the right one.
    """
    from catalog.ask.selector import build_selector  # cryptography takes long to load
    from catalog.log.log_folder import LogFolder
    from catalog.log.revocations import new_revocation
    from catalog.publish.publish import publish
    from catalog.verify.verify_release import unverified_release

    signers = log_signers(key, passphrase)
    folder = LogFolder(log_folder(log))
    catalog = Catalog.open_release(unverified_release(folder, None))  # `publish` verifies it
    selector = build_selector(catalog, selected)
    record = new_revocation(selector, severity.value, reason)
    state = remembered("signed", signers[0].key.name)
    state.check_signed_by([signer.key for signer in signers])
    warn_if_never_signed(folder, state)
    published = publish(catalog, folder, signers, state, revokes=[record], unchanged=True, now=int(time.time()))
    _print(folder.root, published, record, output, quiet=quiet)
    return 0


def _print(log: Path, published: Published, record: RevokeRecord, output: Format, *, quiet: bool) -> None:
    """Print the new release, and which rows the record selects."""
    until, what_to_do = freshness(log, published)
    facts = {
        "origin": published.checkpoint.origin,
        "release": published.release,
        "severity": record.severity,
        "selector": record.selector,
        "rows": published.selected,
        "reason": record.reason,
        "trust_version": published.trust_version,
        **published.checkpoint.to_dict(),
        "fresh_until": until,
    }
    if output is Format.JSON:
        render.json_document(facts)
    else:
        shown = facts | {"selector": record.selector_text, "fresh_until": until and moment(until)}
        render.facts([fact for fact in shown.items() if fact[1] is not None], title=str(log))
    for why in published.false:
        render.warning(f"{why}; this release is right by itself")
    if not quiet:
        render.note(what_to_do)
