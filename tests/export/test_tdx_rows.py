"""Rows of TDX in exports: how they are selected, what speaks against them, and that technologies are not mixed."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import NotExported, UsageError
from catalog.export.export_made import LOCAL, MadeExport, make_export
from catalog.export.rows.selection import make_selection
from catalog.export.settings import Settings
from catalog.store.catalog import Catalog
from tests.support.catalogs import build, digest_with
from tests.support.endorsed_catalogs import with_endorsed
from tests.support.endorsed_digests import listed

INTEL, GENERIC = "sid/ovmf-inteltdx/OVMF.inteltdx.ms.fd", "sid/ovmf-generic/OVMF.fd"
SPEC = f"""
name = "tdx"
firmware = {{ builds = ["{INTEL}", "{GENERIC}"] }}

[technologies.sev-snp]
vmm = ["qemu-kvm-init2"]
vcpu_signatures = ["EPYC-v4"]
sev_features = [1]
vcpus = ["1-2"]

[technologies.tdx]
vmm = ["qemu-tdx", "qemu-tdx-two-pass", "gce-tdx", "gce-tdx-hob-c3-standard-4"]
"""
REPORTED = "5b" * 48


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    folder = tmp_path_factory.mktemp("tdx")
    (folder / "spec.toml").write_text(SPEC)
    made = build(folder / "spec.toml", folder / "built")
    return with_endorsed(made, folder / "catalog", [listed(REPORTED, technology="tdx", scheme="published-list")])


@pytest.fixture(scope="module")
def catalog(built: BuildResult) -> Catalog:
    return Catalog.open(built.folder)


def exported(catalog: Catalog, *digests: str, options: tuple[str, ...] = (), **fields: Any) -> MadeExport:
    names = {"firmware": "firmware_sha256"}
    vcpus = fields.pop("vcpus", None)
    selection = make_selection(digests, {names.get(name, name): value for name, value in fields.items()}, vcpus)
    return make_export(catalog, selection, (LOCAL, *options), Settings(), now=0)


def mrtd(built: BuildResult, catalog: Catalog, name: str, vmm: str) -> str:
    return digest_with(built, technology="tdx", vmm=vmm, firmware_sha256=catalog.builds[name].component.key)


def test_a_vmm_and_firmware_select_an_mrtd_whatever_the_vcpus_are(built: BuildResult, catalog: Catalog) -> None:
    found = exported(catalog, vmm="qemu-tdx", firmware=INTEL)
    digest = mrtd(built, catalog, INTEL, "qemu-tdx")
    assert ([one.hex() for one in found.export.digests], found.export.technology) == ([digest], "tdx")
    (row,) = found.export.rows
    assert row.firmware == catalog.builds[INTEL]
    assert (row.vmm, row.vcpus, row.record["technology"]) == ("qemu-tdx", None, "tdx")
    assert [note.code for note in found.notes] == ["catalog-not-published", "digest-covers-no-kernel"]
    assert exported(catalog, vmm="qemu-tdx", firmware=INTEL, vcpus="4").export.digests[0].hex() == digest
    several = exported(catalog, vmm="qemu-tdx", vcpus="4", firmware=GENERIC, options=("--launch-unknown",))
    assert several.export.digests[0].hex() == mrtd(built, catalog, GENERIC, "qemu-tdx")


def test_a_vmm_alone_is_too_wide_a_selection(catalog: Catalog) -> None:
    wide: list[dict[str, Any]] = [{}, {"vcpus": "4"}]
    for more in wide:
        with pytest.raises(UsageError, match="too wide: an MRTD depends on no vCPUs") as caught:
            exported(catalog, vmm="qemu-tdx", **more)
        assert caught.value.hint == "add --firmware"
    with pytest.raises(UsageError, match="too wide") as caught:
        exported(catalog, vmm="qemu-kvm-init2", firmware=INTEL)
    assert caught.value.hint == "add --vcpus, --vcpu-type or --vcpu-signature"
    with pytest.raises(NotExported, match=r"no TDX row of .* is selected"):
        exported(catalog, vmm="qemu-tdx", firmware=INTEL, sev_features=1)


def test_named_digests_are_of_one_technology(built: BuildResult, catalog: Catalog) -> None:
    one, other = (mrtd(built, catalog, INTEL, vmm) for vmm in ("qemu-tdx", "qemu-tdx-two-pass"))
    found = exported(catalog, other, one).export
    assert (found.technology, {digest.hex() for digest in found.digests}) == ("tdx", {one, other})
    snp = digest_with(built, technology="sev-snp", vcpus=1)
    with pytest.raises(UsageError, match="launch digests of SEV-SNP and of TDX are selected"):
        exported(catalog, one, snp, options=("--launch-unknown",))
    with pytest.raises(NotExported, match=r"launch digest 0000000000000000[.]{3} is not in"):
        exported(catalog, one, "00" * 48)


def test_a_platform_that_does_not_launch_a_build_says_nothing_of_other_vmms(
    built: BuildResult, catalog: Catalog
) -> None:
    shared, own = (mrtd(built, catalog, INTEL, vmm) for vmm in ("gce-tdx", "gce-tdx-hob-c3-standard-4"))
    assert {row.vmm for row in exported(catalog, shared).export.rows} == {"gce-tdx", "qemu-tdx"}
    why = "not expected to launch: the platform of the VMM launches its own firmware only"
    for vmm in ("gce-tdx", "gce-tdx-hob-c3-standard-4"):
        with pytest.raises(NotExported, match=why):
            exported(catalog, vmm=vmm, firmware=INTEL)
    with pytest.raises(NotExported, match=why):
        exported(catalog, own)


def test_what_is_known_of_the_launch_of_a_build_as_a_td_decides(built: BuildResult, catalog: Catalog) -> None:
    digest = mrtd(built, catalog, GENERIC, "qemu-tdx")
    with pytest.raises(NotExported, match="the firmware is not known to launch"):
        exported(catalog, digest)
    assert exported(catalog, digest, options=("--launch-unknown",)).export.digests[0].hex() == digest


def test_an_endorsed_mrtd_is_exported_if_it_is_named(built: BuildResult, catalog: Catalog) -> None:
    with pytest.raises(NotExported, match="endorsed, and the firmware is not known"):
        exported(catalog, REPORTED)
    made = exported(catalog, REPORTED, options=("--endorsed",))
    assert (made.export.technology, [row.record["technology"] for row in made.export.rows]) == ("tdx", ["tdx"])
    assert [note.code for note in made.notes][1:] == ["exported-endorsed", "digest-covers-no-kernel"]
