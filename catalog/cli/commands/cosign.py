"""`ldcat cosign`: a witness, a rebuilder or a heartbeat key cosigns the checkpoint that a log publishes."""

from __future__ import annotations

import time
from typing import Annotated

from catalog.cli.declare.declared import Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import (
    OwnKeyOption,
    OwnLogOption,
    OwnTrustOption,
    PassphraseOption,
    QuietOption,
    TableFormatOption,
)
from catalog.cli.publisher_options import heartbeat_key_file, log_folder, own_trust
from catalog.terminal import render
from catalog.terminal.moments import moment
from catalog.terminal.render import Format

HELP_ORDER = 100
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example("ldcat cosign --log public --key keys/witness.key --trust trust.note", "Cosign the newest checkpoint"),
    Example(
        "ldcat cosign --log public --key keys/witness.key --trust trust.note --heartbeat",
        "Cosign it again: it is still the newest",
    ),
)
EXIT_CODES = {
    4: "a fork, or an older checkpoint; both checkpoints are kept as evidence",
    6: "untrusted signer",
}


def command(
    log: OwnLogOption = None,
    key: OwnKeyOption = None,
    trust_file: OwnTrustOption = None,
    heartbeat: Annotated[
        bool,
        Option("--heartbeat", help="Cosign again, with the current time: the checkpoint is still the newest."),
    ] = False,
    passphrase: PassphraseOption = None,
    output: TableFormatOption = Format.TABLE,
    quiet: QuietOption = False,
) -> int:
    """Cosign the published checkpoint of a log.

    It has to be consistent with the last one that this key cosigned. All other signatures stay. A checkpoint that has
    the cosignature already is cosigned again only with --heartbeat. A fork or an older checkpoint is refused (exit code
    4), and both checkpoints are kept as evidence.
    """
    from catalog.cli.cosigning import cosign_now, cosigned_facts, cosigner_keys
    from catalog.log.log_folder import LogFolder
    from catalog.publish.keeping_fresh import fresh_until  # cryptography takes long to load

    trust = own_trust(trust_file)
    pairs = cosigner_keys(heartbeat_key_file(key), passphrase)
    folder = LogFolder(log_folder(log))
    cosigned = cosign_now(folder, pairs, trust, heartbeat=heartbeat)
    facts = cosigned_facts(cosigned, pairs[0].key.name)
    if output is Format.JSON:
        render.json_document(facts)
    else:
        note = folder.checkpoint()
        assert note is not None, "it was cosigned"  # noqa: S101
        until = fresh_until(trust, note, 0, int(time.time()))
        shown = facts | {"time": moment(cosigned.time), "fresh until": until and moment(until)}
        render.facts([fact for fact in shown.items() if fact[1] is not None], title=str(folder.root))
    if not cosigned.signed and not quiet:
        render.note("it was cosigned already; --heartbeat cosigns it again")
    return 0
