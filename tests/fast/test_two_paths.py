"""The fast path and the full path give the same text, notes and exit code for every kind of catalog."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.cli.main import run
from catalog.fast.plain_lookup import plain_lookup
from catalog.log.log_folder import LogFolder
from catalog.log.records import RevokeRecord
from catalog.state.folders import receipts
from catalog.store.catalog import Catalog
from catalog.transparency.trust import Trust, read_trust
from catalog.values import replace
from tests.support.catalogs import all_digests, build
from tests.support.later_version import later_catalog, later_version, publish_record
from tests.support.logs import LOG
from tests.support.published_logs import Place
from tests.support.samples import SMALL, write_inputs, write_spec

NOW = 1_800_000_000
REVOKE = RevokeRecord(type="revoke", selector={"vcpus": 1}, severity="revoked", reason="one is too few")
DEPRECATE = RevokeRecord(type="revoke", selector={"vcpus": 2}, severity="deprecated", reason="two is enough")
BARE = ["0" * 64, "f" * 96]
"""Digests that are in no catalog."""

LINES = (
    SMALL.replace('append = "quiet nr_cpus=2"', 'append = ""').replace('initrd = "initrd.img"\n', "")
    + """
[[kernel_hashes.define]]
name = "other"
kernel = "vmlinuz"
initrd = "initrd.img"
append = "a \\"line\\"  with\\tblanks"
"""
)
MORE_LINES = LINES.replace('tables = ["none", "mine"]', 'tables = ["none", "mine", "other"]')
DISTINGUISHED = SMALL.rstrip().removesuffix('vcpus = ["1-3"]') + 'vcpus = ["1-40"]\ndistinguished_bits = 3\n'
EMPTY = (
    SMALL.replace('"whole.fd", "twin.fd", "bare.fd"', '"bare.fd"').split("[technologies.sev]")[0]
    + """
[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC-Milan"]
sev_features = [1]
vcpus = ["1-3"]
"""
)
SPECS = {
    "own": SMALL,
    "one technology": SMALL.split("[technologies.sev-es]")[0],
    "command lines": MORE_LINES,
    "no rows": EMPTY,
    "distinguished": DISTINGUISHED,
}
FAST = ("own", "one technology", "command lines", "no rows")
"""Kinds of catalogs for which the fast path always answers itself."""


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LDCAT_FORMAT", "LDCAT_QUIET", "LDCAT_CATALOG", "LDCAT_TRUST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("time.time", lambda: NOW + 100.0)
    monkeypatch.setattr("catalog.fast.plain_lookup.time", lambda: NOW + 100.0)


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], BuildResult]:
    """A catalog of each kind, built on first use."""
    made: dict[str, BuildResult] = {}

    def of(kind: str) -> BuildResult:
        if kind not in made:
            folder = tmp_path_factory.mktemp("catalog")
            if kind == "later":
                made[kind] = later_catalog(folder)
            else:
                made[kind] = build(write_spec(write_inputs(folder / "in"), SPECS[kind]), folder / "catalog")
        return made[kind]

    return of


def digests_of(built: BuildResult) -> list[str]:
    """Some digests of each technology, also of the unknown one, and some that are not in the catalog."""
    with later_version():
        every = all_digests(built)
    some = [every[at][1].hex() for at in range(0, len(every), max(1, len(every) // 12))]
    last = {name: digest.hex() for name, digest in every}
    return [*some, *last.values(), *BARE]


class Compared:
    """Compares both paths.

    answered: how often the fast path answered itself.
    left: how often it left the answer to the full path because that searches related digests.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.answered = 0
        self.left = 0
        self.total = 0
        self.codes: set[int] = set()
        self._capsys = capsys

    def full(self, arguments: Sequence[str]) -> tuple[str, str, int]:
        code = run(["lookup", *arguments])
        printed = self._capsys.readouterr()
        return printed.out, printed.err, code

    def ask(self, digests: Sequence[str], *more: str) -> dict[str, tuple[str, int]]:
        """What the full path prints for each, without notes, and its exit code."""
        found = {}
        for digest in digests:
            for quiet in ([], ["-q"]):
                arguments = [digest, *more, *quiet]
                full = self.full(arguments)
                fast = plain_lookup(arguments)
                assert fast in (None, full), arguments
                self.answered += fast is not None
                self.left += fast is None and len(digest) == 96 and full[2] == 1
                self.total += 1
                self.codes.add(full[2])
            found[digest] = (full[0], full[2])
        return found

    @property
    def always(self) -> bool:
        return self.answered + self.left == self.total


@pytest.fixture
def compared(capsys: pytest.CaptureFixture[str]) -> Compared:
    return Compared(capsys)


Catalogs = Callable[[str], BuildResult]


@pytest.mark.parametrize("kind", SPECS)
def test_own_catalog(kind: str, catalogs: Catalogs, compared: Compared) -> None:
    built = catalogs(kind)
    compared.ask(digests_of(built), "--catalog", str(built.folder))
    if kind in FAST:
        assert compared.always
    assert compared.codes == ({1} if kind == "no rows" else {0, 1})


def test_catalog_of_a_later_version(catalogs: Catalogs, compared: Compared) -> None:
    """The full path notes that a technology is not searched, so the fast path leaves the answer to it."""
    built = catalogs("later")
    compared.ask(digests_of(built), "--catalog", str(built.folder))
    assert compared.answered == 0
    assert compared.codes == {0, 1}
    with later_version():
        assert compared.full([BARE[0], "--catalog", str(built.folder), "-q"]) == ("", "", 1)


def test_link_and_relative_path(
    catalogs: Catalogs, compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = catalogs("own")
    (tmp_path / "link").symlink_to(built.folder)
    monkeypatch.chdir(built.folder.parent)
    for name in (str(tmp_path / "link"), "catalog", "./catalog/", "catalog/."):
        compared.ask(digests_of(built)[-4:], "--catalog", name)
    assert compared.always


def otherwise_written(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())))


