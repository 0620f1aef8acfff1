"""Image files: what a path names, how it was read, and that hashes are those of the raw image."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import LdcatError, MalformedFirmware, NotThere, UnknownName, UsageError
from catalog.files.inputs import hash_file
from catalog.spec import embedded, image_files
from catalog.spec.catalog_spec import load_spec
from catalog.spec.image_files import read_image, split_reference
from catalog.spec.named_builds import build_of_file, build_of_record, find_build
from tests.support.container_writers import COMPRESSORS, File, Qcow2, deb, qcow2, rpm, vmdk
from tests.support.samples import bare_image, whole_image, write_spec

RAW = whole_image()
WRAPPED = {
    "a.qcow2": qcow2(RAW, Qcow2(cluster_bits=12)),
    "b.qcow2": qcow2(RAW, Qcow2(compression="zstd")),
    "a.vmdk": vmdk(RAW),
    "a.rpm": rpm([File("usr/share/edk2/OVMF.fd", RAW)]),
    "a.deb": deb([File("usr/share/OVMF/OVMF.fd", RAW)]),
    **{f"a.{name}": compress(RAW) for name, compress in COMPRESSORS.items()},
}
SPEC = """
name = "wrapped"
firmware = {{ files = [{files}] }}
kernel_hashes = {{ tables = ["none"] }}
technologies = {{ sev = {{}} }}
"""


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_image_is_the_raw_image_with_a_note(name: str, tmp_path: Path) -> None:
    (tmp_path / "raw.fd").write_bytes(RAW)
    (tmp_path / name).write_bytes(WRAPPED[name])
    build = build_of_file(tmp_path / name)
    raw = build_of_file(tmp_path / "raw.fd")
    assert build.component == raw.component
    assert build.component.sha256 == hash_file(tmp_path / "raw.fd")
    assert build.notes[0].code == "image-unwrapped"
    assert build.notes[0].text.startswith(f"{tmp_path / name}: read as ")
    assert build.notes[0].text.endswith(f", {len(RAW)} bytes")
    assert [note.code for note in build.notes[1:]] == [note.code for note in raw.notes]


def test_a_reference_is_a_file_or_a_path_in_a_package(tmp_path: Path) -> None:
    package, odd = tmp_path / "a.deb", tmp_path / "a.deb:usr"
    package.write_bytes(WRAPPED["a.deb"])
    assert split_reference(f"{package}:usr/a:b") == (package, "usr/a:b")
    assert split_reference(f"{tmp_path}:usr") == (Path(f"{tmp_path}:usr"), None)
    assert split_reference("nowhere:usr") == (Path("nowhere:usr"), None)
    odd.write_bytes(RAW)
    assert split_reference(str(odd)) == (odd, None)
    assert split_reference(f"{odd}:x") == (package, "usr:x")


def test_one_of_several_images_of_a_package_is_named_by_its_path(tmp_path: Path) -> None:
    package = tmp_path / "ovmf.deb"
    package.write_bytes(deb([File("a/OVMF.fd", RAW), File("b/OVMF.fd", bare_image())]))
    build = find_build(f"{package}:b/OVMF.fd", embedded.builds())
    assert build.component.size == len(bare_image())
    assert build.name == f"{package}:b/OVMF.fd"
    with pytest.raises(UsageError, match="holds 2 firmware images"):
        find_build(str(package), embedded.builds())
    with pytest.raises(UnknownName, match="unknown file in"):
        find_build(f"{package}:c.fd", embedded.builds())
    with pytest.raises(UnknownName, match="unknown build or firmware file"):
        find_build("ovmf.deb:b/OVMF.fd", embedded.builds())
    with pytest.raises(NotThere):
        find_build("./nowhere.deb:b/OVMF.fd", embedded.builds())


def test_an_error_names_the_file(tmp_path: Path) -> None:
    place = tmp_path / "my x.qcow2"
    place.write_bytes(WRAPPED["a.qcow2"][:5000])
    with pytest.raises(MalformedFirmware, match=f"^{place}: qcow2: ") as raised:
        read_image(str(place))
    assert raised.value.hint == f"if it is sound, unwrap it: qemu-img convert -O raw '{place}' OVMF.fd"


def test_a_catalogued_build_keeps_its_name_and_gets_the_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.qcow2").write_bytes(WRAPPED["a.qcow2"])
    known = build_of_file(tmp_path / "a.qcow2", "known/OVMF.fd")
    monkeypatch.setattr(embedded, "builds", lambda: {known.name: known})
    build = build_of_file(tmp_path / "a.qcow2")
    assert build.name == "known/OVMF.fd"
    assert "read as qcow2" in build.notes[0].text


def test_a_spec_takes_wrapped_images_and_paths_in_packages(tmp_path: Path) -> None:
    for name, data in WRAPPED.items():
        (tmp_path / name).write_bytes(data)
    files = '"*.qcow2", "?.deb:usr/share/OVMF/OVMF.fd", "a.rpm"'
    spec = load_spec(write_spec(tmp_path, SPEC.format(files=files)))
    assert [build.name for build in spec.builds] == ["a.deb:usr/share/OVMF/OVMF.fd", "a.qcow2", "a.rpm", "b.qcow2"]
    assert len({build.component.sha256 for build in spec.builds}) == 1


def test_an_absolute_path_of_a_spec_gives_no_name_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_bytes(WRAPPED["a.deb"])
    (build,) = load_spec(write_spec(tmp_path, SPEC.format(files=f'"{tmp_path}/a.deb:usr/share/OVMF/OVMF.fd"'))).builds
    assert build.name == "a.deb:usr/share/OVMF/OVMF.fd"


def test_a_spec_that_names_no_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LdcatError, match="no firmware file matches"):
        load_spec(write_spec(tmp_path, SPEC.format(files='"b.deb:usr/share/OVMF/OVMF.fd"')))


def test_a_file_larger_than_an_image_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_files, "MAX_IMAGE_SIZE", 4096)
    (tmp_path / "a.fd").write_bytes(RAW)
    with pytest.raises(LdcatError, match="is larger than 4096 bytes"):
        read_image(str(tmp_path / "a.fd"))


def test_the_same_record_is_the_same_build() -> None:
    """Releases of a log that have it do not read it again."""
    text = embedded.builds()["bullseye/ovmf/OVMF.fd"].to_toml()
    assert build_of_record(text) is build_of_record(text)
    assert build_of_record(f"{text}\n") == build_of_record(text)
