"""Storage in objects of a store that fsspec knows, such as S3 or Google Cloud Storage. Source: fsspec's documentation.

Credentials and addresses of servers come from the environment variables and files of fsspec and the store's library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import UsageError
from catalog.work.storage import Gone, Range, tried

_RANGES_AT_ONCE, _BYTES_AT_ONCE = 32, 64 << 20
"""Most ranges that are asked for at a time, and most bytes of them, unless one alone has more."""

_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""PyPI packages of the stores of objects that are used most, by scheme."""


def check_scheme(scheme: str) -> None:
    """Raises UsageError if fsspec cannot reach URLs of a scheme on this machine."""
    try:
        import fsspec

        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        package = _PACKAGES.get(scheme)
        hint = f"pip install 'ldcat[dask]' {package}" if package else "for example s3://BUCKET/PATH"
        raise UsageError(f"no package for {scheme}:// is installed", hint) from error


@dataclass(frozen=True, slots=True)
class ObjectStorage:
    """Objects whose names begin with a URL."""

    url: str

    def __str__(self) -> str:
        return self.url

    def below(self, name: str) -> ObjectStorage:
        """As Storage. Stores of objects have no folders, and some would create a bucket instead."""
        inner = ObjectStorage(f"{self.url}/{name}")

        def make() -> None:
            files, path = inner._opened()
            files.makedirs(path, exist_ok=True)

        if inner.url.partition(":")[0] not in _PACKAGES:
            tried(make, inner.url)
        return inner

    def put(self, name: str, memory: memoryview, size: int) -> None:
        """As Storage."""

        def write() -> None:
            files, path = self._opened()
            files.pipe_file(f"{path}/{name}", bytes(memory[:size]))

        tried(write, f"{self.url}/{name}")

    def put_chunks(self, name: str, chunks: Callable[[], Iterator[memoryview]]) -> None:
        """As Storage."""

        def write() -> None:
            files, path = self._opened()
            with files.open(f"{path}/{name}", "wb") as file:
                for chunk in chunks():
                    file.write(chunk)

        tried(write, f"{self.url}/{name}")

    def ranges(self, wanted: Sequence[Range]) -> Iterator[memoryview]:
        """As Storage; some are fetched at once."""
        for some in _batches(wanted):
            try:
                found = self._read(some)
            except Gone:  # one of them: they are asked for one by one up to that
                for each in some:
                    yield memoryview(self._read([each])[0])
            else:
                for data in found:
                    yield memoryview(data)

    def linked(self, name: str, path: Path) -> bool:  # noqa: ARG002 - an object is no file of this machine
        """As Storage: never."""
        return False

    def remove(self) -> None:
        """As Storage."""

        def delete() -> None:
            files, path = self._opened()
            with suppress(FileNotFoundError):
                files.rm(path, recursive=True)

        tried(delete, self.url)

    def _opened(self) -> tuple[Any, str]:
        """fsspec's file system, which it keeps open for this process, and the path of this storage in it."""
        import fsspec

        found: tuple[Any, str] = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        return found

    def _read(self, wanted: Sequence[Range]) -> list[bytes]:
        def read() -> list[bytes]:
            files, path = self._opened()
            names = [f"{path}/{name}" for name, _, _ in wanted]
            starts, ends = [start for _, start, _ in wanted], [start + size for _, start, size in wanted]
            found = files.cat_ranges(names, starts, ends, on_error="return")
            for data, (name, _, size) in zip(found, wanted, strict=True):
                if isinstance(data, Exception):
                    raise data
                if len(data) != size:
                    raise Gone(name)
            return list(found)

        return tried(read, f"{self.url}/{wanted[0][0]}", reads=True)


def _batches(wanted: Sequence[Range]) -> Iterator[list[Range]]:
    """The ranges, some at a time."""
    some: list[Range] = []
    size = 0
    for each in wanted:
        if some and (len(some) == _RANGES_AT_ONCE or size + each[2] > _BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(each)
        size += each[2]
    if some:
        yield some
