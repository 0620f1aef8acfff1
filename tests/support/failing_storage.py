"""Storage for tests: it keeps files in memory, and fails, forgets or changes what a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.work.storage import Gone, Range, tried


@dataclass
class Faults:
    """What goes wrong. Each function gets the name of a file, without the job's.

    fails: whether an operation on the file fails this time.
    changed: the bytes that are kept instead of those that were written; None forgets the file.
    """

    fails: Callable[[str], bool] = lambda _: False
    changed: Callable[[str, bytes], bytes | None] = lambda _, data: data


@dataclass(frozen=True)
class MemoryStorage:
    """Files by name. root: of the names."""

    faults: Faults = field(default_factory=Faults)
    files: dict[str, bytes] = field(default_factory=dict)
    root: str = "memory"

    def __str__(self) -> str:
        return self.root

    def below(self, name: str) -> MemoryStorage:
        return MemoryStorage(self.faults, self.files, f"{self.root}/{name}")

    def put(self, name: str, memory: memoryview, size: int) -> None:
        def write() -> None:
            self._check(name)
            kept = self.faults.changed(name, bytes(memory[:size]))
            if kept is not None:
                self.files[f"{self.root}/{name}"] = kept

        tried(write, name)

    def put_chunks(self, name: str, chunks: Callable[[], Iterator[memoryview]]) -> None:
        def write() -> None:
            data = b"".join(chunks())
            self._check(name)
            self.put(name, memoryview(data), len(data))

        tried(write, name)

    def ranges(self, wanted: Sequence[Range]) -> Iterator[memoryview]:
        for each in wanted:
            yield tried(lambda each=each: self._read(*each), each[0], reads=True)  # type: ignore[misc]

    def linked(self, name: str, path: Path) -> bool:
        return False

    def remove(self) -> None:
        for name in [name for name in self.files if name.startswith(f"{self.root}/")]:
            del self.files[name]

    def _read(self, name: str, offset: int, size: int) -> memoryview:
        self._check(name)
        data = self.files.get(f"{self.root}/{name}", b"")[offset : offset + size]
        if len(data) != size:
            raise Gone(name)
        return memoryview(data)

    def _check(self, name: str) -> None:
        if self.faults.fails(name):
            raise OSError(5, "Input/output error")
