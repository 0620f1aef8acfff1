"""The wheel: everything in it, built where no C compiler is, and the command it installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHIPPED = ("bin", "catalog", "data", "pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in")


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    code = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "catalog").rglob("__init__.py")}
    data = {".".join(("catalog", *path.parent.relative_to(ROOT).parts)) for path in (ROOT / "data").rglob("*.toml")}
    assert listed == code | data


@pytest.fixture(scope="module")
def installed_without_compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a machine without a C compiler builds it, unpacked into a folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SHIPPED:
        (source / name).symlink_to(ROOT / name)
    environment = {**os.environ, "CC": "false", "TMPDIR": str(folder)}
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(wheel, check=True, env=environment, capture_output=True)
    (built,) = folder.glob("ldcat-*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(built)], check=True)
    return target


BUILD = """
import os, sys
from setuptools import build_meta
out, umask = sys.argv[1:]
os.umask(int(umask, 8))
build_meta.build_sdist(out)
build_meta.build_wheel(out)
"""


def built_in(source: Path, umask: int, when: int) -> dict[str, bytes]:
    """The sdist and the wheel of a checkout in a folder, made under a umask at a time."""
    source.mkdir(parents=True)
    for name in SHIPPED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("*.so", "__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(ROOT / name, source / name)
    for path in source.rglob("*"):
        path.chmod((0o777 if path.is_dir() or path.parent.name == "bin" else 0o666) & ~umask)
        os.utime(path, (when, when))
    out = source.parent / "out"
    out.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = [sys.executable, "-c", BUILD, str(out), f"{umask:o}"]
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_two_builds_are_the_same_bytes_wherever_they_are_made(tmp_path: Path) -> None:
    one = built_in(tmp_path / "a/source", 0o022, 10**9)
    other = built_in(tmp_path / "b/in another folder/source", 0o077, 1_700_000_001)
    assert sorted(name.rpartition(".")[2] for name in one) == ["gz", "whl"]
    assert one.keys() == other.keys()
    for name, data in one.items():
        assert data == other[name], name
    with zipfile.ZipFile(next((tmp_path / "a/out").glob("*.whl"))) as wheel:
        modules = [name for name in wheel.namelist() if name.endswith(".so")]
        assert len(modules) == (3 if shutil.which("cc") else 0)
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


def test_the_wheel_holds_all_data(installed_without_compiler: Path) -> None:
    package = installed_without_compiler / "catalog"
    shipped = {path.relative_to(package) for path in package.rglob("*.toml")}
    assert shipped == {path.relative_to(ROOT) for path in (ROOT / "data").rglob("*.toml")}


def test_the_wheel_holds_what_pages_are_made_of(installed_without_compiler: Path) -> None:
    for folder in (Path("catalog/faces/templates"), Path("catalog/faces/web/assets")):
        shipped = {path.name for path in (installed_without_compiler / folder).iterdir()} - {"__pycache__"}
        assert shipped == {path.name for path in (ROOT / folder).iterdir()} - {"__pycache__"}
