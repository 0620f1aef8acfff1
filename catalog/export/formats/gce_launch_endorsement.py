"""`gce-endorsement`: a launch endorsement as Google publishes for the firmware of its VMs; gcetcbendorsement reads it.

Source: google/gce-tcb-verifier, proto/endorsement.proto (VMLaunchEndorsement), verify/verify.go (what is checked) and
gcetcbendorsement/sevpolicy.go (the policy that is expected).
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.ask.evidence_notes import snp_policy_notes
from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import Export, ExportFile
from catalog.export.guest_settings import guest_policy, guest_svn
from catalog.export.settings import GUEST_DEFAULTS, needed
from catalog.export.validity import valid_from
from catalog.export.writers.protobuf_writer import Value, message
from catalog.notes import Note

TOOL_POLICY = 0x70000
"""The guest policy that `gcetcbendorsement sev` starts from: it allows migration agents."""

_NO_ID = bytes(16)


class GceEndorsement(ExportFormat):
    """VMLaunchEndorsement: the golden measurement, one launch digest for each vCPU count, and a signature over it.

    The golden measurement is deterministic. The signature is not: RSA-PSS has a salt, which the library draws.
    """

    name = "gce-endorsement"
    title = "launch endorsement for gcetcbendorsement and gce-tcb-verifier, signed with an RSA key and its certificate"
    readers = Readers.VERIFIERS
    file_name = "gce-endorsement.binarypb"
    depends_on = frozenset({"firmware"})
    settings = frozenset(
        {
            "key", "passphrase", "cert", "ca", "valid_from", "commit", "cl_spec",
            "policy", "guest_svn", "family_id", "image_id",
        }
    )  # fmt: skip
    required = frozenset({"key", "cert", "ca"})
    defaults = GUEST_DEFAULTS
    one_of = ("commit", "cl_spec")
    is_binary = True

    def files(self, export: Export) -> Sequence[ExportFile]:
        from catalog.export.gce_signature import Signer  # cryptography takes long to load

        settings = export.settings
        cert, ca = needed(settings.cert, "--cert"), needed(settings.ca, "--ca")
        signer = Signer.of(needed(settings.key, "--key"), settings.passphrase, cert, ca, valid_from(export))
        golden = golden_measurement(export, signer.certificate, signer.root)
        signed = message({1: golden, 2: signer.sign(golden)})
        return [ExportFile.of(self.file_name, "application/x-protobuf", signed)]

    def check_rows(self, export: Export) -> None:
        export.by_vcpus()
        _image_sha384(export)

    def notes(self, export: Export) -> Sequence[Note]:
        policy = guest_policy(export.settings)
        notes = snp_policy_notes(policy)
        if policy.value != TOOL_POLICY:
            text = (
                f"gcetcbendorsement sev takes guest policy {policy.value:#x} with --base /dev/null; "
                f"with --overwrite it checks {TOOL_POLICY:#x} instead, which allows migration agents"
            )
            notes.append(Note("consumer-needs-option", text))
        return notes


FORMAT = GceEndorsement()


def golden_measurement(export: Export, certificate: bytes, root: bytes) -> bytes:
    """VMGoldenMeasurement: what is signed.

    certificate: of the key that signs, in DER. root: the one that issued it, in PEM.
    Raises UsageError for rows of several images, VMMs and so on, and without a commit or change that names the source.
    """
    settings = export.settings
    if not settings.commit and not settings.cl_spec:
        raise UsageError(
            "a launch endorsement names the source of the firmware: its verifiers refuse it otherwise",
            "give the commit with --commit HEX, or the number of the change with --cl-spec N",
        )
    if not 0 <= (settings.cl_spec or 0) < 1 << 64:
        raise UsageError(f"{settings.cl_spec} is no number of a change of 64 bits", "give another one: --cl-spec")
    launch: dict[int, Value] = {
        1: guest_svn(settings),
        2: {vcpus: row.digest for vcpus, row in export.by_vcpus().items()},
        3: settings.family_id or _NO_ID,
        4: settings.image_id or _NO_ID,
        5: guest_policy(settings).value,
    }
    return message(
        {
            1: message({1: valid_from(export)}),
            2: settings.cl_spec or 0,
            3: settings.commit or b"",
            4: certificate,
            5: _image_sha384(export),
            6: root,
            7: message(launch),
        }
    )


def _image_sha384(export: Export) -> bytes:
    firmware = export.all_but_vcpus().firmware
    if firmware and firmware.is_igvm:
        raise UsageError(f"a launch endorsement is of a firmware image, and {firmware.name} is an IGVM file")
    if firmware is None or firmware.component.sha384 is None:
        raise UsageError(
            "a launch endorsement names the firmware image by its SHA-384, which is not known of the selected digests",
            "select digests of a build whose image was read: ldcat list builds",
        )
    return firmware.component.sha384
