"""The command that checks the records of data/ against packages, on synthetic packages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from catalog.errors import MalformedFirmware, MalformedRecord, Unreadable
from catalog.firmware.build import FirmwareBuild, LaunchableWire, OriginWire
from catalog.firmware.component import FirmwareComponent
from catalog.firmware.ovmf import OvmfImage
from tests.support.firmware_builder import AMDSEV_AREA, AMDSEV_SECTIONS, build_ovmf
from tools import debian_firmware
from tools.debian_firmware import Outcome, check, firmware_images
from tools.debian_packages import Fetched, Mirror, Package
from tools.debian_records import Published, read_records

# Synthetic packages: `fetch` returns a folder of files like an unpacked package.

IMAGE = build_ovmf(hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS)
OTHER_IMAGE = build_ovmf(seed=1, hashes_area=AMDSEV_AREA, sections=AMDSEV_SECTIONS)
PACKAGE_SHA256 = hashlib.sha256(b"a package").hexdigest()
FIRMWARE_PACKAGE = Package("trixie", "ovmf", "1")
KERNEL_PACKAGE = Package("trixie", "linux-image", "2")
IMAGE_PATH = "/usr/share/ovmf/OVMF.fd"
KERNEL = b"a kernel"


def origin_of(path: str = IMAGE_PATH, distribution: str = "debian") -> OriginWire:
    return OriginWire(
        distribution=distribution,
        suite=FIRMWARE_PACKAGE.suite,
        package=FIRMWARE_PACKAGE.name,
        version=FIRMWARE_PACKAGE.version,
        package_sha256=PACKAGE_SHA256,
        path=path,
    )


def replace_origin(**changes: str) -> OriginWire:
    return msgspec.structs.replace(origin_of(), **changes)


BUILD = FirmwareBuild(
    "trixie/ovmf/OVMF.fd",
    FirmwareComponent.from_image(OvmfImage.parse(IMAGE)),
    origin_of(),
    {"sev": LaunchableWire(verdict="unknown", reason="nobody tried", source="a test")},
)

KERNEL_TEXT = f"""name = "a-kernel"

