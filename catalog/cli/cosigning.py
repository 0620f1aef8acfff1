"""Cosigning a log on the command line: keys, the last checkpoint that a cosigner signed, and the JSON of a result."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.cli.options import read_passphrase
from catalog.state.folders import remembered

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LogFolder
    from catalog.publish.cosign import Cosigned
    from catalog.publish.key_files import KeyPair
    from catalog.transparency.checkpoint import Checkpoint
    from catalog.transparency.trust import Trust


def cosigner_keys(key: Path, passphrase: Path | None) -> list[KeyPair]:
    """The private keys of a file; raises as `read_keys` and `read_passphrase`."""
    from catalog.publish.key_files import read_keys

    return read_keys(key, read_passphrase(passphrase))


def cosign_now(
    log: LogFolder, pairs: list[KeyPair], trust: Trust, *, heartbeat: bool = False, only: Checkpoint | None = None
) -> Cosigned:
    """Cosign with the current time. The state folder has what each cosigner cosigned last, and this machine signed.

    heartbeat: cosign again. only: the checkpoint that has to be the published one. Raises as `cosign` and `locked`.
    """
    from catalog.publish.cosign import cosign
    from catalog.state.seen_logs import locked

    name = pairs[0].key.name
    origins = {known.name for known in trust.policy.logs}
    states = {origin: remembered("cosigned", f"{origin} {name}") for origin in origins}
    signed = {origin: remembered("signed", origin) for origin in origins}
    signers = [pair.signer for pair in pairs]
    with ExitStack() as held:  # so that two copies of a log that were forked are not cosigned at the same time
        for origin, state in sorted(states.items()):
            held.enter_context(locked(state.path.with_suffix(".lock"), f"what {name} cosigned of {origin}"))
        now = int(time.time())
        return cosign(log, signers, states, trust, signed=signed, heartbeat=heartbeat, only=only, now=now)


def cosigned_facts(cosigned: Cosigned, cosigner: str) -> dict[str, Any]:
    """The JSON of `ldcat cosign`, documented in docs/command-line.md."""
    return {
        **cosigned.checkpoint.to_dict(),
        "cosigner": cosigner,
        "signatures": len(cosigned.signed),
        "time": cosigned.time,
        "previous_size": None if cosigned.before is None else cosigned.before.size,
    }
