"""What a new publisher needs, made at once: keys, the trust note, and ldcat.toml.

Everything is made in memory, then written to a folder that gets the name `keys` when it is complete, and the trust note
and ldcat.toml are moved out of it. So an interrupted run leaves nothing that counts, or something that the next run
completes without making anything anew.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import UsageError
from catalog.fast.beneath import open_folder
from catalog.files.inputs import unreadable
from catalog.files.outputs import write_whole
from catalog.files.writer import PRIVATE_FOLDER, made_folders, put, remove_folder, sync_folder
from catalog.publish.key_files import KeyPair, new_key, write_keys
from catalog.publish.witness_file import WitnessEntry
from catalog.state.publisher import CATALOG, SETTINGS
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.note import Note
from catalog.transparency.policy import Policy
from catalog.transparency.trust import MAX_ROOTS, Trust, sign_trust

KEYS, TRUST_NOTE, LOG = "keys", "trust.note", "public"
LOG_KEY, HEARTBEAT_KEY = "log.key", "heartbeat.key"

_STAGED = "keys.unfinished"
"""Of a run that was killed; nothing in it was ever used, and the next run removes it."""
_MOVED_OUT = (TRUST_NOTE, SETTINGS)
"""In this order: a folder with ldcat.toml is complete."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked for.

    origin: of the log.
    algorithms: signature types of the log's keys.
    own_roots: number of root keys to make.
    other_roots: root keys that others have.
    threshold: how many roots have to sign the next trust note; None for more than half, but not all of several.
    witnesses: those of which more than half have to cosign; if there are none, a heartbeat is made.
    expires: of the trust note, in seconds since 1970. max_age: seconds.
    """

    origin: str
    algorithms: Sequence[SignatureType]
    own_roots: int
    other_roots: Sequence[VerifierKey]
    threshold: int | None
    witnesses: Sequence[WitnessEntry]
    expires: int
    max_age: int

    @property
    def signing_roots(self) -> int:
        """How many roots have to sign the next trust note."""
        count = self.own_roots + len(self.other_roots)
        return max(1, min(count // 2 + 1, count - 1)) if self.threshold is None else self.threshold


@dataclass(frozen=True, slots=True)
class NewLog:
    """What was made. keys: by the name of their file. note: the trust note, signed by the own roots."""

    keys: Mapping[str, Sequence[KeyPair]]
    trust: Trust
    note: Note


def make_log(wishes: Wishes, now: int) -> NewLog:
    """Make keys and a trust note in memory. now: seconds since 1970.

    Raises MalformedInput for an origin that is no name, and for keys that are named twice; UsageError for a threshold
    that cannot be met.
    """
    count = wishes.own_roots + len(wishes.other_roots)
    if not (wishes.own_roots >= 0 and 1 <= count <= MAX_ROOTS and 1 <= wishes.signing_roots <= count):
        raise UsageError(
            f"a trust note signed by {wishes.signing_roots} of {count} roots is not possible",
            f"1 to {MAX_ROOTS} roots: --roots N makes them, --root FILE names those of others",
        )
    keys: dict[str, list[KeyPair]] = {LOG_KEY: [new_key(wishes.origin, kind) for kind in wishes.algorithms]}
    if not wishes.witnesses:
        cosigning = [_as_cosigner(kind) for kind in wishes.algorithms]
        keys[HEARTBEAT_KEY] = [new_key(f"{wishes.origin}/heartbeat", kind) for kind in cosigning]
    roots: dict[str, VerifierKey] = {}
    for number in range(1, wishes.own_roots + 1):
        pair = new_key(f"{wishes.origin}/root-{number}", SignatureType.ED25519)
        keys[f"root-{number}.key"], roots[f"root-{number}"] = [pair], pair.key
    for key in wishes.other_roots:
        if key.type is not SignatureType.ED25519:
            raise UsageError(f"the key of {key.name} is not that of a root", "ldcat keygen --for root makes one")
        if key.name in roots:
            raise UsageError(f"the root {key.name} is named twice", "name each --root once")
        roots[key.name] = key
    text = _policy_text(keys, wishes.witnesses)
    policy = Policy.parse(text.encode())
    trust = Trust(1, wishes.expires, wishes.max_age, wishes.signing_roots, roots, policy, text)
    Trust.parse(str(trust))
    own = [pair.signer for name, pairs in keys.items() if name.startswith("root-") for pair in pairs]
    return NewLog(keys, trust, sign_trust(Note(str(trust), ()), own, now))


def set_up(folder: Path, origin: str) -> str | None:
    """What an earlier run left in a folder: "complete", "interrupted", or None if it has nothing of that kind.

    Raises UsageError if it has something that a run would have to overwrite. origin: for the message.
    """
    if os.path.lexists(folder / SETTINGS):
        return "complete"
    if os.path.lexists(folder / KEYS / SETTINGS):
        return "interrupted"
    for name in (KEYS, TRUST_NOTE, LOG):
        if os.path.lexists(folder / name):
            raise UsageError(
                f"{folder / name} exists already, and {folder / SETTINGS} does not: it is not from ldcat init",
                f"nothing is overwritten: move it away, or ldcat init {origin} --output PATH",
            )
    return None


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder, if it is missing, and hold its lock. Raises UsageError if another run has it, Unreadable."""
    try:
        made_folders(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"another ldcat init writes to {folder}", "wait until it has ended") from error
        yield
    finally:
        os.close(descriptor)