def linked(folder: Path) -> None:
    index = folder / "sev/launch_digests.index"
    index.rename(folder.parent / "aside")
    index.symlink_to(folder.parent / "aside")


def truncated(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1])


def flipped(name: str, at: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[at] ^= 1
        (folder / name).write_bytes(data)

    return damage


DAMAGES: dict[str, Callable[[Path], object]] = {
    "the manifest is written otherwise": otherwise_written,
    "the manifest is no JSON": truncated("manifest.json"),
    "the manifest is gone": lambda folder: (folder / "manifest.json").unlink(),
    "the manifest lists an unknown field": lambda folder: (folder / "manifest.json").write_text(
        (folder / "manifest.json").read_text().replace('{\n  "files"', '{\n  "colour": "red",\n  "files"')
    ),
    "another name in the manifest": lambda folder: (folder / "manifest.json").write_text(
        (folder / "manifest.json").read_text().replace('"name": "small"', '"name": "smell"')
    ),
    "the folder is gone": shutil.rmtree,
    "the index is short": truncated("sev-snp/launch_digests.index"),
    "the index is another": flipped("sev-snp/launch_digests.index", -10),
    "the index is gone": lambda folder: (folder / "sev-snp/launch_digests.index").unlink(),
    "the tree of the index is gone": lambda folder: (folder / "sev-snp/launch_digests.index.merkle").unlink(),
    "the names are another": flipped("components/names", 200),
    "the rows are gone": lambda folder: (folder / "sev-snp/launch_digests.parquet").unlink(),
    "the rows are another": flipped("sev-snp/launch_digests.parquet", 100),
    "firmware is another": flipped("components/firmware.parquet", 100),
    "a link in place of the index": linked,
}


@pytest.fixture(scope="module")
def whole() -> dict[str, tuple[str, int]]:
    """The answers of the catalog before it is damaged, once a test has asked for them."""
    return {}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_catalog(
    damage: str, catalogs: Catalogs, whole: dict[str, tuple[str, int]], compared: Compared, tmp_path: Path
) -> None:
    """The fast path leaves what it cannot verify to the full path, and no damage changes an answer."""
    built, copy = catalogs("own"), tmp_path / "copy"
    shutil.copytree(built.folder, copy)
    DAMAGES[damage](copy)
    digests = digests_of(built)
    if not whole:
        whole.update(compared.ask(digests, "--catalog", str(built.folder)))
    for digest, (out, code) in compared.ask(digests, "--catalog", str(copy)).items():
        assert code > 1 or (out, code) == whole[digest]


def options_for(place: Place, *more: str) -> tuple[str, ...]:
    """The options for a lookup in a log, or in a release below it."""
    return ("--catalog", str(place.log.joinpath(*more)), "--trust", str(place.trust))


def trust_of_version(place: Place, version: int) -> Trust:
    """The trust note with another version number."""
    return replace(read_trust(place.trust.read_bytes()), version=version)


@pytest.fixture
def published(catalogs: Catalogs, tmp_path: Path) -> Place:
    return Place(tmp_path, catalogs("own"), NOW)


def test_published_release(
    published: Place, catalogs: Catalogs, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the second lookup on the fast path answers, for the log and for a release given by its folder."""
    digests = digests_of(catalogs("own"))
    for place in ((), ("releases", "1")):
        compared.full([BARE[0], *options_for(published, *place)])
        compared.ask(digests, *options_for(published, *place))
    assert compared.always
    monkeypatch.setenv("LDCAT_TRUST", str(published.trust))
    compared.ask(digests[:3], "--catalog", str(published.log))
    assert compared.always
    compared.ask(digests[:3], "--catalog", str(catalogs("own").folder))  # which was neither verified nor built here
    assert compared.total - compared.answered - compared.left == 6
    receipts().keep(Catalog.open(catalogs("own").folder).manifest_sha256)
    compared.ask(digests[:3], "--catalog", str(catalogs("own").folder))


def test_older_release_of_a_log(published: Place, catalogs: Catalogs, compared: Compared) -> None:
    published.publish(trust=trust_of_version(published, 1))
    compared.full([BARE[0], *options_for(published, "releases", "1")])
    compared.ask(digests_of(catalogs("own")), *options_for(published, "releases", "1"))
    assert compared.always


@pytest.mark.parametrize("why", ["revoked", "newer trust", "unverified", "stale", "unknown record", "no log any more"])
def test_release_that_needs_notes(
    why: str, published: Place, catalogs: Catalogs, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_for(published)
    if why == "revoked":
        published.publish(REVOKE, DEPRECATE)
    elif why == "newer trust":
        published.publish(trust=trust_of_version(published, 3))
    elif why == "unknown record":
        publish_record(LogFolder(published.log), LOG, NOW + 9)
    elif why == "unverified":
        options = ("--catalog", str(published.log), "--insecure-skip-verify")
    compared.full([BARE[0], *options])
    if why == "stale":
        for name in ("time.time", "catalog.fast.plain_lookup.time"):
            monkeypatch.setattr(name, lambda: NOW + 90_000.0)
    elif why == "no log any more":
        (published.log / "checkpoint").unlink()
    compared.ask(digests_of(catalogs("own")), *options)
    assert compared.answered == 0
    expected = {"revoked": {0, 1, 7}, "stale": {8}, "no log any more": {2}}
    assert compared.codes == expected.get(why, {0, 1})


def test_published_catalog_of_a_later_version(catalogs: Catalogs, compared: Compared, tmp_path: Path) -> None:
    with later_version():
        published = Place(tmp_path / "later", catalogs("later"), NOW)
    compared.full([BARE[0], *options_for(published)])
    compared.ask(digests_of(catalogs("later")), *options_for(published))
    assert (compared.answered, compared.codes) == (0, {0, 1})


@pytest.mark.parametrize("how", ["missing", "empty", "changed", "link"])
def test_list_of_revocations_that_is_not_as_verified(
    how: str, published: Place, catalogs: Catalogs, compared: Compared
) -> None:
    options = options_for(published)
    compared.full([BARE[0], *options])
    path = published.log / "releases/1/revocations.json"
    path.unlink()
    if how == "link":
        path.symlink_to(path.with_name("manifest.json"))
    elif how != "missing":
        path.write_bytes(b"" if how == "empty" else b"[] ")
    compared.ask(digests_of(catalogs("own"))[:2], *options)
    assert compared.answered == 0
    assert compared.codes <= {4, 5}


@pytest.mark.parametrize("name", ["LDCAT_HASH_BACKEND", "LDCAT_KERNELS"])
def test_invalid_hash_backend(
    name: str, catalogs: Catalogs, compared: Compared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "bogus")
    compared.ask(digests_of(catalogs("own"))[:1], "--catalog", str(catalogs("own").folder))
    assert compared.codes == {2}


@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
def test_folder_with_the_name_of_a_host(
    scheme: str, catalogs: Catalogs, compared: Compared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL names a host, even if there is a folder of that name."""
    shutil.copytree(catalogs("own").folder, tmp_path / f"{scheme}:/127.0.0.1:1/c")
    monkeypatch.chdir(tmp_path)
    compared.ask(digests_of(catalogs("own"))[:1], "--catalog", f"{scheme}://127.0.0.1:1/c")
    assert (compared.answered, compared.codes) == (0, {2})


def test_host(compared: Compared) -> None:
    """The fast path does not use the network."""
    for name in ("http://127.0.0.1:1/logs", "HTTPS://host.invalid"):
        assert plain_lookup([BARE[0], "--catalog", name]) is None
    assert compared.full([BARE[0], "--catalog", "http://127.0.0.1:1/logs", "-q"])[::2] == ("", 2)
