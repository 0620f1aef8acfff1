"""`ldcat revoke`: rows of a log taken back, deprecated or restored, in a release of their own."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.options import PassphraseOption, TableFormatOption, named_path, number_option, passphrase_of, require
from catalog.state.folders import remembered
from catalog.store.catalog import Catalog
from catalog.terminal import render
from catalog.terminal.render import Format

if TYPE_CHECKING:
    from catalog.log.records import RevokeRecord
    from catalog.publish.publish import Published

HELP_ORDER = 90

_ROWS = "Which rows: those that fit all of it"


class Severity(StrEnum):
    """What is said of rows from now on."""

    REVOKED = "revoked"
    DEPRECATED = "deprecated"
    RESTORED = "restored"


def command(
    log: Annotated[Path, typer.Option(parser=named_path, metavar="DIR", help="Folder of the log.")],
    key: Annotated[
        Path, typer.Option(parser=named_path, metavar="FILE", envvar="LDCAT_KEY", help="Private keys of the log.")
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="One line that whoever asks for a row is told.")],
    severity: Annotated[
        Severity,
        typer.Option(help="revoked: not to be relied on; deprecated: still right; restored: neither any more."),
    ],
    digest: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="Launch digest in hex or base64.", rich_help_panel=_ROWS)
    ] = None,
    technology: Annotated[
        str | None, typer.Option("--technology", "-t", help="sev, sev-es or sev-snp.", rich_help_panel=_ROWS)
    ] = None,
    firmware: Annotated[
        str | None,
        typer.Option(metavar="NAME|SHA256", help="Build by name, or SHA-256 of the image.", rich_help_panel=_ROWS),
    ] = None,
    kernel_hashes: Annotated[
        str | None,
        typer.Option(metavar="NAME|SHA256|none", help="Table by name or SHA-256, or none.", rich_help_panel=_ROWS),
    ] = None,
    vmm: Annotated[str | None, typer.Option(metavar="PROFILE", help="VMM profile.", rich_help_panel=_ROWS)] = None,
    vcpus: Annotated[
        int | None, typer.Option(parser=number_option, metavar="N", help="Number of vCPUs.", rich_help_panel=_ROWS)
    ] = None,
    vcpu_type: Annotated[
        str | None, typer.Option(metavar="NAME", help="vCPU model, as QEMU names it.", rich_help_panel=_ROWS)
    ] = None,
    vcpu_signature: Annotated[
        int | None,
        typer.Option(parser=number_option, metavar="N", help="CPUID(1).EAX of the vCPU.", rich_help_panel=_ROWS),
    ] = None,
    sev_features: Annotated[
        int | None,
        typer.Option(parser=number_option, metavar="BITS", help="sev_features of the VMSA.", rich_help_panel=_ROWS),
    ] = None,
    passphrase: PassphraseOption = None,
    output: TableFormatOption = Format.TABLE,
) -> int:
    """Take rows of a log back, deprecate or restore them: the next release, of the catalog as it is, says so.

    Nothing is ever deleted: what is said last of a row counts, of rows that are published later too. A wrong digest is
    corrected by revoking it by --digest, then publishing the right one.
    """
    from catalog.ask.selector import selector_of  # cryptography takes long to load
    from catalog.log.log_folder import LogFolder
    from catalog.log.revocations import new_revocation
    from catalog.publish.key_files import read_keys
    from catalog.publish.publish import publish
    from catalog.verify.verify_release import unverified_release

    require(output, Format.TABLE, Format.JSON)
    signers = [pair.signer for pair in read_keys(key, passphrase_of(passphrase))]
    folder = LogFolder(log)
    catalog = Catalog.open_release(unverified_release(folder, None))  # verified as it is published again
    selector = selector_of(
        catalog,
        digest=digest,
        technology=technology,
        firmware=firmware,
        kernel_hashes=kernel_hashes,
        vmm=vmm,
        vcpus=vcpus,
        vcpu_type=vcpu_type,
        vcpu_signature=vcpu_signature,
        sev_features=sev_features,
    )
    record = new_revocation(selector, severity.value, reason)
    state = remembered("signed", signers[0].key.name)
    state.check_signed_by([signer.key for signer in signers])
    published = publish(catalog, folder, signers, state, revokes=[record], unchanged=True, now=int(time.time()))
    _print(log, published, record, output)
    return 0


def _print(log: Path, published: Published, record: RevokeRecord, output: Format) -> None:
    """The new release, and which rows the record means."""
    from catalog.transparency.encoding import to_base64

    facts = {
        "origin": published.checkpoint.origin,
        "release": published.release,
        "severity": record.severity,
        "selector": record.selector,
        "rows": published.selected,
        "reason": record.reason,
        "trust_version": published.trust_version,
        "size": published.checkpoint.size,
        "root": to_base64(published.checkpoint.root),
    }
    if output is Format.JSON:
        render.json_document(facts)
    else:
        shown = facts | {"selector": record.meant}
        render.facts([fact for fact in shown.items() if fact[1] is not None], title=str(log))
    for why in published.false:
        render.warning(f"{why}; the new release is right without it")
