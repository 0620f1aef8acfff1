"""`ldcat publish`: append the rows of a catalog to a log, and sign its files as a release."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import (
    OwnKeyOption,
    PassphraseOption,
    QuietOption,
    TableFormatOption,
    WrittenLogOption,
    named_path,
)
from catalog.cli.publisher_options import (
    catalog_folder,
    freshness,
    log_folder,
    log_signers,
    own_trust,
    trust_note_file,
    warn_if_never_signed,
    warn_if_other_trust,
)
from catalog.cli.trust_files import trust_in
from catalog.state.folders import remembered
from catalog.terminal import render
from catalog.terminal.moments import moment
from catalog.terminal.render import Format
from catalog.verify.checked_index import check_components_once, check_index_once
from catalog.verify.opening import open_unpublished

if TYPE_CHECKING:  # cryptography and pyarrow take long to load
    from catalog.publish.catalog_tables import Tables
    from catalog.publish.publish import Published
    from catalog.store.catalog import Catalog

HELP_ORDER = 80
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example("ldcat publish catalog --log public --key keys/log.key", "Publish a catalog as the next release"),
    Example(
        "ldcat publish catalog --log public --key keys/log.key --oci layout",
        "Also write the release for a registry of containers",
    ),
)
EXIT_CODES = {
    4: "verification failed: nothing was published",
    9: "the log is older than what this machine signed last",
}


def command(
    catalog: Annotated[
        Path | None,
        Argument(
            parser=named_path,
            metavar="CATALOG",
            help="Folder that `ldcat build` wrote; if not given, that in ldcat.toml, otherwise the default catalog.",
        ),
    ] = None,
    log: WrittenLogOption = None,
    key: OwnKeyOption = None,
    trust: Annotated[
        Path | None,
        Option(
            parser=named_path,
            metavar="FILE",
            help="Trust note that you stand by from this release on; if not given, that in ldcat.toml if it names the "
            "log, otherwise that of the last release.",
        ),
    ] = None,
    lower_trust_version: Annotated[
        bool,
        Option(
            "--lower-trust-version",
            help="Go back, if the last release names a version of the trust note that never existed.",
        ),
    ] = False,
    oci: Annotated[
        Path | None,
        Option(
            parser=named_path,
            metavar="DIR",
            help="Also write the release to this OCI image layout, from which skopeo or oras copy it to a registry.",
        ),
    ] = None,
    passphrase: PassphraseOption = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Publish a catalog as a new release of a log.

    Rows that are new are appended, and the checkpoint is signed. If it is interrupted, the last release stays intact,
    and the next run continues. A log that is older than what this machine signed last is refused. So is a catalog that
    has another digest for a configuration of the log, whose components contradict the measured files, or whose index
    disagrees with its rows.
    """
    from catalog.log.log_folder import LogFolder

    set_up, given = log is None or key is None, trust
    is_own = log is None  # the log of ldcat.toml, and its trust note
    if log is None:
        log, trust = log_folder(None), trust_note_file(trust)
    _check_target(log, oci)
    signers = log_signers(key, passphrase)
    note = own_trust(given) if is_own else None if trust is None else trust_in(trust)
    opened, tables = _checked(catalog_folder(catalog, set_up=set_up, quiet=quiet))
    state = remembered("signed", signers[0].key.name)
    state.check_signed_by([signer.key for signer in signers])
    warn_if_never_signed(LogFolder(log), state, trust)
    from catalog.publish.publish import publish  # while the first rows are read

    published = publish(
        opened,
        LogFolder(log),
        signers,
        state,
        tables=tables,
        trust=note,
        lower_trust_version=lower_trust_version,
        now=int(time.time()),
    )
    _print(log, opened, published, trust, _write_layout(log, oci, published, opened), output, quiet=quiet)
    if is_own:
        warn_if_other_trust(given)
    return 0


def _checked(folder: Path) -> tuple[Catalog, Tables]:
    """The catalog, whose components and index are right, and its rows, of which the first are read meanwhile."""
    from catalog.files.direct_io import keep_blocks, keep_freed_memory
    from catalog.publish.catalog_tables import catalog_tables
    from catalog.work.ahead import made_ahead

    opened = open_unpublished(folder)
    keep_blocks()
    tables = made_ahead(catalog_tables(opened))
    keep_freed_memory()  # for the leaves, a few MiB at a time; pyarrow is loaded while the first file is read
    check_components_once(opened)
    check_index_once(opened)
    return opened, tables


def _check_target(log: Path, oci: Path | None) -> None:
    """Raises as oci_release.check_target. oci: the folder of the image layout, if there is one."""
    if oci:
        from catalog.publish.oci_release import check_target

        check_target(log, oci)


def _write_layout(log: Path, oci: Path | None, published: Published, catalog: Catalog) -> str | None:
    """Write the release to an image layout, if there is one; the digest of its manifest. Raises as oci_release."""
    if not oci:
        return None
    from catalog.log.log_folder import LogFolder
    from catalog.publish.oci_release import write_release

    return write_release(LogFolder(log), oci, published, catalog.manifest.files)


def _print(
    log: Path,
    catalog: Catalog,
    published: Published,
    trust: Path | None,
    oci_digest: str | None,
    output: Format,
    *,
    quiet: bool,
) -> None:
    """The new release, what it was made of, and warnings about its rows and about earlier release records."""
    until, what_to_do = freshness(log, published, trust)
    found = published.checkpoint
    facts = {
        "origin": found.origin,
        "release": published.release,
        "new_rows": published.new_rows,
        "new_endorsed": published.new_endorsed,
        "catalog": str(catalog.folder),
        "catalog_name": catalog.manifest.name,
        "trust_version": published.trust_version,
        **found.to_dict(),
        "fresh_until": until,
        "oci_digest": oci_digest,
    }
    if output is Format.JSON:
        render.json_document(facts)
    else:
        shown = {  # no more terms than `ldcat init` names: the rest is in JSON
            "log": found.origin,
            "release": published.release,
            "catalog": f"{catalog.folder} ({catalog.manifest.name})",
            "launch digests": f"{published.new_rows + published.new_endorsed:,} new",
            "fresh until": until and moment(until),
            "OCI digest": oci_digest,
        }
        render.facts([fact for fact in shown.items() if fact[1] is not None], title=str(log))
    if published.new_revoked:
        new = "new rows and endorsed digests" if published.new_endorsed else "new rows"
        render.warning(f"{published.new_revoked} of the {new} are revoked already, by a revocation in the log")
    if not published.new_rows and not published.new_endorsed and not quiet:
        render.note("the log has every row of this catalog")
    for why in published.false:
        render.warning(f"{why}; this release is right by itself")
    if not quiet:
        render.note(what_to_do)
