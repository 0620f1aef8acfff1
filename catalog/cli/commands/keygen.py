"""`ldcat keygen`: make keys for a log, a witness or a root of trust."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import OUTPUT, PassphraseOption, named_path, read_passphrase
from catalog.cli.setup.key_algorithms import Algorithm, signature_types
from catalog.errors import UsageError
from catalog.terminal import render

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.keys import SignatureType

HELP_ORDER = 70
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example("ldcat keygen example.com/digests -o log.key", "Make the keys of a log"),
    Example("ldcat keygen security-team --for root -o root.key", "Make a root key, which signs trust notes"),
)


class Role(StrEnum):
    """What a key signs: log, checkpoints; witness, cosignatures; root, trust notes."""

    LOG = "log"
    WITNESS = "witness"
    ROOT = "root"


def command(
    name: Annotated[str, Argument(help="Name of the key; for a log its origin, such as example.com/launch-digests.")],
    out: Annotated[
        Path,
        Option(*OUTPUT, parser=named_path, metavar="PATH", help="File for the private keys; never overwritten."),
    ],
    role: Annotated[
        Role, Option("--for", help="What the key signs: checkpoints, cosignatures or trust notes.")
    ] = Role.LOG,
    algorithm: Annotated[
        Algorithm | None,
        Option(help="hybrid, one key of each, is the default for logs and witnesses; ed25519 for roots."),
    ] = None,
    pem: Annotated[
        Path | None,
        Option(
            "--from",
            parser=named_path,
            metavar="PEM",
            help="Take the private keys in this file, which openssl genpkey made, instead of new ones.",
        ),
    ] = None,
    passphrase: PassphraseOption = None,
) -> int:
    """Make keys, and print their verifier keys, which are public.

    Only you can read the file with the private keys (mode 0600). The verifier keys are also in a file beside it, whose
    name ends with .pub.
    """
    from catalog.publish.key_files import import_keys, new_key, write_keys  # cryptography takes long to load
    from catalog.transparency.keys import SignatureType

    ed25519 = SignatureType.COSIGNATURE_ED25519 if role is Role.WITNESS else SignatureType.ED25519
    usual = Algorithm.ED25519 if role is Role.ROOT else Algorithm.HYBRID
    kinds = signature_types(algorithm or usual, ed25519)
    phrase = read_passphrase(passphrase)
    if pem is None:
        _check_kinds(role, kinds)
        pairs = [new_key(name, kind) for kind in kinds]
    else:
        pairs = import_keys(pem, name, ed25519, phrase)
        _check_kinds(role, [pair.key.type for pair in pairs])
        if algorithm and {pair.key.type for pair in pairs} != set(kinds):
            raise UsageError(f"{pem} has other keys than {algorithm.value}", "leave --algorithm out")
    write_keys(out, pairs, phrase)
    for pair in pairs:
        render.exact(str(pair.key))
    return 0


def _check_kinds(role: Role, kinds: Iterable[SignatureType]) -> None:
    """Raises UsageError for root keys that are not Ed25519."""
    if role is Role.ROOT and any(kind.is_timed for kind in kinds):
        raise UsageError("a root key cannot be ML-DSA-44: such keys sign only checkpoints", "--algorithm ed25519")
