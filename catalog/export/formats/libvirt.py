"""`libvirt`: an ID block in a domain that libvirt launches.

Source: libvirt 10.5, docs/formatdomain.rst (launchSecurity, type sev-snp) and src/conf/schemas/domaincommon.rng.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from catalog.export.exported import Export, ExportFile, ExportRow
from catalog.export.id_block_format import QemuLaunchFormat
from catalog.export.signed_id_block import signed_for_launch, vcpu_signature_text
from catalog.notes import Note

_DOMAIN = """<domain type='kvm'>
  <name>guest</name>
  <memory unit='MiB'>2048</memory>
  <vcpu placement='static'>{vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='rom'>{loader}</loader>
    <boot dev='hd'/>
  </os>
  <launchSecurity type='sev-snp' authorKey='{author_key}' kernelHashes='{kernel_hashes}'>
    <cbitpos>51</cbitpos>
    <reducedPhysBits>1</reducedPhysBits>
    <policy>{policy:#x}</policy>
    <idBlock>{id_block}</idBlock>
    <idAuth>{id_auth}</idAuth>
  </launchSecurity>
</domain>
"""
"""What the launch digest says nothing of is the least that a domain needs: its name, memory and disk."""

_NO_PATH = "/path/of/the/firmware"
"""For a build whose path is not known: libvirt finds no such file, and launches nothing."""


class LibvirtDomain(QemuLaunchFormat):
    """A domain, to which disks, network and direct boot are added."""

    name = "libvirt"
    title = "signed ID block in a domain of libvirt: virsh define"
    file_name = "libvirt.xml"
    depends_on = frozenset({"firmware", "vmm"})

    def files(self, export: Export) -> Sequence[ExportFile]:
        self.check_rows(export)
        signed = signed_for_launch(export)
        text = _DOMAIN.format(
            vcpus=signed.row.vcpus,
            loader=escape(_path(signed.row) or _NO_PATH, quote=False),
            author_key="yes" if signed.auth.author_key else "no",
            kernel_hashes="yes" if signed.row.kernel_hashes else "no",
            policy=signed.block.policy,
            id_block=signed.block_text,
            id_auth=signed.auth_text,
        )
        return [ExportFile.of(self.file_name, "application/xml", text.encode())]

    def notes(self, export: Export) -> Sequence[Note]:
        notes = [*super().notes(export), Note("launch-incomplete", _missing(export))]
        if any(_path(row) is None for row in export.rows):
            notes.append(Note("loader-path-unknown", f"set the path of the firmware in the domain: it is {_NO_PATH}"))
        return notes


def _missing(export: Export) -> str:
    """What the domain lacks to be launched with this digest."""
    parts = [f"<cpu> with a model of {vcpu_signature_text(export)}"]
    if any(row.kernel_hashes for row in export.rows):
        parts.append("<kernel>, <initrd> and <cmdline> as they are hashed")
    return f"the domain is not complete, and does not launch as it is: add {', and '.join(parts)}"


def _path(row: ExportRow) -> str | None:
    """Where the package of a build puts its image; None if it is not known, or no text of XML."""
    path = row.firmware.origin.path if row.firmware and row.firmware.origin else None
    return path if path and path.startswith("/") and path.isprintable() else None


FORMAT = LibvirtDomain()
