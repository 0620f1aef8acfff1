"""The wheel: its contents, builds without a C compiler, and the command that it installs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from catalog import __version__
from tools import release
from tools.sbom import LOCK, OPTIONS, sbom
from tools.slim import is_slim, slim_wheel

ROOT = Path(__file__).parent.parent
SHIPPED = ("bin", "catalog", "data", "ldcat", "pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in")

COMPILERS = ("cc", "gcc", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc")
FASTER = """#!/bin/sh
PATH=${PATH#*:}
for word; do
    shift
    [ "$word" = -O3 ] && word=-O0
    set -- "$@" "$word"
done
exec %s "$@"
"""
"""A compiler that does not optimize: builds are looked at, not timed, and -O3 takes four times as long."""


@pytest.fixture(scope="module", autouse=True)
def _compilers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each compiler that there is, faster, in a folder that comes first on the path."""
    folder = tmp_path_factory.mktemp("compilers")
    for name in filter(shutil.which, COMPILERS):
        (folder / name).write_text(FASTER % name)
        (folder / name).chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(folder), prepend=os.pathsep)
        yield


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    code = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "catalog").rglob("__init__.py")}
    data = {".".join(("catalog", *path.parent.relative_to(ROOT).parts)) for path in (ROOT / "data").rglob("*.toml")}
    assert listed == code | data | {"ldcat"}


@pytest.fixture(scope="module")
def installed_without_compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as built on a machine without a C compiler, unpacked into a folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SHIPPED:
        (source / name).symlink_to(ROOT / name)
    command = [sys.executable, "-c", "from setuptools import build_meta; build_meta.build_wheel('..')"]
    subprocess.run(command, cwd=source, check=True, env={**os.environ, "CC": "false"}, capture_output=True)
    (built,) = folder.glob("ldcat-*-py3-none-any.whl")
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


BUILD = """
import os, sys
from setuptools import build_meta
out, umask = sys.argv[1:]
os.umask(int(umask, 8))
build_meta.build_sdist(out)
build_meta.build_wheel(out)
"""


