"""Why launch digests are exported no more: what a later catalog says of them."""

from __future__ import annotations

from pathlib import Path

from catalog.build.builder import BuildResult
from catalog.export.export_changes import changed_export
from catalog.export.rows.selection import make_selection
from catalog.export.settings import Settings
from catalog.store.catalog import Catalog
from tests.support.catalogs import digest_with, made
from tests.support.logs import NOW

OTHER = """
name = "other"
firmware = { builds = ["bookworm/ovmf/OVMF_CODE.fd"] }

[technologies.sev-snp]
vmm = ["qemu-kvm-legacy"]
vcpu_signatures = ["EPYC"]
sev_features = [1]
vcpus = ["1"]
"""


def test_what_the_later_catalog_does_not_list_is_withdrawn(small: BuildResult, tmp_path: Path) -> None:
    other = made(tmp_path, OTHER)
    gone = digest_with(small, technology="sev-snp", vmm="qemu-kvm-init2", vcpus=1)
    selection = make_selection((gone, digest_with(other, technology="sev-snp", vcpus=1)), {}, None)
    options = ("--launch-unknown", "--unenforced", "--no-kernel", "--unpublished")
    old, new = Catalog.open(small.folder), Catalog.open(other.folder)
    _, changes = changed_export(old, new, selection, options, Settings(), now=NOW)
    assert changes.removed == {bytes.fromhex(gone): "withdrawn: catalog other does not list it"}
    assert [digest.hex() for digest in changes.added] == [selection.digests[1].hex()]
