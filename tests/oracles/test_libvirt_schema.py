"""Against virt-xml-validate of libvirt: exported domains are valid, and a wrong policy is not.

The schema of sev-snp is newer than Debian's stable releases, so libvirt's files are those of sid; xmllint is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.oracles.debian_sid import unpack_from_sid
from tests.oracles.go_programs import unavailable
from tests.support.id_block_exports import AUTHOR_KEY, id_block_export, key_file, launch, written

SCHEMAS = "/usr/share/libvirt/schemas"


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """virt-xml-validate and its schemas; the script looks for these where its package installs them."""
    if not shutil.which("xmllint"):
        unavailable("xmllint is not installed: apt-get install libxml2-utils")
    folder = tmp_path_factory.mktemp("libvirt")
    if problem := unpack_from_sid(folder, ("libvirt-common", "libvirt-clients")):
        unavailable(problem)
    script = folder / "unpacked/usr/bin/virt-xml-validate"
    text = script.read_text()
    assert SCHEMAS in text
    script.write_text(text.replace(SCHEMAS, f"{folder}/unpacked{SCHEMAS}"))
    return script


def validate(script: Path, domain: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "libvirt.xml"
    path.write_text(domain)
    return subprocess.run(["sh", script, path, "domain"], capture_output=True, text=True)


def test_exported_domains_are_valid(unpacked: Path, tmp_path: Path) -> None:
    for export in (
        id_block_export(author_key=key_file(AUTHOR_KEY)),
        id_block_export(launch("/a&b<c>'\".fd", kernel_hashes=None, vcpus=255), policy=0x3031F),
        id_block_export(launch(None)),
    ):
        domain = written("libvirt", export)["libvirt.xml"].decode()
        done = validate(unpacked, domain, tmp_path)
        assert done.returncode == 0, done.stderr
    for valid, invalid in (("<policy>0x", "<policy>x"), ("kernelHashes='yes'", "kernelHashes='on'"), ("/path", "path")):
        assert valid in domain
        assert validate(unpacked, domain.replace(valid, invalid), tmp_path).returncode