def checkout(source: Path) -> None:
    """What is shipped of this checkout, copied to a folder."""
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("*.so", "__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(ROOT / name, source / name)


def built_in(source: Path, umask: int, when: int) -> dict[str, bytes]:
    """The sdist and the wheel of the files in a folder, built with a given umask and time."""
    for path in source.rglob("*"):
        path.chmod((0o777 if path.is_dir() or path.parent.name == "bin" else 0o666) & ~umask)
        os.utime(path, (when, when))
    out = source.parent / "out"
    out.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = [sys.executable, "-c", BUILD, str(out), f"{umask:o}"]
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.long
def test_builds_are_reproducible(tmp_path: Path) -> None:
    source = tmp_path / "a/source"
    source.mkdir(parents=True)
    checkout(source)
    (source / "man").mkdir()
    (source / "man/ldcat.1").write_text(".TH LDCAT 1\n")  # as `make wheels` writes them
    one = built_in(source, 0o022, 10**9)
    assert sorted(name.rpartition(".")[2] for name in one) == ["gz", "whl"]
    with tarfile.open(next((tmp_path / "a/out").glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path / "b/in another folder", filter="data")
    (unpacked,) = (tmp_path / "b/in another folder").iterdir()
    other = built_in(unpacked, 0o077, 1_700_000_001)
    assert one.keys() == other.keys()
    for name, data in one.items():
        assert data == other[name], name
    with zipfile.ZipFile(next((tmp_path / "a/out").glob("*.whl"))) as wheel:
        assert [name for name in wheel.namelist() if name.endswith(".data/data/share/man/man1/ldcat.1")]
        modules = [name for name in wheel.namelist() if name.endswith(".so")]
        assert len(modules) == (7 if shutil.which("cc") else 0)
        tag = "cp311-abi3-linux" if modules else "py3-none-any"
        assert tag in str(wheel.filename)
        for name in modules:
            for path in (tmp_path, Path(sys.base_prefix), Path.home()):
                assert str(path).encode() not in wheel.read(name), name


def _run(site: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "catalog", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=site, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def test_without_a_compiler_the_fallback_is_in_use(installed_without_compiler: Path) -> None:
    assert not list(installed_without_compiler.rglob("_sha256*"))
    assert "pure Python" in _run(installed_without_compiler, "--version")


def test_without_a_compiler_the_digests_are_the_same(installed_without_compiler: Path) -> None:
    arguments = ("measure", "sid/ovmf-amdsev/OVMF.amdsev.fd", "-t", "sev-es", "--vmm", "qemu-kvm-legacy")
    vcpus = ("--vcpus", "3", "--vcpu-type", "EPYC-Milan")
    here = subprocess.run(
        [sys.executable, "-m", "catalog", *arguments, *vcpus], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert _run(installed_without_compiler, *arguments, *vcpus) == here.stdout


def test_the_wheel_contains_all_data(installed_without_compiler: Path) -> None:
    package = installed_without_compiler / "catalog"
    shipped = {path.relative_to(package) for path in (package / "data").rglob("*") if path.is_file()}
    assert shipped == {path.relative_to(ROOT) for path in (ROOT / "data").rglob("*") if path.is_file()}


def test_the_wheel_has_both_packages_with_their_types(installed_without_compiler: Path) -> None:
    assert all((installed_without_compiler / name / "py.typed").is_file() for name in ("catalog", "ldcat"))
    program = "import ldcat; print(ldcat.Release.__module__, ldcat.errors.Stale.exit_code)"
    environment = {**os.environ, "PYTHONPATH": str(installed_without_compiler)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=installed_without_compiler)
    assert (done.stdout, done.stderr) == ("catalog.api.release 8\n", "")


def test_the_wheel_contains_templates_and_scripts(installed_without_compiler: Path) -> None:
    for folder in (Path("catalog/pages/templates"), Path("catalog/pages/assets")):
        shipped = {path.name for path in (installed_without_compiler / folder).iterdir()} - {"__pycache__"}
        assert shipped == {path.name for path in (ROOT / folder).iterdir()} - {"__pycache__"}


def locked(name: str) -> dict[str, list[str]]:
    """The packages of a lock file, each with its pinned version and its hashes."""
    found: dict[str, list[str]] = {}
    for entry in re.sub(r"\\\n\s*", "", (ROOT / "docs/deploy" / name).read_text()).splitlines():
        if entry and not entry.startswith("#"):
            pin = re.fullmatch(r"([a-z0-9-]+)==([0-9.]+)(?: ; [^#]+?)?((?: ?--hash=sha256:[0-9a-f]{64})+)", entry)
            assert pin, f"{name}: {entry[:80]} is not pinned to a version and to hashes"
            found[pin[1]] = [pin[2], *re.findall(r"[0-9a-f]{64}", pin[3])]
    return found


def test_the_image_is_built_from_the_lock_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["serve"]
    for name, requirements in (
        ("requirements.txt", wanted),
        ("requirements-build.txt", project["build-system"]["requires"]),
    ):
        pinned = locked(name)
        for requirement in map(Requirement, requirements):
            assert requirement.specifier.contains(pinned[requirement.name][0]), f"{name}: make lock ({requirement})"
        assert "//" not in (ROOT / "docs/deploy" / name).read_text()  # of no particular host


def steps_of_the_image() -> list[list[str]]:
    lines = re.sub(r"\\\n\s*", "", (ROOT / "docs/deploy/Containerfile").read_text()).splitlines()
    return [line.split(" ", 1) for line in lines if line and not line.startswith("#")]


def test_nothing_is_installed_into_the_image_without_its_hash() -> None:
    ran = [command for step in steps_of_the_image() if step[0] == "RUN" for command in step[1].split("&&")]
    installs = [command for command in ran if re.search(r"pip (install|wheel|download)", command)]
    assert len(installs) == 4
    for command in installs:
        if "-r /lock/" in command:
            assert "--require-hashes" in command
        else:
            assert "--no-deps" in command
            assert "--no-index" in command


def test_an_image_without_compiled_code_is_not_built() -> None:
    ran = " ".join(step[1] for step in steps_of_the_image() if step[0] == "RUN")
    assert "python3-dev" in ran  # else Python.h is missing
    assert "--no-index /wheel/ldcat-*-abi3-*.whl" in ran  # no such file if nothing was compiled


def test_actions_of_the_workflow_are_pinned_and_have_few_permissions() -> None:
    text = (ROOT / "docs/deploy/release.yml").read_text()
    uses = re.findall(r"uses: (.*)", text)
    assert len(uses) == 5
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in uses)
    assert "\npermissions: {}\n" in text
    assert re.findall(r"(\S+): write", text) == ["id-token", "attestations"]
    pinned = set(re.findall(r"actions/\S+@[0-9a-f]{40} # \S+", (ROOT / "docs/release.md").read_text()))
    assert pinned
    assert pinned <= set(uses)


def test_the_base_image_is_a_placeholder() -> None:
    steps = steps_of_the_image()
    assert [step for step in steps if step[0] == "FROM"] == [
        ["FROM", "${BASE}@${BASE_DIGEST} AS build"],
        ["FROM", "${BASE}@${BASE_DIGEST}"],
    ]
    given = dict(step[1].split("=") for step in steps if step[0] == "ARG")
    assert given == {"BASE": "build-arg-BASE-is-missing", "BASE_DIGEST": "build-arg-BASE_DIGEST-is-missing"}
    # the name has a capital letter, and the digest no hash function: no engine accepts them as a reference
    assert given["BASE"] != given["BASE"].lower()
    assert ":" not in given["BASE_DIGEST"]


def test_no_engine_builds_the_image_from_the_placeholder() -> None:
    engine = shutil.which("buildah") or shutil.which("podman")
    if engine is None:
        pytest.skip("neither buildah nor podman is installed")
    command = [engine, "--storage-driver", "vfs", "build", "-f", "docs/deploy/Containerfile", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "build-arg-BASE-is-missing@build-arg-BASE_DIGEST-is-missing" in done.stdout + done.stderr
    assert "invalid reference format" in done.stderr


def test_the_sbom_matches_the_lock_file_and_is_reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    unchecked = ("--output-reproducible", "--no-validate")  # the same bytes are as valid; to validate takes seconds
    if "LDCAT_REQUIRE_ORACLES" in os.environ:  # the SBOM of the release below is validated
        monkeypatch.setattr("tools.sbom.OPTIONS", unchecked)
    made = sbom(LOCK)
    monkeypatch.setattr("tools.sbom.OPTIONS", unchecked)
    assert sbom(LOCK) == made
    document = json.loads(made)
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "ldcat")
    assert document["metadata"]["component"]["version"] == __version__
    assert {"timestamp", "serialNumber"}.isdisjoint({*document, *document["metadata"]})
    listed = {
        component["name"]: [component["version"], *(h["content"] for h in component["externalReferences"][0]["hashes"])]
        for component in document["components"]
    }
    assert {name: (pin[0], {*pin[1:]}) for name, pin in listed.items()} == {
        name: (pin[0], {*pin[1:]}) for name, pin in locked("requirements.txt").items()
    }


def filled_in(text: str) -> str:
    """What a publisher makes of a file with marked places."""
    return text.replace("PUBLISHER: fill in before release: ", "").replace("(unreleased)", "(2026-12-01)")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this checkout as it is, with everything filled in and committed; only new files may be changed."""
    folder = tmp_path_factory.mktemp("clone")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for name in release.READ:
        (folder / name).write_text(filled_in((ROOT / name).read_text()))
    git = ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    for command in (["init", "-q"], ["add", "--force", "."], ["commit", "-q", "-m", "Release"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    for path in (ROOT / "catalog").rglob(
        "*.abi3.so"
    ):  # ignored by git; without them the catalog of a trial takes minutes
        shutil.copy(path, folder / path.relative_to(ROOT))
    return folder


def make_release(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.release", str(out)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def test_no_release_is_made_while_placeholders_are_left(tmp_path: Path) -> None:
    for name in release.READ:
        shutil.copy(ROOT / name, tmp_path / name)
    found = list(release.places(tmp_path))
    assert [re.sub(r":\d+:.*", "", place) for place in found] == ["SECURITY.md", "CHANGELOG.md", "pyproject.toml"]
    assert all("PUBLISHER: fill in before release: " in place or "(unreleased)" in place for place in found)
    refused = make_release(ROOT, tmp_path / "dist")
    assert (refused.returncode, all(place in refused.stderr for place in found)) == (1, True)
    assert not (tmp_path / "dist").exists()
    for name in release.READ:
        (tmp_path / name).write_text(filled_in((tmp_path / name).read_text()))
    assert list(release.places(tmp_path)) == []


def test_no_release_is_made_of_what_is_not_committed_or_over_another(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/old.whl").touch()
    assert "files of an earlier run" in make_release(clone, tmp_path / "dist").stderr
    (clone / "notes.txt").touch()
    try:
        refused = make_release(clone, tmp_path / "other")
    finally:
        (clone / "notes.txt").unlink()
    assert (refused.returncode, refused.stderr) == (1, "this is no release yet: commit or remove\n?? notes.txt\n")
    assert not (tmp_path / "other").exists()


@pytest.mark.long
def test_a_release_has_all_its_files_and_its_wheel_answers_in_a_clean_environment(clone: Path) -> None:
    if "LDCAT_REQUIRE_ORACLES" not in os.environ:
        pytest.skip("it takes packages from a registry, and a compiler for each platform")
    made = make_release(clone, clone / "dist")
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(
        r"ldcat-\S+-cp311-abi3-manylinux_2_17_x86_64\.whl with Python 3\.\S+: ldcat .*compiled.*\n"
        r"ldcat_slim-\S+-cp311-abi3-manylinux_2_17_x86_64\.whl with Python 3\.\S+: 2\d\.\d MB\n",
        made.stdout,
    )
    name, out = f"ldcat-{__version__}", clone / "dist"
    wheel_names = [
        f"{of}-{__version__}-cp311-abi3-manylinux_2_17_{machine}.whl"
        for of in ("ldcat", "ldcat_slim")
        for machine in ("aarch64", "x86_64")
    ]
    others = [f"{name}-serve.cdx.json", f"{name}-serve.requirements.txt", f"{name}.tar.gz"]
    sums = {line[66:]: line[:64] for line in (out / "SHA256SUMS").read_text().splitlines()}
    assert [*sums] == sorted([*wheel_names, *others])
    assert {path.name for path in out.iterdir()} == {*sums, "SHA256SUMS"}
    for file, digest in sums.items():
        assert hashlib.sha256((out / file).read_bytes()).hexdigest() == digest
    assert "--validate" in OPTIONS
    assert json.loads((out / f"{name}-serve.cdx.json").read_bytes())["bomFormat"] == "CycloneDX"
    assert (out / f"{name}-serve.requirements.txt").read_bytes() == LOCK.read_bytes()
    with tarfile.open(out / f"{name}.tar.gz") as sdist:
        shipped = {one.name.split("/")[1] for one in sdist if "/" in one.name}
    assert shipped == {*SHIPPED, "man", "PKG-INFO", "ldcat.egg-info", "setup.cfg"}


def test_the_slim_wheel(installed_without_compiler: Path, tmp_path: Path) -> None:
    (wheel,) = installed_without_compiler.parent.glob("ldcat-*.whl")
    made = slim_wheel(wheel, tmp_path)
    assert made.name == wheel.name.replace("ldcat-", "ldcat_slim-")
    (tmp_path / "again").mkdir()
    assert slim_wheel(wheel, tmp_path / "again").read_bytes() == made.read_bytes()
    with zipfile.ZipFile(made) as files, zipfile.ZipFile(wheel) as whole:
        folder = f"ldcat_slim-{__version__}.dist-info"
        record = files.read(f"{folder}/RECORD").decode().splitlines()
        for line in record:
            name, digest, size = line.split(",")
            if digest:
                found = base64.urlsafe_b64encode(hashlib.sha256(files.read(name)).digest()).decode().rstrip("=")
                assert (digest, int(size)) == (f"sha256={found}", files.getinfo(name).file_size)
        assert sorted(line.split(",")[0] for line in record) == sorted(files.namelist())
        same = {name for name in files.namelist() if ".dist-info/" not in name and ".data/" not in name}
        assert all(files.read(name) == whole.read(name) for name in same)
        assert f"ldcat_slim-{__version__}.data/scripts/ldcat" in files.namelist()
        metadata = Parser().parsestr(files.read(f"{folder}/METADATA").decode())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    slim, needed = project["tool"]["ldcat"]["slim"], project["project"]["dependencies"]
    assert (metadata["Name"], metadata["Version"], metadata["Provides-Extra"]) == ("ldcat-slim", __version__, None)
    assert metadata.get_all("Requires-Dist") == slim["dependencies"]
    assert [one for one in slim["dependencies"] if one not in needed and "zstd" not in one] == []
    assert {name for name in whole.namelist() if name not in same and name.startswith("catalog/")} == {
        name for name in whole.namelist() if name.startswith("catalog/") and not is_slim(name[:-3].replace("/", "."))
    }


def test_the_security_policy_is_complete() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == [
        "Reporting",
        "Supported versions",
        "What is a vulnerability",
        "What is not a vulnerability",
    ]
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
    assert "@" not in text  # no address is made up
    assert "http" not in text
