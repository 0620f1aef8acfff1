"""What a publisher's command uses: what its options or their variables name, otherwise ldcat.toml."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from catalog.cli.options import read_passphrase
from catalog.errors import UsageError
from catalog.state.publisher import SETTINGS, Publisher

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.keys import Signer


def log_folder(given: Path | None, option: str = "--log DIR") -> Path:
    """The folder of the log, which an option names. Raises UsageError if nothing does, and as `Publisher.find`."""
    return given or _settings("the folder of the log", option).log


def log_signers(given: Path | None, passphrase: Path | None) -> list[Signer]:
    """The keys of the log. Raises as `log_folder`, `read_passphrase` and `read_keys`.

    Raises UsageError if the file that ldcat.toml names has keys of another log than that of ldcat.toml.
    """
    from catalog.publish.key_files import read_keys

    if given:
        return [pair.signer for pair in read_keys(given, read_passphrase(passphrase))]
    settings = _settings("the private keys of the log", "--key FILE")
    signers = [pair.signer for pair in read_keys(settings.key, read_passphrase(passphrase))]
    if (name := signers[0].key.name) != settings.origin:
        raise UsageError(
            f"{settings.key} has keys of {name}, and {SETTINGS} is about {settings.origin}",
            f"correct the key or the origin in {SETTINGS}",
        )
    return signers


def heartbeat_key_file(given: Path | None) -> Path:
    """The private keys to cosign with; raises as `log_folder`, also if the log has no heartbeat."""
    found = given or _settings("the private keys to cosign with", "--key FILE").heartbeat
    if found is None:
        raise UsageError(
            f"{SETTINGS} names no heartbeat keys: witnesses keep this log fresh", "ldcat witness ask; or --key FILE"
        )
    return found


def trust_note_file(given: Path | None) -> Path:
    """The trust note; raises as `log_folder`."""
    return given or _settings("the trust note", "--trust FILE").trust


def _settings(what: str, option: str) -> Publisher:
    if found := Publisher.find():
        return found
    raise UsageError(
        f"no option or variable names {what}",
        f"{option}; or run it in a folder that ldcat init made: {SETTINGS} names it",
    )
