"""Every ```console block of README.md and docs/ is run, and has to show the actual output."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.build.builder import BuildResult
from catalog.spec.catalog_spec import load_spec
from catalog.spec.cross_product import cross_product
from tests.support.catalogs import build
from tests.support.endorsed_digests import write_import
from tests.support.published_documents import gce
from tests.support.samples import whole_image, write_spec
from tests.support.shown_output import pattern

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```console(?: exit=(\d+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[tuple[str, int, str, list[str]]]:
    """Page, expected exit code, command line and the lines shown for it."""
    for page in PAGES:
        for code, block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, *shown = part.splitlines()
                yield page.name, int(code or 0), command, shown


@pytest.fixture(scope="session")
def two_catalogs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the catalogs before and after; the latter has one more build and more vCPU counts."""
    folder = tmp_path_factory.mktemp("two")
    for name, builds, last in (
        ("before", '"sid/ovmf-amdsev/*"', 8),
        ("after", '"sid/ovmf-amdsev/*", "sid/ovmf-generic/OVMF.fd"', 12),
    ):
        spec = write_spec(
            folder,
            f'name = "{name}"\nfirmware = {{ builds = [{builds}] }}\n[technologies.sev-es]\nvmm = ["qemu-kvm-legacy"]\n'
            f'vcpu_signatures = ["EPYC-Milan"]\nsev_features = [0]\nvcpus = ["1-{last}"]\n',
            f"{name}.toml",
        )
        build(spec, folder / name)
    return folder


def test_the_readme_has_examples() -> None:
    assert len([name for name, *_ in examples() if name == "README.md"]) >= 5


@pytest.mark.parametrize(("page", "code", "command", "shown"), list(examples()))
def test_an_example_shows_the_actual_output(
    default: BuildResult,
    two_catalogs: Path,
    program: Path,
    tmp_path: Path,
    page: str,
    code: int,
    command: str,
    shown: list[str],
) -> None:
    assert re.match(r"(?:printf '.*' \| )?ldcat ", command), f"{page}: {command}"
    for name in ("before", "after"):
        (tmp_path / name).symlink_to(two_catalogs / name)
    environment = {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "LDCAT_CATALOG": str(default.folder),
    }
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    expected_err = [line for line in shown if line.startswith("ldcat: ")]
    expected_out = [line for line in shown if not line.startswith("ldcat: ")]
    assert re.fullmatch(pattern(expected_out), done.stdout), done.stdout
    assert re.fullmatch(pattern(expected_err), done.stderr), done.stderr


def test_the_example_of_a_spec_builds(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "docs/spec.md").read_text(), re.MULTILINE | re.DOTALL)
    for name, data in {"images/mine.fd": whole_image(), "web/vmlinuz": b"kernel", "web/initrd": b"initrd"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    write_import(tmp_path / "imports", gce())
    (tmp_path / "imports/root.pem").rename(tmp_path / "imports/gce-root.pem")
    spec = load_spec(write_spec(tmp_path, example))
    assert {one.endorser_scheme for one in spec.endorsed} == {"gce-endorsement"}
    product = cross_product(spec)
    assert {sweep.config.technology for sweep in product.sweeps} == {"sev-snp"}
    kernel = hashlib.sha256(b"kernel").digest()
    own = [f for f in product.sweeps if f.config.kernel_hashes and f.config.kernel_hashes.kernel == kernel]
    assert {sweep.vcpus for sweep in own} == {(2,), (4,)}


def test_links_are_valid() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_anchors_are_headings() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            there = (page.parent / target if target else page).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.*)$", there, re.MULTILINE)
            names = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
            assert anchor in names, f"{page.name}: {target}#{anchor}"
