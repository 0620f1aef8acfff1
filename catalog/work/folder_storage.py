"""Storage in a folder that all workers mount at the same path; files go past the page cache where that is possible."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from catalog.files.direct_io import ALIGNED, ScratchBuffer, open_direct, write_at
from catalog.files.writer import made_folders, partial_name
from catalog.work.storage import Gone, Range, tried

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_READ = ScratchBuffer()


@dataclass(frozen=True, slots=True)
class FolderStorage:
    """A folder. root: absolute path."""

    root: str

    def __str__(self) -> str:
        return self.root

    def below(self, name: str) -> FolderStorage:
        """As Storage; a link in place of the folder is refused."""
        inner = Path(self.root, name)

        def make() -> None:
            made_folders(inner)
            if not stat.S_ISDIR(inner.lstat().st_mode):
                raise NotADirectoryError(0, "not a folder", str(inner))

        tried(make, str(inner))
        return FolderStorage(str(inner))

    def put(self, name: str, memory: memoryview, size: int) -> None:
        """As Storage."""
        whole = -(-size // ALIGNED) * ALIGNED
        memory[size:whole] = bytes(whole - size)

        def write() -> None:
            with self._placed(name, direct=True) as descriptor:
                write_at(descriptor, memory[:whole], 0)
                os.ftruncate(descriptor, size)

        tried(write, f"{self.root}/{name}")

    def put_chunks(self, name: str, chunks: Callable[[], Iterator[memoryview]]) -> None:
        """As Storage."""

        def write() -> None:
            with self._placed(name, direct=False) as descriptor:
                offset = 0
                for chunk in chunks():
                    write_at(descriptor, chunk, offset)
                    offset += len(chunk)

        tried(write, f"{self.root}/{name}")

    def ranges(self, wanted: Sequence[Range]) -> Iterator[memoryview]:
        """As Storage."""
        for each in wanted:
            yield tried(partial(self._read, *each), f"{self.root}/{each[0]}", reads=True)

    def linked(self, name: str, path: Path) -> bool:
        """As Storage: a hard link, if the folder of `path` is on the same file system."""
        source = Path(self.root, name)
        try:
            if not stat.S_ISREG(source.lstat().st_mode):
                raise Gone(str(source))
            os.link(source, path, follow_symlinks=False)
        except FileNotFoundError as error:
            raise Gone(str(source)) from error
        except OSError:  # another file system, one without links, or the file of another user
            return False
        return True

    def remove(self) -> None:
        """As Storage."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.root)

    @contextmanager
    def _placed(self, name: str, *, direct: bool) -> Iterator[int]:
        """A new file to write, which gets its name at the end."""
        unfinished = Path(self.root, partial_name())
        try:
            descriptor = open_direct(unfinished, _NEW) if direct else os.open(unfinished, _NEW | os.O_CLOEXEC, 0o666)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            unfinished.rename(Path(self.root, name))
        finally:
            unfinished.unlink(missing_ok=True)

    def _read(self, name: str, offset: int, size: int) -> memoryview:
        """Bytes of a file, in the buffer of this thread. Direct reads begin and end at a multiple of ALIGNED."""
        first = offset % ALIGNED
        whole = -(-(first + size) // ALIGNED) * ALIGNED
        memory = _READ.of(max(whole, ALIGNED))
        descriptor = open_direct(Path(self.root, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            done = 0
            while done < first + size:
                count = os.preadv(descriptor, [memory[done:whole]], offset - first + done)
                if not count:
                    raise Gone(name)
                done += count
        finally:
            os.close(descriptor)
        return memory[first : first + size]
