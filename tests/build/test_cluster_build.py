"""A build on a cluster, with threads in place of its workers: the same bytes, whatever the storage does."""

from __future__ import annotations

import errno
import os
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalog.build import generation
from catalog.build.builder import BuildResult, build_catalog
from catalog.build.cluster import build_journal, cluster_build, cluster_job
from catalog.build.cluster.cluster_build import Cluster
from catalog.build.cluster.made_files import Hashed
from catalog.errors import Unreadable, UsageError
from catalog.launch.hashing.backends import choose
from catalog.spec.catalog_spec import load_spec
from catalog.state.receipts import Receipts
from catalog.work import storage as storage_module
from catalog.work.engine import Engine, local_engine
from catalog.work.folder_storage import FolderStorage
from catalog.work.object_storage import ObjectStorage
from catalog.work.storage import Storage
from tests.support.catalogs import build, contents, no_progress
from tests.support.failing_storage import Faults, MemoryStorage
from tests.support.samples import LONGER, write_inputs, write_spec

SPEC = LONGER.replace("[technologies.sev-snp]", "[technologies.sev-snp]\ndistinguished_bits = 0")
PIECES, SHARDS = 4, 4
"""Of SEV-SNP; the other technologies have one of each."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pieces and shards for some hundred rows, and no waiting between tries."""
    monkeypatch.setattr(generation, "ROWS_PER_PART", 256)
    monkeypatch.setattr(generation, "_CHUNK", (100, 100))
    monkeypatch.setattr(cluster_job, "_ENOUGH_PIECES", PIECES)
    monkeypatch.setattr(storage_module, "_WAITS", (0.0, 0.0, 0.0))


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_spec(write_inputs(tmp_path / "inputs"), SPEC)


@pytest.fixture
def local(tmp_path: Path, spec: Path) -> dict[str, str]:
    return contents(build(spec, tmp_path / "local").folder)


class Watched:
    """An engine of threads that counts tasks, and may end the build before one."""

    def __init__(self, engine: Engine, before: Callable[[str], None]) -> None:
        self.engine = engine
        self.before = before
        self.writers = engine.writers
        self.done = Counter[str]()

    def run(self, function: Callable[[Any], Any], tasks: Any) -> Any:
        def called(task: Any) -> Any:
            self.before(function.__name__)
            made = function(
                pickle.loads(pickle.dumps(task)) if not isinstance(task.job.storage, MemoryStorage) else task
            )
            self.done[function.__name__] += 1
            return made

        return self.engine.run(called, tasks)


def clustered(
    spec: Path,
    out: Path,
    storage: Storage,
    journals: Path | None = None,
    before: Callable[[str], None] = lambda _: None,
) -> tuple[BuildResult, Counter[str]]:
    with local_engine(1, threads=True) as engine:
        watched = Watched(engine, before)
        built = build_catalog(
            load_spec(spec),
            out,
            engine=watched,  # type: ignore[arg-type]
            backend=choose(),
            receipts=Receipts(None),
            start_progress=no_progress,
            cluster=Cluster(storage, journals),
        )
    return built, watched.done


def stores(tmp_path: Path) -> list[Storage]:
    return [FolderStorage(str(tmp_path / "shared")), MemoryStorage(), ObjectStorage(f"memory://{tmp_path.name}")]


@pytest.mark.parametrize("kind", range(3))
def test_the_bytes_are_those_of_a_local_build(tmp_path: Path, spec: Path, local: dict[str, str], kind: int) -> None:
    built, done = clustered(spec, tmp_path / "catalog", stores(tmp_path)[kind], tmp_path / "state")
    assert contents(built.folder) == local
    assert done == {"hash_piece": 2 + PIECES, "write_shard": 2 + SHARDS, "join_index": 3}


