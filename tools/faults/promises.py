"""What holds after any fault: nothing is lost, nothing half-believed, and the same command then does what it does."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.files.writer import is_partial
from tools.faults.cases import Case
from tools.faults.runner import Call, Fault, Outcome, run
from tools.faults.workshop import Failed, Workshop

_REFUSED = (5, 13)
"""Exit codes of a command that the system refused something."""

_NO_ERROR = (0, 1)
_LOCKS = (".lock", ".ldcat-lock")
_PARTIAL, _PREVIOUS = ".ldcat-partial", ".ldcat-previous"
"""Ends of the names of what a build leaves beside its folder where it is killed, and the next one takes over."""

_REMOVES = ("unlink", "unlinkat", "rmdir")
_SECRET = b"PRIVATE KEY"

Files = Mapping[str, str]
"""Files by path, with the SHA-256 of each in hex."""


@dataclass(frozen=True)
class Known:
    """A command without a fault: the files before and after it, and what it did."""

    case: Case
    shop: Workshop
    before: Files
    after: Files
    outcome: Outcome

    @classmethod
    def of(cls, case: Case, shop: Workshop) -> Known:
        """Raises Failed for a command that does not do what is said of it, or not twice the same."""
        first, second = (cls._run(case, shop) for _ in range(2))
        for difference in first._differences(second.after, second.outcome):
            raise Failed(f"{case.name}: two runs differ: {difference}")
        return first

    @classmethod
    def _run(cls, case: Case, shop: Workshop) -> Known:
        shop.restore(case.stage)
        before = files(shop.place.root)
        outcome = run(case.task, shop.place, later=case.later)
        if outcome.code != case.code:
            raise Failed(f"{case.name}: exit code {outcome.code}: {outcome.err}")
        return cls(case, shop, before, files(shop.place.root), outcome)

    def broken(self, fault: Fault, call: Call, outcome: Outcome) -> Iterator[str]:
        """What does not hold of the folder after a fault at that call; a line each."""
        root, now = self.shop.place.root, files(self.shop.place.root)
        yield from self._said(fault, outcome)
        yield from self._whole(now)
        if not fault.kills and not fault.stays and call.name not in _REMOVES:
            yield from (f"{path} is left" for path in _partials(root))
        for path in _partials(root):
            if (root / path).is_file() and _SECRET in (root / path).read_bytes():
                yield f"{path} is left, with a private key"
        if outcome.code == self.case.code and not fault.kills:
            yield from self._differences(now, outcome)
        yield from self._probed()
        again = run(self.case.task, self.shop.place, later=self.case.later)
        if again.code not in (self.case.code, *self.case.again):
            yield f"the next run: exit code {again.code}: {again.err.strip()}"
        else:
            printed = replace(self.outcome, err=again.err)  # that it was done already, it may say
            yield from (f"after the next run: {why}" for why in self._differences(files(root), printed))
            if self.case.clears:
                yield from (f"after the next run there is {path}" for path in _partials(root / self.case.clears))

    def _said(self, fault: Fault, outcome: Outcome) -> Iterator[str]:
        said = f"exit code {outcome.code}: {outcome.err.strip()}"
        if fault.kills:
            if outcome.code != -signal.SIGKILL:
                yield f"it was not killed: {said}"
            return
        allowed = (self.case.code,) if fault.kind == "short" else (self.case.code, *_REFUSED)
        errors = [line for line in outcome.err.splitlines() if line.startswith("ldcat: error: ")]
        if outcome.code not in allowed:
            yield said
        elif "Traceback" in outcome.err:
            yield f"a traceback: {said}"
        elif len(errors) != (outcome.code not in _NO_ERROR):
            yield f"{len(errors)} errors, {said}"

    def _whole(self, now: Files) -> Iterator[str]:
        """Each file is what it was, or what it becomes."""
        for path, found in now.items():
            if check := self._check(path):
                if (self.shop.place.root / path).is_file() and run(check, self.shop.place).code:
                    yield f"{path} is not whole"
            elif found not in (self.before.get(path), self.after.get(path)):
                yield f"{path} is neither what it was nor what it becomes"
        for path in self.before:
            if path not in now and path in self.after:
                yield f"{path} is lost"

    def _differences(self, now: Files, outcome: Outcome) -> Iterator[str]:
        """From what the command does without a fault."""
        if outcome.out != self.outcome.out and not self.case.volatile:
            yield f"it prints {outcome.out!r}"
        for path in sorted({*now, *self.after}):
            if path in now and path in self.after:
                if now[path] != self.after[path] and not self._check(path):
                    yield f"{path} is another one"
            elif path in now:
                yield f"{path} is there"
            elif not any(path.startswith(first) and said in outcome.err for first, said in self.case.optional.items()):
                yield f"{path} is missing"

    def _check(self, path: str) -> Callable[[], int] | None:
        for first, check in self.case.volatile.items():
            if path.startswith(first):
                return check
        return None

    def _probed(self) -> Iterator[str]:
        if self.case.probe is None:
            return
        arguments, needed = self.case.probe
        place = replace(self.shop.place, homes=self.shop.place.aside / "homes")
        shutil.rmtree(place.home, ignore_errors=True)
        (place.home / "tmp").mkdir(parents=True)
        if (place.root / needed).exists() and (probed := run(arguments, place)).code:
            yield f"{' '.join(arguments)}: exit code {probed.code}: {probed.out}{probed.err.strip()}"


def files(root: Path) -> Files:
    """All that are somebody's; where a build was killed between its two renames, those that the next one puts back."""
    found = {}
    for path in _walk(root):
        name = str(path.relative_to(root))
        first, _, rest = name.partition("/")
        if first.endswith(_PREVIOUS):
            first = first.removeprefix(".").removesuffix(_PREVIOUS)
            if (root / first).exists():
                continue
            name = f"{first}/{rest}"
        elif first.endswith(_PARTIAL) or name == "stdout" or first == "tmp" or name.endswith(_LOCKS):
            continue
        if not any(map(is_partial, name.split("/"))):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _partials(root: Path) -> list[str]:
    """What was never finished, and what is in a folder for that."""
    names = [str(path.relative_to(root)) for path in _walk(root)]
    return [name for name in names if name.startswith("tmp/") or any(map(is_partial, name.split("/")))]


def _walk(root: Path) -> Iterator[Path]:
    """Files, and folders that have none."""
    for folder, inner, names in os.walk(root):
        yield from (Path(folder, name) for name in names)
        if not inner and not names and is_partial(Path(folder).name):
            yield Path(folder)
