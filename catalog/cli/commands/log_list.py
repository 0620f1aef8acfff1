"""`ldcat log-list`: print the entry of a log for lists of logs that witnesses read."""

from __future__ import annotations

from typing import Annotated

from catalog.cli.declare.declared import Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import OwnTrustOption, number_option
from catalog.cli.publisher_options import trust_note_file
from catalog.cli.trust_files import trust_in
from catalog.errors import UsageError
from catalog.terminal import render

HELP_ORDER = 235
HELP_GROUP = Group.PLATFORM_OWNERS

EXAMPLES = (
    Example(
        "ldcat log-list --contact 'ops (at) example.com' --trust trust.note > logs",
        "Write it for an operator of a witness",
    ),
)


def command(
    contact: Annotated[
        str, Option(metavar="TEXT", help="How people reach you: an address, or a URL. It will be public.")
    ],
    qpd: Annotated[
        int,
        Option(
            parser=number_option, metavar="N", help="How many times a day you ask a witness for a cosignature at most."
        ),
    ] = 24,
    trust_file: OwnTrustOption = None,
) -> int:
    """Print the logs of a trust note, for operators of witnesses.

    `ldcat witness serve --logs` reads such a list, and so do the witnesses of the public witness network. It names the
    Ed25519 key of each log.
    """
    from catalog.transparency.keys import SignatureType
    from catalog.transparency.log_list import ListedLog, LogList, keys_by_name

    trust = trust_in(trust_note_file(trust_file))
    listed = []
    for origin, keys in keys_by_name(trust.policy.logs).items():
        usable = [key for key in keys if key.type is SignatureType.ED25519]
        if len(usable) != 1:
            raise UsageError(
                f"{origin} has {len(usable)} Ed25519 keys in the trust note, and a list of logs names one of each log",
                "ldcat keygen ORIGIN makes one, and one for ML-DSA-44",
            )
        listed.append(ListedLog.of(usable[0], qpd, contact))
    render.exact(bytes(LogList(tuple(listed))).decode().removesuffix("\n"))
    return 0