def test_a_folder_gives_its_files_to_the_catalog_and_keeps_nothing(
    tmp_path: Path, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    link = FolderStorage.linked

    def linked(self: FolderStorage, name: str, path: Path) -> bool:
        names.append(name)
        assert link(self, name, path)
        assert path.stat().st_nlink == 2
        return True

    monkeypatch.setattr(FolderStorage, "linked", linked)
    clustered(spec, tmp_path / "catalog", FolderStorage(str(tmp_path / "shared")), tmp_path / "state")
    assert {"sev-snp-launch_digests.index", "sev-snp-launch_digests-0.parquet.merkle"} <= set(names)
    assert list((tmp_path / "shared").iterdir()) == []
    assert list((tmp_path / "state").iterdir()) == []


def test_a_file_of_another_size_is_not_kept(
    tmp_path: Path, spec: Path, local: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[str] = []
    link = FolderStorage.linked

    def linked(self: FolderStorage, name: str, path: Path) -> bool:
        if not cut and name == "sev-snp-launch_digests-1.parquet":
            cut.append(name)
            os.truncate(Path(self.root, name), 4096)
        return link(self, name, path)

    monkeypatch.setattr(FolderStorage, "linked", linked)
    built, done = clustered(spec, tmp_path / "catalog", FolderStorage(str(tmp_path / "shared")))
    assert contents(built.folder) == local
    assert cut
    assert done["write_shard"] == 2 + SHARDS + 1


def test_distinguished_digests(tmp_path: Path, spec: Path) -> None:
    spec.write_text(spec.read_text().replace("distinguished_bits = 0", "distinguished_bits = 2"))
    built, _ = clustered(spec, tmp_path / "catalog", MemoryStorage())
    assert contents(built.folder) == contents(build(spec, tmp_path / "local").folder)


class Stopped(Exception):
    """In place of the death of the process that started the build."""


def stop_before(what: str, count: int) -> Callable[[str], None]:
    left = [count]

    def before(name: str) -> None:
        if name == what:
            left[0] -= 1
            if left[0] < 0:
                raise Stopped

    return before


@pytest.mark.parametrize(
    ("what", "count", "again"), [("hash_piece", 4, False), ("write_shard", 2, True), ("join_index", 2, True)]
)
def test_an_interrupted_build_goes_on(
    tmp_path: Path, spec: Path, local: dict[str, str], what: str, count: int, again: bool
) -> None:
    shared, state = FolderStorage(str(tmp_path / "shared")), tmp_path / "state"
    with pytest.raises(Stopped):
        clustered(spec, tmp_path / "catalog", shared, state, stop_before(what, count))
    assert not (tmp_path / "catalog").exists()
    built, done = clustered(spec, tmp_path / "catalog", shared, state)
    _, whole = clustered(spec, tmp_path / "other", MemoryStorage())
    assert contents(built.folder) == local
    assert whole["hash_piece"] - done["hash_piece"] > 0
    if again:
        assert whole["write_shard"] - done["write_shard"] == done["check_files"] > 0
    assert list((tmp_path / "shared").iterdir()) == list(state.iterdir()) == []


@pytest.mark.parametrize("name", ["sev-snp-hashed-1", "sev-snp-slice-2", "sev-snp-launch_digests-1.parquet"])
@pytest.mark.parametrize("damage", ["removed", "cut", "changed", "of another piece"])
def test_what_the_storage_lost_meanwhile_is_made_again(
    tmp_path: Path, spec: Path, local: dict[str, str], name: str, damage: str
) -> None:
    shared, state = FolderStorage(str(tmp_path / "shared")), tmp_path / "state"
    with pytest.raises(Stopped):
        clustered(spec, tmp_path / "catalog", shared, state, stop_before("join_index", 2))
    (job,) = (tmp_path / "shared").iterdir()
    data = (job / name).read_bytes()
    (job / name).unlink()
    other = name.replace("1.", "2.").replace("hashed-1", "hashed-2").replace("slice-2", "slice-1")
    made = {
        "removed": None,
        "cut": data[:-1],
        "changed": data[:70] + bytes([data[70] ^ 1]) + data[71:],
        "of another piece": (job / other).read_bytes(),
    }[damage]
    if made is not None:
        (job / name).write_bytes(made)
    assert contents(clustered(spec, tmp_path / "catalog", shared, state)[0].folder) == local


def test_another_spec_or_version_uses_nothing_of_it(
    tmp_path: Path, spec: Path, local: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, state = FolderStorage(str(tmp_path / "shared")), tmp_path / "state"
    with pytest.raises(Stopped):
        clustered(spec, tmp_path / "catalog", shared, state, stop_before("join_index", 0))
    with monkeypatch.context() as patched:
        patched.setattr(cluster_build, "__version__", "0.0.1")
        assert clustered(spec, tmp_path / "catalog", shared, state)[1]["check_files"] == 0
    spec.write_text(spec.read_text().replace("1-40", "1-41"))
    assert clustered(spec, tmp_path / "other", shared, state)[1]["check_files"] == 0
    spec.write_text(spec.read_text().replace("1-41", "1-40"))
    built, done = clustered(spec, tmp_path / "third", shared, state)
    assert done["check_files"] > 0
    assert contents(built.folder) == local


def test_files_that_somebody_put_there_are_not_used(tmp_path: Path, spec: Path, local: dict[str, str]) -> None:
    shared = FolderStorage(str(tmp_path / "shared"))
    with pytest.raises(Stopped):
        clustered(spec, tmp_path / "catalog", shared, tmp_path / "state", stop_before("join_index", 2))
    (job,) = (tmp_path / "shared").iterdir()
    for path in job.iterdir():
        path.write_bytes(bytes(path.stat().st_size))
    assert contents(clustered(spec, tmp_path / "catalog", shared, tmp_path / "elsewhere")[0].folder) == local


def failing_once() -> Callable[[str], bool]:
    seen = Counter[str]()

    def fails(name: str) -> bool:
        seen[name] += 1
        return seen[name] % 2 == 1

    return fails


def test_storage_that_fails_now_and_then(tmp_path: Path, spec: Path, local: dict[str, str]) -> None:
    built, _ = clustered(spec, tmp_path / "catalog", MemoryStorage(Faults(fails=failing_once())))
    assert contents(built.folder) == local


@pytest.mark.parametrize("what", ["sweeps", "hashed-0", "slice-0", "parquet", "merkle", "head", "index"])
def test_storage_that_fails_always_is_an_error(tmp_path: Path, spec: Path, what: str) -> None:
    asked: list[str] = []

    def fails(name: str) -> bool:
        asked.extend([name] * (what in name))
        return what in name

    faults = Faults(fails=fails)
    with pytest.raises(Unreadable, match="Input/output error"):
        clustered(spec, tmp_path / "catalog", MemoryStorage(faults))
    assert not (tmp_path / "catalog").exists()
    assert 4 <= len(asked) <= 4 * 6, "a bounded number of tries"


def changing_once(what: str, change: Callable[[bytes], bytes | None]) -> Callable[[str, bytes], bytes | None]:
    seen = set[str]()

    def changed(name: str, data: bytes) -> bytes | None:
        if what in name and name not in seen and data:
            seen.add(name)
            return change(data)
        return data

    return changed


@pytest.mark.parametrize("what", ["-hashed-", "-slice-", ".parquet", ".parquet.merkle", "-head", ".index"])
@pytest.mark.parametrize("change", [lambda _: None, lambda data: bytes([data[0] ^ 1]) + data[1:]])
def test_storage_that_keeps_other_bytes_once(
    tmp_path: Path, spec: Path, local: dict[str, str], what: str, change: Callable[[bytes], bytes | None]
) -> None:
    faults = Faults(changed=changing_once(what, change))
    assert contents(clustered(spec, tmp_path / "catalog", MemoryStorage(faults))[0].folder) == local


@pytest.mark.parametrize("what", ["-hashed-1", "-slice-1", "-1.parquet", "-head", ".index"])
def test_storage_that_keeps_other_bytes_always_is_an_error(tmp_path: Path, spec: Path, what: str) -> None:
    faults = Faults(changed=lambda name, data: bytes([data[0] ^ 1]) + data[1:] if what in name and data else data)
    with pytest.raises(Unreadable, match="does not keep what was written there"):
        clustered(spec, tmp_path / "catalog", MemoryStorage(faults))
    assert not (tmp_path / "catalog").exists()


def test_sweeps_of_somebody_else_are_not_loaded(tmp_path: Path, spec: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return pytest.fail, ("it was unpickled",)

    trap = pickle.dumps(Trap())
    faults = Faults(changed=lambda name, data: trap.ljust(len(data), b".") if name == "sweeps" else data)
    with pytest.raises(Unreadable, match="is not what was written there"):
        clustered(spec, tmp_path / "catalog", MemoryStorage(faults))


def test_a_worker_of_another_version_is_refused(tmp_path: Path, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"a worker has ldcat 0\.0\.1"):
        clustered(
            spec,
            tmp_path / "catalog",
            MemoryStorage(),
            before=lambda _: monkeypatch.setattr(cluster_job, "__version__", "0.0.1"),
        )


def test_two_builds_of_the_same_at_a_time(tmp_path: Path, spec: Path) -> None:
    shared, state = FolderStorage(str(tmp_path / "shared")), tmp_path / "state"

    def another(name: str) -> None:
        if name == "join_index":
            clustered(spec, tmp_path / "other", shared, state)

    with pytest.raises(UsageError, match="another process builds this catalog"):
        clustered(spec, tmp_path / "catalog", shared, state, another)


def test_a_journal_that_was_cut_or_damaged_loses_its_end_alone(
    tmp_path: Path, spec: Path, local: dict[str, str]
) -> None:
    shared, state = FolderStorage(str(tmp_path / "shared")), tmp_path / "state"
    with pytest.raises(Stopped):
        clustered(spec, tmp_path / "catalog", shared, state, stop_before("join_index", 2))
    (journal,) = state.iterdir()
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    for text in (b"", whole[:20], whole[:-9], b"".join([*lines[:3], b"{}\n", *lines[4:]]), whole + b"\xff"):
        journal.write_bytes(text)
        with pytest.raises(Stopped):
            clustered(spec, tmp_path / "catalog", shared, state, stop_before("join_index", 2))
    assert contents(clustered(spec, tmp_path / "catalog", shared, state)[0].folder) == local


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_without_a_state_folder_of_its_own_a_build_cannot_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, "refused")

    with monkeypatch.context() as patched:
        patched.setattr(build_journal, "opened", refused)
        with build_journal.open_journal(tmp_path / "state", "job") as journal:
            journal.add(Hashed(technology="sev", number=0, done=1, rows=b"", seals=b""))
    with build_journal.open_journal(tmp_path / "state", "job") as journal:
        assert journal.made == []


def test_a_state_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o777)
    (tmp_path / "state").chmod(0o777)
    with (
        pytest.raises(Unreadable, match="is part of ldcat's state and is not trusted"),
        build_journal.open_journal(tmp_path / "state", "job"),
    ):
        pass


def test_little_goes_through_the_scheduler(tmp_path: Path, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of a task and of its result, beside 16 bytes of a seal, and 12 of a place, for each piece and shard."""
    sizes: list[int] = []
    run = Engine.run

    def watched(self: Engine, function: Any, tasks: Any) -> Any:
        def called(task: Any) -> Any:
            made = function(task)
            sizes.append(len(pickle.dumps(task)) + len(pickle.dumps(made)))
            return made

        return run(self, called, tasks) if "_fetch" not in repr(function) else run(self, function, tasks)

    monkeypatch.setattr(Engine, "run", watched)
    clustered(spec, tmp_path / "catalog", FolderStorage(str(tmp_path / "shared")))
    assert max(sizes) < 3500
