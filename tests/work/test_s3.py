"""Storage in S3, at a server of moto that runs here: a build on a cluster has the same bytes, and leaves nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.build import generation
from catalog.build.builder import build_catalog
from catalog.build.cluster.cluster_build import Cluster
from catalog.errors import Unreadable
from catalog.launch.hashing.backends import choose
from catalog.spec.catalog_spec import load_spec
from catalog.state.receipts import Receipts
from catalog.work import storage
from catalog.work.engine import local_engine
from catalog.work.object_storage import ObjectStorage
from catalog.work.storage_url import open_storage
from tests.support.catalogs import build, contents, no_progress
from tests.support.samples import LONGER, write_inputs, write_spec

s3fs = pytest.importorskip("s3fs")
pytest.importorskip("moto")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of the server, which fsspec finds in the environment, as its users say it."""
    command = [sys.executable, "-u", "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
        pytest.MonkeyPatch.context() as environment,
    ):
        assert process.stderr
        address = next(line.split()[-1] for line in process.stderr if "Running on http" in line)
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "a-key",
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            environment.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("bucket")
        yield address
        s3fs.S3FileSystem.clear_instance_cache()
        process.kill()


def test_a_build_in_s3(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "ROWS_PER_PART", 256)
    spec = write_spec(write_inputs(tmp_path / "inputs"), LONGER)
    where = open_storage("s3://bucket/builds")
    assert isinstance(where, ObjectStorage)
    with local_engine(2, threads=True) as engine:
        built = build_catalog(
            load_spec(spec),
            tmp_path / "catalog",
            engine=engine,
            backend=choose(),
            receipts=Receipts(None),
            start_progress=no_progress,
            cluster=Cluster(where, None),
        )
    assert contents(built.folder) == contents(build(spec, tmp_path / "local").folder)
    assert s3fs.S3FileSystem().find("bucket") == []


def test_a_bucket_that_is_not_there_is_not_made(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_WAITS", ())
    with pytest.raises(Unreadable, match="s3://mistyped/builds/job/one: "):
        open_storage("s3://mistyped/builds").below("job").put("one", memoryview(bytearray(4096)), 5)
    assert s3fs.S3FileSystem().ls("") == ["bucket"]
