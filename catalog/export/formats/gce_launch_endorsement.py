"""`gce-endorsement`: a launch endorsement as Google publishes for the firmware of its VMs; gcetcbendorsement reads it.

Source: google/gce-tcb-verifier, proto/endorsement.proto (VMLaunchEndorsement), verify/verify.go (what is checked) and
gcetcbendorsement/sevpolicy.go (the policy that is expected).
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from catalog.ask.evidence_notes import snp_policy_notes
from catalog.errors import MalformedInput, UsageError, VerificationFailed
from catalog.export.export_format import ExportFormat, Readers
from catalog.export.exported import Export, ExportFile
from catalog.export.guest_settings import guest_policy, guest_svn
from catalog.export.private_keys import GCE, load_key
from catalog.export.settings import GUEST_DEFAULTS, GivenFile, needed
from catalog.export.validity import valid_from
from catalog.export.writers.protobuf_writer import Value, message
from catalog.imports.certificate_files import load_certificates
from catalog.imports.chains import der, validity, verify_chain
from catalog.imports.dates import utc
from catalog.notes import Note

SALT = 32
"""Bytes of the salt of RSA-PSS."""

TOOL_POLICY = 0x70000
"""The guest policy that `gcetcbendorsement sev` starts from: it allows migration agents."""

_NO_ID = bytes(16)
_USAGES = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


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
        settings = export.settings
        cert, ca = needed(settings.cert, "--cert"), needed(settings.ca, "--ca")
        key = load_key(needed(settings.key, "--key"), settings.passphrase, GCE)
        golden = golden_measurement(export, *_certificates(key, cert, ca, valid_from(export)))
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), SALT)
        signed = message({1: golden, 2: key.sign(golden, pss, hashes.SHA256())})
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


def golden_measurement(export: Export, signer: x509.Certificate, root: x509.Certificate) -> bytes:
    """VMGoldenMeasurement: what is signed. signer: of the key that signs. root: who issued that certificate.

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
            4: der(signer),
            5: _image_sha384(export),
            6: root.public_bytes(Encoding.PEM),
            7: message(launch),
        }
    )


def _image_sha384(export: Export) -> bytes:
    firmware = export.all_but_vcpus().firmware
    if firmware is None or firmware.component.sha384 is None:
        raise UsageError(
            "a launch endorsement names the firmware image by its SHA-384, which is not known of the selected digests",
            "select digests of a build whose image was read: ldcat list builds",
        )
    return firmware.component.sha384


def _certificates(
    key: RSAPrivateKey, cert: GivenFile, ca: GivenFile, time: int
) -> tuple[x509.Certificate, x509.Certificate]:
    """The certificate of a key, and the one that issued it. time: of the signature, in seconds since 1970.

    Raises UsageError if they do not belong together; MalformedInput; VerificationFailed if one did not sign the other.
    """
    signer, root = _only_certificate(cert, "--cert"), _only_certificate(ca, "--ca")
    if signer.public_key() != key.public_key():
        raise UsageError(f"{cert.name} is a certificate of another key", "give the certificate of the key of --key")
    for file, certificate in ((cert, signer), (ca, root)):
        start, end = validity(certificate)
        if not start <= time <= end:
            raise UsageError(
                f"{file.name} is not valid at {utc(time)}, the time of the endorsement",
                f"it is valid from {utc(start)} to {utc(end)}: --valid-from sets another time",
            )
        _check_usages(certificate, file.name)
    try:
        verify_chain([signer, root], time, cert.name)
    except VerificationFailed as error:
        hint = "--ca is the certificate that issued it, with basicConstraints CA:TRUE and keyUsage keyCertSign"
        raise VerificationFailed(str(error), hint) from error
    return signer, root


def _only_certificate(file: GivenFile, option: str) -> x509.Certificate:
    try:
        found = load_certificates(file.data)
    except MalformedInput as error:
        raise MalformedInput(f"{file.name}: {error}", f"{option} takes a certificate") from error
    if len(found) != 1:
        raise MalformedInput(
            f"{file.name} has {len(found)} certificates",
            "the root issues the signer's certificate itself: give one each with --cert and --ca",
        )
    return found[0]


def _check_usages(certificate: x509.Certificate, name: str) -> None:
    """Raises UsageError for extended key usages without serverAuth, which Go's x509.Verify wants by default."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if _USAGES.isdisjoint(usages):
        raise UsageError(
            f"{name} has extended key usages, and not serverAuth, which gce-tcb-verifier requires then",
            "make a certificate without extended key usages",
        )
