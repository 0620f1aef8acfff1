"""Sdist and wheels: each wheel is named by the platforms that it fits, and tried elsewhere: `make wheels`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.man_pages import write_man_pages
from tools.sbom import ROOT
from tools.slim import MOST_BYTES, slim_wheel

GLIBC = "manylinux_2_17"
"""The oldest glibc that wheels run with: that of CentOS 7, and the first one for aarch64."""

COMPILERS = {"x86_64": "x86_64-linux-gnu-gcc", "aarch64": "aarch64-linux-gnu-gcc"}
MODULES = 7
"""Compiled modules of a wheel."""

OLDEST = (3, 11)

DIGEST = "ac7e7232f680f70c0ad60257f927d6b403669984323384838ba3e4096c6f8177ae19c8b5489842bac561920667b8f780"
"""A launch digest of the default catalog."""

BUILD = """
import sys
from setuptools import build_meta
kind, out, *options = sys.argv[1:]
if kind == "sdist":
    build_meta.build_sdist(out)
else:
    build_meta.build_wheel(out, {"--build-option": options})
"""


def build_sdist(out: Path) -> Path:
    """The sdist of the tracked files of this checkout, without what earlier builds left in it."""
    with tempfile.TemporaryDirectory() as folder:
        names = _run("git", "ls-files", "-z", cwd=ROOT).split("\0")
        for name in filter(None, names):
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target, follow_symlinks=False)
        write_man_pages(Path(folder, "man"))
        _run(sys.executable, "-c", BUILD, "sdist", str(out), cwd=Path(folder))
    (made,) = out.glob("ldcat-*.tar.gz")
    return made


def build_wheel(sdist: Path, machine: str, out: Path) -> Path:
    """The wheel for a kind of machine, from the sdist alone.

    Raises SystemExit if something was not compiled, or if it needs a newer glibc than its name says.
    """
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (source,) = Path(folder).iterdir()
        environment = {"_PYTHON_HOST_PLATFORM": f"linux-{machine}"}
        if machine != platform.machine():
            environment["CC"] = COMPILERS[machine]
        option = f"--plat-name={GLIBC}_{machine}"
        _run(sys.executable, "-c", BUILD, "wheel", str(out), option, cwd=source, environment=environment)
    wheel = next(out.glob(f"*{machine}.whl"), None)
    if wheel is None:
        raise SystemExit(f"nothing was compiled for {machine}: is there a C compiler?")
    with zipfile.ZipFile(wheel) as files:
        compiled = [name for name in files.namelist() if name.endswith(".abi3.so")]
    if len(compiled) != MODULES:
        raise SystemExit(f"{wheel.name} has the compiled modules {compiled}, not {MODULES}")
    shown = " ".join(_run(str(_tool("auditwheel")), "show", str(wheel)).split())
    if f'consistent with the following platform tag: "{GLIBC}_{machine}"' not in shown:
        raise SystemExit(f"{wheel.name} does not fit its name: {shown}")
    return wheel


def build_all(out: Path) -> list[Path]:
    """The sdist, and the wheels of ldcat and ldcat-slim of each machine that there is a compiler for.

    Says for which one there is none.
    """
    sdist = build_sdist(out)
    made = [sdist]
    for machine, compiler in COMPILERS.items():
        if machine == platform.machine() or shutil.which(compiler):
            made.append(build_wheel(sdist, machine, out))
        elif os.environ.get("LDCAT_REQUIRE_ORACLES"):
            raise SystemExit(f"no wheel for {machine}: there is no {compiler}")
        else:
            sys.stderr.write(f"no wheel for {machine}: there is no {compiler}\n")
    return [*made, *(slim_wheel(wheel, out) for wheel in made[1:])]


def pythons() -> Iterator[tuple[tuple[int, ...], str]]:
    """Version and path of each supported Python: on the path, or beside the one that runs this."""
    names = [path for folder in os.get_exec_path() for path in Path(folder).glob("python3*") if _is_python(path.name)]
    for path in [*names, *Path(sys.base_prefix).parent.glob("3.*/bin/python3")]:
        program = "import sys; print(*sys.version_info[:3]) if sys.implementation.name == 'cpython' else None"
        done = subprocess.run([path, "-c", program], capture_output=True, text=True, check=False)  # noqa: S603
        version = tuple(map(int, done.stdout.split())) if done.returncode == 0 else ()
        if version >= OLDEST:
            yield version, str(path)


def try_wheel(wheel: Path, python: str, home: Path) -> str:
    """What `ldcat --version` says once a wheel is installed for a Python, with nothing else and an empty HOME.

    The HOME has the default catalog then. Raises SystemExit if it does not use the compiled code, or does not find a
    digest of that catalog.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "environment")
        uv = str(_tool("uv"))
        _run(uv, "venv", "--quiet", "--no-config", "--python", python, str(place))
        _run(uv, "pip", "install", "--quiet", "--python", str(place / "bin/python"), str(wheel))
        environment = {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8"}
        ldcat = str(place / "bin/ldcat")
        said = _run(ldcat, "--version", cwd=Path(folder), environment=environment, alone=True).strip()
        if "compiled" not in said:
            raise SystemExit(f"{wheel.name} with {python} does not use its compiled code: {said}")
        answer = _run(ldcat, "lookup", DIGEST, cwd=Path(folder), environment=environment, alone=True)
        if not answer.startswith("match 1 of 1: sev-snp"):
            raise SystemExit(f"{wheel.name} with {python} does not find {DIGEST}: {answer}")
    return said


def try_slim(wheel: Path, python: str, home: Path) -> str:
    """As `try_wheel`, for a wheel of ldcat-slim: it looks up the digest in the catalog that ldcat has built there.

    Raises SystemExit, too, if the environment is too large, or if the answer is not that of ldcat.
    """
    with tempfile.TemporaryDirectory() as folder:
        place, catalog = Path(folder, "environment"), str(home / ".local/share/ldcat/catalog")
        uv, python_there = str(_tool("uv")), str(place / "bin/python")
        _run(uv, "venv", "--quiet", "--no-config", "--python", python, str(place))
        _run(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python_there, str(wheel))
        size = sum(path.lstat().st_size for path in place.rglob("*"))
        if size > MOST_BYTES:
            raise SystemExit(f"{wheel.name} and what it needs have {size:,} bytes, more than {MOST_BYTES:,}")
        environment = {"PATH": os.defpath, "HOME": folder, "LANG": "C.UTF-8"}
        for digest in (DIGEST, "0" * 64, "0" * 96):
            line = ("lookup", digest, "--catalog", catalog, "-f", "json")
            expected = _run(sys.executable, "-m", "catalog", *line, codes=(0, 1))
            ldcat = str(place / "bin/ldcat")
            if _run(ldcat, *line, cwd=Path(folder), environment=environment, alone=True, codes=(0, 1)) != expected:
                raise SystemExit(f"{wheel.name} with {python} does not answer {digest} as ldcat does")
        return f"{size / 1e6:.1f} MB"


def try_newest(made: Iterable[Path]) -> Iterator[str]:
    """Try the wheels of this machine with the newest Python; yields what `try_wheel` or `try_slim` says of each."""
    version, python = max(pythons())
    with tempfile.TemporaryDirectory() as home:
        for wheel in made:
            if wheel.name.endswith(f"{platform.machine()}.whl"):
                tried = try_slim if wheel.name.startswith("ldcat_slim") else try_wheel
                yield f"{wheel.name} with Python {'.'.join(map(str, version))}: {tried(wheel, python, Path(home))}"


def main() -> None:
    """Write sdist and wheels to the folder named, and try the wheel of this machine."""
    out = Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    for path in out.glob("ldcat[-_]*"):
        path.unlink()
    for said in try_newest(build_all(out)):
        sys.stdout.write(f"{said}\n")


def _is_python(name: str) -> bool:
    return re.fullmatch(r"python3(\.\d+)?", name) is not None


def _tool(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _run(
    *command: str,
    cwd: Path = ROOT,
    environment: dict[str, str] | None = None,
    alone: bool = False,
    codes: tuple[int, ...] = (0,),
) -> str:
    """Standard output of a command; raises SystemExit with what it said if it fails.

    alone: no other variables. codes: exit codes of success.
    """
    variables = {**({} if alone else os.environ), **(environment or {})}
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(command[:2])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