[kernel]
sha256 = "{hashlib.sha256(KERNEL).hexdigest()}"
distribution = "debian"
suite = "{KERNEL_PACKAGE.suite}"
package = "{KERNEL_PACKAGE.name}"
version = "{KERNEL_PACKAGE.version}"
package_sha256 = "{PACKAGE_SHA256}"
path = "/boot/vmlinuz"
"""


def data_folder(tmp_path: Path, build: FirmwareBuild = BUILD, kernel: str = KERNEL_TEXT) -> Path:
    data = tmp_path / "data"
    (data / "firmware").mkdir(parents=True)
    (data / "kernel_hashes").mkdir()
    (data / "firmware" / "OVMF.toml").write_text(build.to_toml(), encoding="utf-8")
    (data / "kernel_hashes" / "a-kernel.toml").write_text(kernel, encoding="utf-8")
    return data


class Archive:
    """Packages by the files they contain; `fetch` unpacks one, or raises, or returns none, as configured."""

    def __init__(
        self, folder: Path, packages: Mapping[Package, Mapping[str, bytes]], sha256: str = PACKAGE_SHA256
    ) -> None:
        self.folder, self.packages, self.sha256 = folder, packages, sha256
        self.roots: dict[Package, Path] = {}
        self.fetched: list[Package] = []

    def fetch(self, package: Package) -> Fetched | None:
        self.fetched.append(package)
        if package not in self.packages:
            return None
        root = self.roots.get(package, self.folder / package.name)
        root.mkdir()
        for path, data in self.packages[package].items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return Fetched(self.sha256, root)


WHOLE = {FIRMWARE_PACKAGE: {IMAGE_PATH: IMAGE}, KERNEL_PACKAGE: {"/boot/vmlinuz": KERNEL}}


def checked(tmp_path: Path, packages: Mapping[Package, Mapping[str, bytes]]) -> Outcome:
    return check(read_records(data_folder(tmp_path)), Archive(tmp_path, packages).fetch)


def test_records_that_agree(tmp_path: Path) -> None:
    outcome = checked(tmp_path, WHOLE)
    assert outcome.agree == ["a-kernel kernel", "trixie/ovmf/OVMF.fd"]
    assert list(outcome.lines()) == ["total: 2 agree"]
    assert outcome.exit_code == 0


def test_every_differing_field_of_an_image_is_a_mismatch(tmp_path: Path) -> None:
    component = FirmwareComponent.from_image(OvmfImage.parse(OTHER_IMAGE))
    outcome = checked(tmp_path, {**WHOLE, FIRMWARE_PACKAGE: {IMAGE_PATH: OTHER_IMAGE}})
    recorded = BUILD.component.key.hex()
    assert outcome.mismatches[0] == (f"trixie/ovmf/OVMF.fd: sha256 is {recorded}, the image's {component.key.hex()}")
    assert [line.split()[1] for line in outcome.mismatches] == [
        "sha256",
        "sha384",
        "sha256_midstate",
        "snp_baseline",
    ]
    assert outcome.exit_code == 1
    assert list(outcome.lines())[-1] == "total: 1 agree, 4 mismatch"


def test_structure_that_differs_is_described(tmp_path: Path) -> None:
    bare = build_ovmf(reset_vector=0x80B000, sections=AMDSEV_SECTIONS[:1])
    outcome = checked(tmp_path, {**WHOLE, FIRMWARE_PACKAGE: {IMAGE_PATH: bare}})
    sections = next(line for line in outcome.mismatches if " sections is " in line)
    assert sections.endswith("the image's SNP_SEC_MEM@0x800000+0x9000")
    assert any(line.endswith("reset_vector is 0x80b004, the image's 0x80b000") for line in outcome.mismatches)
    assert any(line.endswith("the image's None") for line in outcome.mismatches)


def test_a_kernel_that_differs_is_a_mismatch(tmp_path: Path) -> None:
    outcome = checked(tmp_path, {**WHOLE, KERNEL_PACKAGE: {"/boot/vmlinuz": b"another"}})
    assert outcome.mismatches == [
        f"a-kernel kernel: sha256 is {hashlib.sha256(KERNEL).hexdigest()}, "
        f"the file's {hashlib.sha256(b'another').hexdigest()}"
    ]


def test_a_file_that_is_no_ovmf_is_a_mismatch_with_the_parser_error(tmp_path: Path) -> None:
    outcome = checked(tmp_path, {**WHOLE, FIRMWARE_PACKAGE: {IMAGE_PATH: b"short"}})
    with pytest.raises(MalformedFirmware) as raised:
        OvmfImage.parse(b"short")
    assert outcome.mismatches == [f"trixie/ovmf/OVMF.fd: {raised.value}"]


def test_a_missing_file_is_a_mismatch(tmp_path: Path) -> None:
    outcome = checked(tmp_path, {**WHOLE, KERNEL_PACKAGE: {"/boot/other": KERNEL}})
    assert outcome.mismatches == ["a-kernel kernel: /boot/vmlinuz is no regular file of trixie linux-image 2"]


def test_a_symlink_does_not_replace_the_file(tmp_path: Path) -> None:
    archive = Archive(tmp_path, {**WHOLE, KERNEL_PACKAGE: {"/boot/other": KERNEL}})

    def fetch(package: Package) -> Fetched | None:
        fetched = archive.fetch(package)
        if fetched and package == KERNEL_PACKAGE:
            (fetched.root / "boot/vmlinuz").symlink_to("other")
        return fetched

    outcome = check(read_records(data_folder(tmp_path)), fetch)
    assert outcome.mismatches == ["a-kernel kernel: /boot/vmlinuz is no regular file of trixie linux-image 2"]


def test_another_package_under_the_same_version_is_a_mismatch(tmp_path: Path) -> None:
    archive = Archive(tmp_path, WHOLE, sha256="00" * 32)
    data = data_folder(tmp_path)
    outcome = check(read_records(data), archive.fetch, write_to=data / "firmware")
    assert outcome.mismatches == [
        f"{title}: package_sha256 is {PACKAGE_SHA256}, that of {package} {'00' * 32}"
        for title, package in (
            ("a-kernel kernel", KERNEL_PACKAGE),
            ("trixie/ovmf/OVMF.fd", FIRMWARE_PACKAGE),
        )
    ]
    assert not outcome.written


def test_a_missing_package_is_reported_without_failure(tmp_path: Path) -> None:
    outcome = checked(tmp_path, {KERNEL_PACKAGE: {"/boot/vmlinuz": KERNEL}})
    assert list(outcome.lines()) == ["gone: trixie ovmf 1 (1 records not checked)", "total: 1 agree, 1 gone"]
    assert outcome.exit_code == 0


def test_checking_nothing_is_not_a_success(tmp_path: Path) -> None:
    outcome = checked(tmp_path, {})
    assert list(outcome.lines())[-1] == "total: 0 agree, 2 gone"
    assert outcome.exit_code == Unreadable.exit_code


def test_other_packages_are_checked_if_one_cannot_be_fetched(tmp_path: Path) -> None:
    archive = Archive(tmp_path, WHOLE)

    def fetch(package: Package) -> Fetched | None:
        if package == FIRMWARE_PACKAGE:
            raise Unreadable("apt cannot", "is the network up?")
        return archive.fetch(package)

    outcome = check(read_records(data_folder(tmp_path)), fetch)
    assert list(outcome.lines()) == [
        "failed: trixie ovmf 1: apt cannot (is the network up?)",
        "total: 1 agree, 1 failed",
    ]
    assert outcome.exit_code == Unreadable.exit_code


def test_images_without_a_record_are_reported(tmp_path: Path) -> None:
    files = {
        IMAGE_PATH: IMAGE,
        "/usr/share/OVMF/OVMF_CODE_4M.fd": IMAGE,
        "/usr/share/OVMF/OVMF_VARS_4M.fd": b"variables",
        "/usr/share/OVMF/README": b"text",
    }
    outcome = checked(tmp_path, {**WHOLE, FIRMWARE_PACKAGE: files})
    assert outcome.unrecorded == ["trixie ovmf 1: /usr/share/OVMF/OVMF_CODE_4M.fd"]
    assert outcome.exit_code == 0


NEW_PACKAGE = Package("trixie-security", "ovmf", "2")
SAME_PACKAGE = replace(FIRMWARE_PACKAGE, suite="forky")


def test_packages_that_no_record_names_are_looked_at(tmp_path: Path) -> None:
    archive = Archive(tmp_path, {**WHOLE, NEW_PACKAGE: {"/usr/share/ovmf/OVMF.fd": OTHER_IMAGE, "/x.fd": b"short"}})
    archive.roots[NEW_PACKAGE] = tmp_path / "new"
    outcome = check(read_records(data_folder(tmp_path)), archive.fetch, others=[SAME_PACKAGE, NEW_PACKAGE, NEW_PACKAGE])
    assert archive.fetched == [KERNEL_PACKAGE, FIRMWARE_PACKAGE, NEW_PACKAGE]
    assert outcome.unrecorded == ["trixie-security ovmf 2: /usr/share/ovmf/OVMF.fd", "trixie-security ovmf 2: /x.fd"]
    assert outcome.exit_code == 0


def test_write_adds_a_record_for_an_image_that_has_none(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    archive = Archive(tmp_path, {**WHOLE, NEW_PACKAGE: {"/usr/share/ovmf/OVMF.fd": OTHER_IMAGE, "/x.fd": b"short"}})
    archive.roots[NEW_PACKAGE] = tmp_path / "new"
    outcome = check(read_records(data), archive.fetch, others=[NEW_PACKAGE], write_to=data / "firmware")
    assert outcome.added == ["trixie-security/ovmf/OVMF.fd: say whether it launches"]
    (refused,) = outcome.unrecorded
    assert refused.startswith("trixie-security ovmf 2: /x.fd (")
    file = data / "firmware" / "trixie-security_ovmf_OVMF.fd.toml"
    added = FirmwareBuild.parse(file.read_text(encoding="utf-8"))
    assert added.component == FirmwareComponent.from_image(OvmfImage.parse(OTHER_IMAGE))
    assert added.origin == replace_origin(suite="trixie-security", version="2")
    assert added.launchable == {}


def test_a_symlink_is_not_an_image_without_a_record(tmp_path: Path) -> None:
    (tmp_path / "OVMF.fd").write_bytes(IMAGE)
    (tmp_path / "OVMF.ms.fd").symlink_to("OVMF.fd")
    assert firmware_images(tmp_path) == {"/OVMF.fd"}


def test_a_package_of_several_records_is_fetched_once(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    second = replace(BUILD, name="trixie/ovmf/second.fd", origin=origin_of("/second.fd"))
    (data / "firmware" / "second.toml").write_text(second.to_toml(), encoding="utf-8")
    archive = Archive(tmp_path, {**WHOLE, FIRMWARE_PACKAGE: {IMAGE_PATH: IMAGE, "/second.fd": IMAGE}})
    outcome = check(read_records(data), archive.fetch)
    assert archive.fetched == [KERNEL_PACKAGE, FIRMWARE_PACKAGE]
    assert len(outcome.agree) == 3
    assert not outcome.unrecorded


def test_write_updates_only_the_component(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    archive = Archive(tmp_path, {**WHOLE, FIRMWARE_PACKAGE: {IMAGE_PATH: OTHER_IMAGE}})
    outcome = check(read_records(data), archive.fetch, write_to=data / "firmware")
    assert list(outcome.lines()) == ["written: trixie/ovmf/OVMF.fd", "total: 1 agree, 1 written"]
    assert outcome.exit_code == 0
    written = FirmwareBuild.parse((data / "firmware" / "OVMF.toml").read_text(encoding="utf-8"))
    assert written == replace(BUILD, component=FirmwareComponent.from_image(OvmfImage.parse(OTHER_IMAGE)))


def test_write_does_not_change_a_matching_record(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    outcome = check(read_records(data), Archive(tmp_path, WHOLE).fetch, write_to=data / "firmware")
    assert not outcome.written
    assert len(outcome.agree) == 2


def test_local_files_and_other_distributions_are_not_fetched(tmp_path: Path) -> None:
    own_kernel = f'name = "own"\n\n[kernel]\nsha256 = "{"0" * 64}"\n'
    assert read_records(data_folder(tmp_path / "a", replace(BUILD, origin=None), own_kernel)) == []
    other = replace(BUILD, origin=origin_of(distribution="other"))
    assert read_records(data_folder(tmp_path / "b", other, own_kernel)) == []


def test_an_incomplete_origin_is_refused(tmp_path: Path) -> None:
    text = KERNEL_TEXT.replace('path = "/boot/vmlinuz"\n', "")
    with pytest.raises(MalformedRecord, match="a-kernel kernel: suite, package"):
        read_records(data_folder(tmp_path, kernel=text))


@pytest.mark.parametrize(
    ("packages", "code", "line"),
    [
        (
            WHOLE,
            Unreadable.exit_code,
            "no suite: bullseye is on none of the sites\n"
            "failed: forky: apt cannot (is the network up?)\ntotal: 2 agree, 1 failed\n",
        ),
        ({KERNEL_PACKAGE: {"/boot/vmlinuz": b"another"}}, 1, "mismatch: a-kernel kernel: sha256 is "),
    ],
    ids=["a suite cannot be read", "mismatch"],
)
def test_the_command_prints_its_report(
    packages: Mapping[Package, Mapping[str, bytes]],
    code: int,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    records = read_records(data_folder(tmp_path))
    works = use_fake_mirror(monkeypatch, records, Archive(tmp_path, packages))
    assert debian_firmware.main(["--site", "a site"]) == code
    assert line in capsys.readouterr().out
    assert not works[0].exists()


def test_the_command_leaves_nothing_behind_when_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Archive):
        def fetch(self, package: Package) -> Fetched | None:
            raise KeyboardInterrupt

    records = read_records(data_folder(tmp_path))
    works = use_fake_mirror(monkeypatch, records, Interrupted(tmp_path, {}))
    assert debian_firmware.main(["--site", "a site"]) == 130
    assert not works[0].exists()


def test_the_command_has_a_hint_if_apt_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert debian_firmware.main([]) == Unreadable.exit_code
    assert capsys.readouterr().err == (
        "error: apt-get is not installed\nhint: this command runs on Debian and Ubuntu\n"
    )


APT_CACHE = """#!/bin/sh
case "$2" in
    pkgnames) printf '%s\\n' ovmf-b ovmf-a ;;
    madison) printf '%s | %s | a site trixie/main amd64 Packages\\n' "$4" 1.0-2 "$4" 1.0-1 "$3" 2 ;;
