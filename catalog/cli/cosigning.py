"""Cosigning a log on the command line: where a key's last checkpoint is kept, and what is said once it has signed."""

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
    """The keys of a file; raises as reading them does."""
    from catalog.publish.key_files import read_keys

    return read_keys(key, read_passphrase(passphrase))


def cosign_now(
    log: LogFolder, pairs: list[KeyPair], trust: Trust, *, heartbeat: bool = False, only: Checkpoint | None = None
) -> Cosigned:
    """Cosign with the time of now; what each cosigner cosigned last of each log is a note of the state folder."""
    from catalog.publish.cosign import cosign
    from catalog.state.seen_logs import locked

    name = pairs[0].key.name
    states = {known.name: remembered("cosigned", f"{known.name} {name}") for known in trust.policy.logs}
    signers = [pair.signer for pair in pairs]
    with ExitStack() as held:  # two copies of a log, forked from one another, are not cosigned at once
        for origin, state in sorted(states.items()):
            held.enter_context(locked(state.path.with_suffix(".lock"), f"what {name} cosigned of {origin}"))
        return cosign(log, signers, states, trust, heartbeat=heartbeat, only=only, now=int(time.time()))


def cosigned_facts(cosigned: Cosigned, cosigner: str) -> dict[str, Any]:
    """As JSON has it."""
    from catalog.transparency.encoding import to_base64

    found = cosigned.checkpoint
    return {
        "origin": found.origin,
        "size": found.size,
        "root": to_base64(found.root),
        "cosigner": cosigner,
        "signatures": len(cosigned.signed),
        "time": cosigned.time,
        "previous_size": None if cosigned.before is None else cosigned.before.size,
    }
