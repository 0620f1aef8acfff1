"""`ldcat keygen`: new keys for a log, a witness or a root of trust."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from catalog.cli.options import PassphraseOption, named_path, read_passphrase
from catalog.errors import UsageError
from catalog.terminal import render

HELP_ORDER = 70


class Algorithm(StrEnum):
    """What a key signs with; hybrid: with both."""

    ED25519 = "ed25519"
    ML_DSA_44 = "ml-dsa-44"
    HYBRID = "hybrid"


class Role(StrEnum):
    """What a key is for: signatures of checkpoints, cosignatures of them, signatures of trust notes."""

    LOG = "log"
    WITNESS = "witness"
    ROOT = "root"


def command(
    name: Annotated[
        str, typer.Argument(help="Name of the key; of a log its origin, such as example.com/launch-digests.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", parser=named_path, metavar="FILE", help="File of private keys, never overwritten."),
    ],
    role: Annotated[
        Role, typer.Option("--for", help="What it signs: checkpoints, cosignatures, trust notes.")
    ] = Role.LOG,
    algorithm: Annotated[
        Algorithm | None,
        typer.Option(help="hybrid, a key of each, is what logs and witnesses have by default; roots have ed25519."),
    ] = None,
    passphrase: PassphraseOption = None,
) -> int:
    """Make keys, and print their verifier keys, which are public.

    The file of the private ones is for its owner alone (mode 0600).
    """
    from catalog.publish.key_files import new_key, write_keys  # cryptography takes long to load
    from catalog.transparency.keys import SignatureType

    ed25519 = SignatureType.COSIGNATURE_ED25519 if role is Role.WITNESS else SignatureType.ED25519
    kinds = {
        Algorithm.ED25519: [ed25519],
        Algorithm.ML_DSA_44: [SignatureType.COSIGNATURE_ML_DSA_44],
        Algorithm.HYBRID: [ed25519, SignatureType.COSIGNATURE_ML_DSA_44],
    }[algorithm or (Algorithm.ED25519 if role is Role.ROOT else Algorithm.HYBRID)]
    if role is Role.ROOT and kinds != [SignatureType.ED25519]:
        raise UsageError("ML-DSA-44 signs checkpoints alone, and a trust note is none", "--algorithm ed25519")
    pairs = [new_key(name, kind) for kind in kinds]
    write_keys(out, pairs, read_passphrase(passphrase))
    for pair in pairs:
        render.exact(str(pair.key))
    return 0