esac
"""


def test_the_packages_of_a_suite_are_those_that_apt_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("apt-get", "#!/bin/sh\n"), ("apt-cache", APT_CACHE)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    mirror = Mirror(["a site"], tmp_path / "work", absent={"gone"})
    expected = [("ovmf-a", "1.0-2"), ("ovmf-a", "1.0-1"), ("ovmf-b", "2")]
    assert mirror.packages("trixie", "ovmf") == [Package("trixie", name, version) for name, version in expected]
    assert mirror.packages("gone", "ovmf") == []


def use_fake_mirror(monkeypatch: pytest.MonkeyPatch, records: list[Published], archive: Archive) -> list[Path]:
    """Make the command check `records` against `archive`; returns where its work folder will appear."""
    works: list[Path] = []

    class FakeMirror(Mirror):
        def __init__(self, sites: list[str], work: Path) -> None:
            super().__init__(sites, work, absent={"bullseye"})
            assert work.is_dir()
            works.append(work)

        def fetch(self, package: Package) -> Fetched | None:
            return archive.fetch(package)

        def packages(self, suite: str, prefix: str) -> list[Package]:
            if suite == "forky":
                raise Unreadable("apt cannot", "is the network up?")
            return [FIRMWARE_PACKAGE, Package(suite, "ovmf-ia32", "1")] if suite == FIRMWARE_PACKAGE.suite else []

    monkeypatch.setattr(debian_firmware, "Mirror", FakeMirror)
    monkeypatch.setattr(debian_firmware, "read_records", lambda: records)
    return works
