"""What `ldcat init` prints: which file is for whom, what to do next, and what keeps the log from going stale."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import LdcatError
from catalog.files.inputs import read_file
from catalog.log.log_folder import CHECKPOINT
from catalog.state.folders import remembered, state_folder
from catalog.terminal.moments import moment

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.state.publisher import Publisher
    from catalog.transparency.note import Note
    from catalog.transparency.trust import Trust

_ASK = "ldcat witness ask"
CRON_TIME = "17 4 * * *"
"""Every day, at a minute at which not everybody else's jobs run."""


def explanation(folder: Path, settings: Publisher, what: str, *, passphrase: Path | None) -> Iterator[str]:
    """The lines. folder: as the user named it. what: happened to it. passphrase: file of the passphrase, if any.

    Raises as `read_unsigned` if the trust note is damaged, and Unreadable.
    """
    from catalog.transparency.note import MAX_NOTE
    from catalog.transparency.trust import Trust, read_unsigned

    note = read_unsigned(read_file(settings.trust, limit=MAX_NOTE, regular=True))
    trust = Trust.parse(note.text)
    is_here = folder == Path()
    yield f"{settings.origin} {what}" if is_here else f"{settings.origin} {what}, in {folder}"
    yield from _files(folder, settings, trust)
    yield from _missing_signatures(settings, trust, note)
    yield ""
    yield from _next(folder, settings, trust)
    yield ""
    yield from _timers(folder, trust, passphrase)


def _files(folder: Path, settings: Publisher, trust: Trust) -> Iterator[str]:
    """Each file, and what it is for."""
    day, is_over = moment(trust.expires)[:10], trust.expires <= time.time()
    end = f"It has EXPIRED on {day}: ldcat doctor says what to do" if is_over else f"It ends on {day}"
    named = [(settings.trust, f"for guests: all they need to verify. {end}")]
    keys = settings.key.parent
    own = [role for role in trust.roots if role.startswith("root-")]
    named += [(keys / f"{role}.key", "signs the next trust note: take it off this machine") for role in own]
    named.append((settings.key, "signs the log: stays here. Keep a copy, since nothing replaces it"))
    if settings.heartbeat:
        named.append((settings.heartbeat, "says each day that nothing newer exists: stays here"))
    else:
        operators = ", ".join(dict.fromkeys(key.name for key in trust.policy.witnesses.values()))
        named.append((settings.key.with_name(f"{settings.key.name}.pub"), f"for the witnesses: {operators}"))
    width = max(len(_shown(path, folder)) for path, _ in named)
    for path, what in named:
        if path.exists():
            yield f"  {_shown(path, folder):{width}}  {what}"
        elif path.name.startswith("root-"):
            yield f"  {_shown(path, folder):{width}}  is not on this machine any more, as it should be"
        else:
            yield f"  {_shown(path, folder):{width}}  is MISSING: restore it from your copy"
    with suppress(LdcatError):  # no home folder: then nothing can be published here
        yield f"Keep a copy of the memory of what was signed, too, so that no release is lost: {state_folder()}"


def _missing_signatures(settings: Publisher, trust: Trust, note: Note) -> Iterator[str]:
    """What the roots of others have to run, if too few have signed."""
    from catalog.errors import UntrustedSigner

    try:
        signed = {by.key for by in note.verify(list(trust.roots.values()))} if note.signatures else set()
    except UntrustedSigner:
        signed = set()
    if (more := trust.threshold - len(signed)) > 0:
        waiting = [key.name for key in trust.roots.values() if key not in signed]
        yield ""
        yield f"{settings.trust.name} is not valid yet: {more} more of these have to sign it, one after the other:"
        yield f"  {', '.join(waiting)}"
        yield "Send it to each, who runs this and sends signed.note back, which replaces it:"
        yield f"  ldcat trust sign {settings.trust.name} --key KEY > signed.note"


def _next(folder: Path, settings: Publisher, trust: Trust) -> Iterator[str]:
    log = shlex.quote(_shown(settings.log, folder))
    guest = f"  ldcat lookup DIGEST --catalog {log} --trust {shlex.quote(_shown(settings.trust, folder))}"
    if not (settings.log / CHECKPOINT).exists() and _was_signed(settings):
        yield f"{log} is MISSING, and this machine signed the log: copy it back from where it is served. Then:"
    elif (settings.log / CHECKPOINT).exists():
        yield f"The log is published in {log}. After a change of firmware:"
    else:
        yield ("Next, once the witnesses know it by ldcat log-list:" if trust.policy.renewed_by == _ASK else "Next:")
    if folder != Path():
        yield f"  cd {shlex.quote(str(folder))}"
    catalog = shlex.quote(_shown(settings.catalog, folder))
    yield f"  ldcat build -o {catalog}  # or of your own: ldcat build SPEC.toml -o {catalog}"
    yield f"  ldcat publish {catalog}"
    if trust.policy.renewed_by == _ASK:
        yield f"  {_ASK}"
    yield f"Any web server can serve {log}. A guest looks up a launch digest there, or at its URL:"
    yield guest


def _was_signed(settings: Publisher) -> bool:
    with suppress(LdcatError):  # the next command says what is wrong with the state folder
        return remembered("signed", settings.origin).read() is not None
    return False


def _timers(folder: Path, trust: Trust, passphrase: Path | None) -> Iterator[str]:
    """The cron line and the systemd timer of the command that `ldcat publish` names, too."""
    from catalog.publish.keeping_fresh import freshness_text, renewal
    from catalog.transparency.durations import span

    command = renewal(trust)
    if command is None:
        yield freshness_text(f"{span(trust.max_age)} without a release", None)
        return
    words, asks = command[1:], trust.policy.renewed_by == _ASK
    if not asks:
        words += ["--quiet", *(["--passphrase-file", str(passphrase.resolve())] if passphrase else [])]
    program, place = _program(), str(folder.resolve())
    who = "no answer of the witnesses" if asks else "no heartbeat"
    yield f"With {who} for {span(trust.max_age)} the log goes stale, and guests refuse it. Every day, by cron:"
    line = f"cd {shlex.quote(place)} && {shlex.join([program, *words])} > /dev/null"
    yield f"  {CRON_TIME} {line}".replace("%", "\\%")
    yield "or by systemd, in ~/.config/systemd/user/ldcat.service and ldcat.timer:"
    yield "  [Service]"
    yield "  Type=oneshot"
    yield f"  WorkingDirectory={_unit(place)}"
    yield f"  ExecStart={' '.join(_unit_word(word) for word in [program, *words])}"
    yield "  [Timer]"
    yield "  OnCalendar=daily"
    yield "  Persistent=true"
    yield "  [Install]"
    yield "  WantedBy=timers.target"
    yield "  systemctl --user enable --now ldcat.timer && loginctl enable-linger"


def _shown(path: Path, folder: Path) -> str:
    """A path as it is named in the folder."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _program() -> str:
    """The path of this program: cron and systemd have a PATH of their own."""
    called = Path(sys.argv[0])
    if called.name == "ldcat" and called.exists():
        return str(called.absolute())
    return shutil.which("ldcat") or "ldcat"


def _unit(text: str) -> str:
    """A value of a unit file (systemd.unit(5)): % begins a specifier."""
    return text.replace("%", "%%")


def _unit_word(text: str) -> str:
    """A word of a command line in a unit file (systemd.service(5))."""
    quoted = _unit(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{quoted}"' if any(character.isspace() or character in '"\\;' for character in text) else quoted
