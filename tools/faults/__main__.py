"""Make every command that writes fail at its calls, and check what it promises: `make faults`.

The faults are spread evenly over the calls of each command; which, and of which kind, follows from the seed.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from pathlib import Path

from tools.faults.cases import Case, cases
from tools.faults.promises import Known
from tools.faults.runner import Call, Fault, load_everything, run
from tools.faults.workshop import Failed, Workshop, workshop

LIBRARY = Path(__file__).parent.parent.parent / "build" / "faults.so"

_KILLS = ("before", "after", "power")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DATA = (*_FULL, errno.EIO)
_NAMES = (*_FULL, errno.EIO, errno.EACCES, errno.EROFS)
_GONE = (errno.EIO, errno.EACCES, errno.EROFS)
_AT = ("pwrite", "pwritev", "pwrite64", "pwritev64", "pwritev2", "pwritev64v2")
_WRITES = ("write", "writev", *_AT, "sendfile", "sendfile64", "copy_file_range")
_ON_DATA = (
    *_WRITES,
    "fsync",
    "fdatasync",
    "syncfs",
    "ftruncate",
    "ftruncate64",
    "fallocate",
    "posix_fallocate",
    "close",
)
_REMOVES = ("unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat")
_KILLED, _SHORT, _STAYS = 0.35, 0.25, 0.4
"""Shares of kinds: of all faults, of writes that are not killed, and of calls that fail."""

_AT_LEAST, _MANY = 3, 200
"""Faults of a command that makes few calls, or in a sample; and calls of which a command has many of one kind."""


def main() -> int:
    """Exit code 1 where a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=400, help="in total, over all commands")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="a sample, of about so long; commands in an order of the seed")
    parser.add_argument("--only", metavar="COMMAND", help="one command, as it is named in the output")
    parser.add_argument("--fault", metavar="KIND@N", type=_fault, help="this fault alone, such as ENOSPC@7, or EIO+@7")
    asked = parser.parse_args()
    if not LIBRARY.exists():
        _say(f"no faults: there is no {LIBRARY}, which `make faults` builds where there is a C compiler")
        return 1 if os.environ.get("LDCAT_REQUIRE_ORACLES") else 0
    if os.environ.get("LD_PRELOAD") != str(LIBRARY):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LDCAT_", "FAULTS_"))}
        arguments = [sys.executable, "-m", "tools.faults", *sys.argv[1:]]
        os.execve(sys.executable, arguments, environment | {"LD_PRELOAD": str(LIBRARY)})
    os.umask(0o022)
    load_everything()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ldcat-faults-") as folder:
        try:
            with workshop(Path(folder).resolve()) as shop:
                until = None  # a machine that is slow to begin makes faults, too
                if asked.seconds is not None:
                    until = max(began + asked.seconds, time.monotonic() + asked.seconds / 2)
                chosen = [case for case in cases(shop) if asked.only in (None, case.name)]
                if not chosen:
                    parser.error(f"no command {asked.only!r}")
                if asked.fault:
                    total, broken = _total(_inject(Known.of(case, shop), [asked.fault], None) for case in chosen)
                else:
                    total, broken = _run(chosen, shop, asked.faults, asked.seed, until)
        except Failed as failure:
            _say(f"without a fault: {failure}")
            return 1
    _say(f"{total} faults, {broken} of them broke a promise; seed {asked.seed}, {time.monotonic() - began:.0f} seconds")
    return 1 if broken else 0


def _run(chosen: list[Case], shop: Workshop, faults: int, seed: int, until: float | None) -> tuple[int, int]:
    """How many faults there were, and how many of them broke something."""
    generator = random.Random(seed)
    if until is None:
        known = [Known.of(case, shop) for case in chosen]
        weights = [sqrt(min(len(one.outcome.calls), _MANY)) for one in known]
        shares = [max(_AT_LEAST, round(faults * weight / sum(weights))) for weight in weights]
        pairs = zip(known, shares, strict=True)
        return _total(_inject(one, planned(one.outcome.calls, share, generator), None) for one, share in pairs)
    generator.shuffle(chosen)
    begun = (Known.of(case, shop) for case in chosen if time.monotonic() < until)
    return _total(_inject(one, planned(one.outcome.calls, _AT_LEAST, generator), until) for one in begun)


def _total(counted: Iterable[tuple[int, int]]) -> tuple[int, int]:
    faults = broken = 0
    for more, worse in counted:
        faults, broken = faults + more, broken + worse
    return faults, broken


def _inject(known: Known, faults: Iterable[Fault], until: float | None) -> tuple[int, int]:
    """Faults of one command, of which a line is printed; how many there were, and how many broke something."""
    done, broken, kinds = 0, 0, Counter[str]()
    for fault in faults:
        if until is not None and time.monotonic() > until:
            break
        known.shop.restore(known.case.stage)
        outcome = run(known.case.task, known.shop.place, fault, later=known.case.later)
        if fault.at > len(outcome.calls):
            continue  # threads made fewer calls this time
        call = outcome.calls[fault.at - 1]
        done += 1
        kinds[_name(fault)] += 1
        if whys := list(known.broken(fault, call, outcome)):
            broken += 1
            _say(f"BROKEN --only '{known.case.name}' --fault {_name(fault)}@{fault.at}: {call.name} {call.path}")
            for why in whys:
                _say(f"    {why}")
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    _say(f"{known.case.name}: {len(known.outcome.calls)} calls, {done} faults: {counts}")
    return done, broken


def planned(calls: Sequence[Call], count: int, generator: random.Random) -> Iterator[Fault]:
    """So many faults, evenly over calls, each of a kind that its call can have."""
    for turn in range(count if calls else 0):
        at = int((turn + generator.random()) * len(calls) / count)
        name = calls[at].name
        if generator.random() < _KILLED:
            yield Fault(at + 1, generator.choice(_KILLS))
        elif name in _WRITES and generator.random() < _SHORT:
            yield Fault(at + 1, "short")
        else:
            errors = _DATA if name in _ON_DATA else _GONE if name in _REMOVES else _NAMES
            yield Fault(at + 1, str(generator.choice(errors)), stays=generator.random() < _STAYS)


def _name(fault: Fault) -> str:
    if not fault.kind.isdecimal():
        return fault.kind
    return errno.errorcode[int(fault.kind)] + "+" * fault.stays


def _fault(text: str) -> Fault:
    """As `_name` has it, and a number."""
    name, _, at = text.partition("@")
    stays = name.endswith("+")
    codes = {name: str(code) for code, name in errno.errorcode.items()}
    kind = codes.get(name.removesuffix("+"), name)
    if not at.isdecimal() or not (kind.isdecimal() or kind in (*_KILLS, "short")):
        raise argparse.ArgumentTypeError(f"no fault {text!r}")
    return Fault(int(at), kind, stays=stays)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