def write_log(folder: Path, made: NewLog, passphrase: bytes | None) -> None:
    """Write everything, or nothing; the caller is `alone_in` the folder. passphrase: of the private keys, if any.

    Raises Unreadable, DiskFull.
    """
    staged = folder / _STAGED
    try:
        _remove_staged(folder)
        staged.mkdir(PRIVATE_FOLDER)
        staged.chmod(PRIVATE_FOLDER)  # whatever the umask
        for name, pairs in made.keys.items():
            write_keys(staged / name, pairs, passphrase)
        write_whole(staged / TRUST_NOTE, bytes(made.note) if made.note.signatures else made.note.text.encode())
        write_whole(staged / SETTINGS, _settings_text(made).encode())
        for name in _MOVED_OUT:
            (staged / name).chmod(0o644)  # whatever the umask: ldcat.toml that others can write is refused
        staged.rename(folder / KEYS)
    except BaseException as error:
        with suppress(OSError):
            _remove_staged(folder)
        if isinstance(error, OSError):
            raise unreadable(folder, error) from error
        raise
    finish(folder)


def finish(folder: Path) -> None:
    """Move the trust note and ldcat.toml out of the folder of the keys, if they are still there. Raises Unreadable."""
    if not os.path.lexists(folder / KEYS):  # its owner took it off this machine
        return
    try:
        for name in _MOVED_OUT:
            inside = folder / KEYS / name
            if not os.path.lexists(inside):
                continue
            try:
                put(inside, folder / name)
            except FileExistsError:
                if not inside.samefile(folder / name):
                    raise
            inside.unlink(missing_ok=True)
        for path in (folder / KEYS, folder):
            descriptor = open_folder(path)
            try:
                sync_folder(descriptor)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise unreadable(folder, error) from error


def _remove_staged(folder: Path) -> None:
    if os.path.lexists(folder / _STAGED):
        remove_folder(folder, _STAGED)


def _as_cosigner(kind: SignatureType) -> SignatureType:
    return SignatureType.COSIGNATURE_ED25519 if kind is SignatureType.ED25519 else kind


def _policy_text(keys: Mapping[str, Sequence[KeyPair]], witnesses: Sequence[WitnessEntry]) -> str:
    """The policy: every key of the log; every key of the witnesses, more than half of which have to cosign; or none."""
    lines = [f"log {pair.key}" for pair in keys[LOG_KEY]]
    if not witnesses:
        lines += [f"witness {_line_name('heartbeat', pair.key)} {pair.key}" for pair in keys[HEARTBEAT_KEY]]
        return "\n".join([*lines, "quorum none", ""])
    members = []
    for number, witness in enumerate(witnesses, 1):
        for key in witness.keys:
            members.append(_line_name(f"w{number}", key))
            lines.append(f"witness {members[-1]} {key} {witness.url}")
    lines += [f"group witnesses {len(witnesses) // 2 + 1} {' '.join(members)}", "quorum witnesses", ""]
    return "\n".join(lines)


def _line_name(name: str, key: VerifierKey) -> str:
    return f"{name}-pq" if key.type is SignatureType.COSIGNATURE_ML_DSA_44 else name


def _settings_text(made: NewLog) -> str:
    origin = made.keys[LOG_KEY][0].key.name
    lines = [f'origin = "{_toml(origin)}"', f'log = "{LOG}"', f'key = "{KEYS}/{LOG_KEY}"']
    if HEARTBEAT_KEY in made.keys:
        lines.append(f'heartbeat = "{KEYS}/{HEARTBEAT_KEY}"')
    return "\n".join([*lines, f'trust = "{TRUST_NOTE}"', f'catalog = "{CATALOG}"', ""])


def _toml(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\x7f", "\\u007f")
