"""`gce-endorsement`: a launch endorsement as Google publishes for the firmware of its VMs; gcetcbendorsement reads it.

Source: google/gce-tcb-verifier, proto/endorsement.proto (VMLaunchEndorsement), verify/verify.go (what is checked) and
gcetcbendorsement/sevpolicy.go and tdxpolicy.go (the policies that are expected).
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.ask.evidence_notes import snp_policy_notes
from catalog.errors import UsageError
from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import SEV_SNP, TDX, TECHNOLOGIES, Export, ExportFile, ExportRow
from catalog.export.guest_settings import guest_policy, guest_svn
from catalog.export.settings import GUEST_DEFAULTS, needed
from catalog.export.validity import valid_from
from catalog.export.writers.protobuf_writer import Value, message
from catalog.firmware.tdx.tdx_facts import MACHINES
from catalog.notes import Note
from catalog.spec import embedded

TOOL_POLICY = 0x70000
"""The guest policy that `gcetcbendorsement sev` starts from: it allows migration agents."""

_NO_ID = bytes(16)
_SNP_ALONE = {"policy": "--policy", "family_id": "--family-id", "image_id": "--image-id"}
"""Settings with no place in an endorsement for TDX, with their options."""

_TDX_NOTES = (
    Note(
        "consumer-needs-option",
        "gcetcbendorsement tdx validate verifies neither the signature of the endorsement nor that of the quote: run "
        "gcetcbendorsement verify, and the check of go-tdx-guest, too",
    ),
    Note(
        "export-accepts-more",
        "gcetcbendorsement tdx compares the MRTD alone, also of a TD that the host can debug: give a policy with "
        "enable_td_debug_check with --base",
    ),
)


class GceEndorsement(ExportFormat):
    """VMLaunchEndorsement: the golden measurement, and a signature over it.

    It has one SEV-SNP launch digest for each vCPU count, or the MRTDs of the image.

    The golden measurement is deterministic. The signature is not: RSA-PSS has a salt, which the library draws.
    """

    name = "gce-endorsement"
    title = "launch endorsement for gcetcbendorsement and gce-tcb-verifier, signed with an RSA key and its certificate"
    readers = Readers.VERIFIERS
    technologies = frozenset(TECHNOLOGIES)
    file_name = "gce-endorsement.binarypb"
    depends_on = frozenset({"firmware"})
    settings = frozenset(
        {
            "key", "passphrase", "cert", "ca", "valid_from", "commit", "cl_spec",
            "policy", "guest_svn", "family_id", "image_id",
        }
    )  # fmt: skip
    required = frozenset({"key", "cert", "ca"})
    defaults = {name: {SEV_SNP: value} for name, value in GUEST_DEFAULTS.items()} | {"guest_svn": 0}
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
        if export.technology == TDX:
            _of_one_image(export)
        else:
            export.by_vcpus()
        _image_sha384(export)

    def notes(self, export: Export) -> Sequence[Note]:
        if export.technology == TDX:
            return _TDX_NOTES
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
    Raises UsageError for rows of several images, of SEV-SNP also of several VMMs and so on, and without a commit or a
    change that names the source.
    """
    settings = export.settings
    if not settings.commit and not settings.cl_spec:
        raise UsageError(
            "a launch endorsement names the source of the firmware: its verifiers refuse it otherwise",
            "give the commit with --commit HEX, or the number of the change with --cl-spec N",
        )
    if not 0 <= (settings.cl_spec or 0) < 1 << 64:
        raise UsageError(f"{settings.cl_spec} is no number of a change of 64 bits", "give another one: --cl-spec")
    launch = {8: _tdx(export)} if export.technology == TDX else {7: _sev_snp(export)}
    return message(
        {
            1: message({1: valid_from(export)}),
            2: settings.cl_spec or 0,
            3: settings.commit or b"",
            4: certificate,
            5: _image_sha384(export),
            6: root,
            **launch,
        }
    )


def _sev_snp(export: Export) -> Value:
    """VMSevSnp."""
    settings = export.settings
    return message(
        {
            1: guest_svn(settings),
            2: {vcpus: row.digest for vcpus, row in export.by_vcpus().items()},
            3: settings.family_id or _NO_ID,
            4: settings.image_id or _NO_ID,
            5: guest_policy(settings).value,
        }
    )


def _tdx(export: Export) -> Value:
    """VMTdx: an MRTD with the memory of the machine type if that is measured, as Google has it."""
    settings = export.settings
    for name, option in _SNP_ALONE.items():
        if getattr(settings, name) is not None:
            raise UsageError(f"an endorsement for TDX has no place for {option}", "leave it out")
    _of_one_image(export)
    measured = {row.digest: message({1: _ram_gib(row), 3: row.digest}) for row in export.rows}
    return message({1: guest_svn(settings), 2: tuple(measured.values())})


def _ram_gib(row: ExportRow) -> int:
    """GiB of memory that the TD HOB of a launch lists, if it is measured; 0 if not."""
    profile = embedded.profiles().get(row.vmm or "")
    machine = profile and profile.tdx and MACHINES.get(profile.tdx.way)
    return machine[0] if machine else 0


def _of_one_image(export: Export) -> None:
    """Raises UsageError for rows of several firmware images; VMMs may differ."""
    if len({row.firmware and row.firmware.component.key for row in export.rows}) > 1:
        raise UsageError("a launch endorsement is of one firmware image, and several are selected", "select --firmware")


def _image_sha384(export: Export) -> bytes:
    firmware = next(iter(export.rows)).firmware if export.technology == TDX else export.all_but_vcpus().firmware
    if firmware and firmware.is_igvm:
        raise UsageError(f"a launch endorsement is of a firmware image, and {firmware.name} is an IGVM file")
    if firmware is None or firmware.component.sha384 is None:
        raise UsageError(
            "a launch endorsement names the firmware image by its SHA-384, which is not known of the selected digests",
            "select digests of a build whose image was read: ldcat list builds",
        )
    return firmware.component.sha384
