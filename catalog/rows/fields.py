"""The fields of a row: the launch digest, the inputs that determine it, and facts that follow from the inputs.

This table is the only place that lists them. Parquet columns, leaves, JSON, SQL views, ranges, differences, options of
`ldcat revoke`, OpenAPI and the lookup page are derived from it; CONTRIBUTING.md says how to add a field.
"""

from __future__ import annotations

from catalog.rows.kinds import Bits, Count, Hash, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

COMPONENT, AXIS, FACT = "component", "axis", "fact"
"""Roles of the fields other than the digest. COMPONENT: what is launched, by hash or name. AXIS: a number that the VMM
sets. FACT: follows from these, and so never distinguishes two rows.
"""


class Field:
    """One field of a row.

    name: of the column, and of the key in JSON.
    kind: the type of its values.
    meaning: one sentence for documentation, with the unit.
    label: its name for people.
    plural: name for people of several values of it.
    role: COMPONENT, AXIS, FACT, or None for the digest itself.
    of: function from a LaunchConfig to the value, None if it is not measured; with `component`, from that component.
    nullable: whether it may be null.
    in_leaf: whether it is in the leaves of a log and in JSON, and not only in Parquet.
    component: for a fact in leaves, the one component that it follows from: firmware, kernel_hashes or vmm.
    beside: name of the key that follows it in the JSON of a match, an attribute of Match.
    optional: whether some rows lack it, such as those of older catalogs. A leaf then omits the key; it is not null.
    """

    __slots__ = (
        "beside",
        "component",
        "in_leaf",
        "kind",
        "label",
        "meaning",
        "name",
        "nullable",
        "of",
        "optional",
        "plural",
        "role",
    )

    def __init__(
        self,
        name: str,
        kind: Kind,
        meaning: str,
        *,
        of: Callable[[Any], Any],
        label: str = "",
        plural: str = "",
        role: str | None = None,
        nullable: bool = True,
        in_leaf: bool = True,
        component: str | None = None,
        beside: str | None = None,
        optional: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.meaning = meaning
        self.of = of
        self.label = label or name
        self.plural = plural or self.label
        self.role = role
        self.nullable = nullable
        self.in_leaf = in_leaf
        self.component = component
        self.beside = beside
        self.optional = optional

    def value(self, config: Any) -> Any:
        """Its value for a LaunchConfig; None if that is not measured."""
        if self.component is None:
            return self.of(config)
        component = getattr(config, self.component)
        return None if component is None else self.of(component)

    def text(self, value: Any) -> Any:
        """A value as it is in JSON; None stays None."""
        return None if value is None else self.kind.text(value)

    @property
    def input_names(self) -> tuple[str, ...]:
        """For a fact with a component: the fields that identify the component; the first one that is not null does."""
        if self.component == "firmware":
            return FIRMWARE_KEYS
        return (str(self.component) if self.component == "vmm" else f"{self.component}_sha256",)


FIRMWARE_KEYS = ("firmware_sha256", "firmware_snp_baseline")
"""The fields that identify a firmware image: a row has the strongest one that is known (docs/adr/0039)."""

IDENTITY = (*FIRMWARE_KEYS, "base_digest")
"""The fields that identify what a launch begins with, an image or a base: every row has exactly one of them."""

UNKNOWN_OF_BASES = (*FIRMWARE_KEYS, "kernel_hashes_sha256")
"""The fields that are null in a row that follows from a base, because nobody knows them."""


FIELDS = (
    Field(
        "launch_digest",
        Hash(32, 48),
        "Launch digest: SHA-256 for SEV and SEV-ES, SHA-384 for SEV-SNP and TDX.",
        of=lambda config: config.digest().value,
        label="launch digest",
        nullable=False,
    ),
    Field(
        "technology",
        Kind("[a-z0-9-]{1,32}"),
        "Technology: sev, sev-es, sev-snp or tdx.",
        of=lambda config: config.technology,
        role=COMPONENT,
        nullable=False,
    ),
    Field(
        "firmware_sha256",
        Hash(32),
        "SHA-256 of the firmware image or IGVM file; null: it is not known.",
        of=lambda config: config.firmware and config.firmware.sha256,
        label="firmware SHA-256",
        role=COMPONENT,
    ),
    Field(
        "firmware_snp_baseline",
        Hash(48),
        "SEV-SNP launch digest after the firmware image; only in rows of an image whose SHA-256 is not known.",
        of=lambda config: config.firmware and (None if config.firmware.sha256 else config.firmware.snp_baseline),
        label="firmware SNP baseline",
        role=COMPONENT,
        optional=True,
    ),
    Field(
        "base_digest",
        Hash(48),
        "Launch digest of the base that the row follows from; firmware and kernel are then null, which is not known.",
        of=lambda config: config.base and config.base.facts.digest,
        label="base launch digest",
        role=COMPONENT,
        optional=True,
    ),
    Field(
        "kernel_hashes_sha256",
        Hash(32),
        "SHA-256 of the kernel hashes table of 176 bytes; null: no kernel hashes are measured, or none are known, in a "
        "row with base_digest.",
        of=lambda config: config.kernel_hashes and config.kernel_hashes.table_sha256,
        label="kernel hashes",
        role=COMPONENT,
    ),
    Field(
        "vmm",
        Kind(),
        "Name of the VMM profile; null: the digest does not depend on the VMM.",
        of=lambda config: config.vmm and config.vmm.name,
        label="VMM profile",
        plural="VMM profiles",
        role=COMPONENT,
        beside="vmm_title",
    ),
    Field(
        "vcpus",
        Count(),
        "Number of vCPUs; null: the digest does not depend on it.",
        of=lambda config: config.vcpus,
        label="vCPUs",
        plural="vCPU counts",
        role=AXIS,
        beside="listed",
    ),
    Field(
        "vcpu_signature",
        Bits(32, digits=8),
        "CPUID(1).EAX of the vCPUs; null: it is not measured.",
        of=lambda config: config.vcpu_signature and config.vcpu_signature.value,
        label="vCPU signature",
        plural="vCPU signatures",
        role=AXIS,
        beside="vcpu_types",
    ),
    Field(
        "sev_features",
        Bits(64),
        "SEV_FEATURES of the VMSA, offset 0x3B0; null: no VMSA is measured, or those of an IGVM file are.",
        of=lambda config: config.sev_features,
        role=AXIS,
    ),
    Field(
        "bsp_vmsa_sha256",
        Hash(32),
        "SHA-256 of the VMSA page of the BSP, 4096 bytes.",
        of=lambda config: config.vmsa_page_hashes()[0],
        role=FACT,
        in_leaf=False,
    ),
    Field(
        "ap_vmsa_sha256",
        Hash(32),
        "SHA-256 of the VMSA page of every AP, 4096 bytes; null for one vCPU, because no AP is launched.",
        of=lambda config: config.vmsa_page_hashes()[1],
        role=FACT,
        in_leaf=False,
    ),
)
"""All fields, in the order of the keys in JSON."""

DIGEST = FIELDS[0]

BY_NAME = {field.name: field for field in FIELDS}

RECORD = tuple(field for field in FIELDS if field.in_leaf)
"""Fields of a digest record, in leaves and in JSON; the digest is first."""

COLUMNS = tuple(
    sorted(FIELDS, key=lambda field: ((None, COMPONENT, FACT, AXIS).index(field.role), field.name == "vcpus"))
)
"""Columns of launch_digests.parquet in their order: digest, components, facts, axes; the vCPU count is last."""

COMPONENTS = tuple(field for field in COLUMNS if field.role == COMPONENT)
AXES = tuple(field for field in COLUMNS if field.role == AXIS)

INPUTS = COMPONENTS + AXES
"""The fields that determine a launch digest: no two live rows are equal in all of them."""

FACTS = tuple(field for field in RECORD if field.role == FACT)
"""Facts that are in leaves; each follows from one component."""


BESIDE_COMPONENTS = tuple(
    field for field in RECORD if field.role and field.name not in ("technology", *IDENTITY, "kernel_hashes_sha256")
)
"""Fields that answers show as they are. For image, base and kernel hashes table they show more than the hash."""


def identity(values: Mapping[str, Any]) -> Any:
    """What identifies the image, or the base, that the launch of a row begins with. values: by field name."""
    return next((value for name in IDENTITY if (value := values.get(name)) is not None), None)


def is_from_igvm(values: Mapping[str, Any]) -> bool:
    """Whether a row is of a launch from an IGVM file: the VMM matters, and sev_features are those of the file."""
    is_of_amd = values["technology"] in ("sev", "sev-es", "sev-snp")
    return is_of_amd and values.get("vmm") is not None and values.get("sev_features") is None


def value_in(record: Any, name: str) -> Any:
    """The text of a field of a digest record; None if it is not measured, or is an optional field that it lacks."""
    value = getattr(record, name)
    return value if isinstance(value, str | int) else None  # not msgspec.UNSET


def record_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """The digest record of a row, as canonical texts, without optional fields that are null. values: by field name."""
    found: dict[str, Any] = {"type": "digest"}
    for field in RECORD:
        value = values.get(field.name)
        if value is not None or not field.optional:
            found[field.name] = field.text(value)
    return found
