"""What a publisher's command uses, from its options, their variables or ldcat.toml; and what has to run after it."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.cli.first_build import is_there, made_default
from catalog.cli.options import read_passphrase
from catalog.cli.trust_files import trust_in
from catalog.errors import LdcatError, NotThere, Unreadable, UsageError, VerificationFailed
from catalog.state.publisher import SETTINGS, Publisher
from catalog.terminal import render
from catalog.terminal.moments import moment

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.log.log_folder import LastCheckpoint, LogFolder
    from catalog.publish.publish import Published
    from catalog.transparency.keys import Signer
    from catalog.transparency.trust import Trust


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


def own_trust(given: Path | None) -> Trust:
    """The trust note, which has not expired; raises as `trust_note_file`, `trust_in` and `Trust.check_expiry`.

    given: by the command line. Hints about the file that ldcat.toml names are for whoever made it.
    """
    from catalog.publish.keeping_fresh import next_version

    with own_note(given) as path:
        trust = trust_in(path)
    try:
        trust.check_expiry(int(time.time()))
    except VerificationFailed as error:
        if _is_set(path):
            error.hint = f"{next_version(shlex.quote(str(path)))}; every guest needs it"
        raise
    return trust


@contextmanager
def own_note(given: Path | None) -> Iterator[Path]:
    """The file of the trust note, to be read; if it is missing, and ldcat.toml names it, the hint is for its owner."""
    path = trust_note_file(given)
    try:
        yield path
    except NotThere as error:
        if _is_set(path):
            error.hint = f"{SETTINGS} names it: restore it from your copy; every guest has the same file"
        raise


def _is_set(note: Path) -> bool:
    """Whether ldcat.toml names this trust note."""
    with suppress(LdcatError):
        return (found := Publisher.find()) is not None and found.trust.resolve() == note.resolve()
    return False


def warn_if_other_trust(given: Path | None) -> None:
    """Warn that ldcat.toml, which is used, names another trust note than the one that a release stands by now."""
    settings = _settings("the trust note", "--trust FILE")
    if given and given.resolve() != settings.trust.resolve():
        old, new = shlex.quote(str(settings.trust)), shlex.quote(str(given))
        how = "replace it" if new == "-" else f"mv {new} {old}"
        render.warning(f"{SETTINGS} still names {old}, so the next command uses that: {how}")


def catalog_folder(given: Path | None, *, set_up: bool, quiet: bool) -> Path:
    """The catalog to publish: the given one; else that of ldcat.toml, or the default one, which a note then names.

    set_up: whether ldcat.toml is used, so that nothing else than its catalog gets into its log unasked: what was
    published stays. Raises UsageError for a file, Unreadable if nothing is there, and as `log_folder`, `made_default`.
    """
    if given is None and not set_up:
        found = made_default(quiet=quiet)
        if not quiet:
            render.note(f"no CATALOG is named: this is the default catalog, {found}")
        return found
    found = given or _settings("the catalog", "ldcat publish CATALOG").catalog
    name = shlex.quote(str(found))
    if found.is_file():
        raise UsageError(
            f"{found} is a file, and a catalog is a folder", f"ldcat build {name} -o DIR makes one of a spec"
        )
    if not is_there(found):
        raise Unreadable(
            f"no catalog at {found}", f"ldcat build -o {name}, or of your own: ldcat build SPEC.toml -o {name}"
        )
    return found


def is_own(log: Path) -> bool:
    """Whether ldcat.toml of the current folder is about this log."""
    return _settings_of(log) is not None


def warn_if_never_signed(log: LogFolder, state: LastCheckpoint, trust: Path | None = None) -> None:
    """Warn if this machine does not know whether a log is the newest: on a new one, a backup may be restored.

    log: to which a release is about to be added. state: what this machine signed last of it. trust: the trust note.
    """
    if log.checkpoint() is not None and state.read() is None:
        note = "trust.note" if trust is None else shlex.quote(str(trust))
        how = f"compare it with what is served: ldcat doctor URL --trust {note}"
        render.warning(f"this machine has not signed this log before: {how}")


def freshness(log: Path, published: Published, note: Path | None = None) -> tuple[int | None, str]:
    """Until when a published checkpoint is fresh, in seconds since 1970, and what to do about it, as one sentence.

    note: the trust note, if the command line names one; otherwise that in ldcat.toml or LDCAT_TRUST, if it names the
    log. Without any, or if clients do not accept the checkpoint now, there is no time.
    """
    from catalog.log.log_folder import LogFolder  # cryptography takes long to load
    from catalog.publish.keeping_fresh import UNKNOWN_FRESHNESS, fresh_until, freshness_text, next_version, renewal

    settings = _settings_of(log)
    for path in (note, settings and settings.trust, os.environ.get("LDCAT_TRUST")):
        with suppress(LdcatError):  # it is published already
            if path and (trust := _trust_of(Path(path), published.checkpoint.origin)):
                checkpoint = LogFolder(log).checkpoint()
                assert checkpoint is not None, "it was published"  # noqa: S101
                now = int(time.time())
                until = fresh_until(trust, checkpoint, published.time, now)
                if (until or now) >= trust.expires:
                    end = "has ended" if until is None else f"ends on {moment(until)}"
                    how = next_version(shlex.quote(str(path)))
                    return until, f"guests refuse it when the trust note ends, and it {end}: {how}"
                is_set = settings is not None and Path(path) == settings.trust
                options = {} if is_set else {"log": log, "note": Path(path), "key": Path("FILE")}
                command = renewal(trust, **options)
                when = None if until is None else moment(until)
                return until, freshness_text(when, shlex.join(command) if command else None)
    return None, UNKNOWN_FRESHNESS


def _settings(what: str, option: str) -> Publisher:
    if found := Publisher.find():
        return found
    raise UsageError(
        f"no option or variable names {what}",
        f"{option}; or run it in a folder that ldcat init ORIGIN made: {SETTINGS} names it",
    )


def _settings_of(log: Path) -> Publisher | None:
    """ldcat.toml of the current folder, if it is about this log."""
    with suppress(LdcatError):
        if (found := Publisher.find()) and found.log.resolve() == log.resolve():
            return found
    return None


def _trust_of(path: Path, origin: str) -> Trust | None:
    """A trust note, if it names the log. Raises as `trust_in`."""
    trust = trust_in(path)
    return trust if any(key.name == origin for key in trust.policy.logs) else None
