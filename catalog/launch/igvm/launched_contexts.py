"""What a loader launches of the VMSAs in an IGVM file: whole pages, or the registers that a VMM can set.

Source: QEMU, target/i386/sev.c; Cloud Hypervisor, hypervisor/src/kvm/mod.rs; Linux, arch/x86/kvm/svm/svm.c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from catalog.abi.vcpu_start import SNP_ACTIVE
from catalog.abi.vmsa_layout import FIELDS, SEGMENTS
from catalog.firmware.igvm.igvm_component import IgvmContext
from catalog.launch.igvm_rules import IgvmRules

_ATTRIBUTES = 0xFFF
"""Bits of the attributes of a segment that KVM takes."""

_TABLES, _MAX_TABLE_LIMIT = ("gdtr", "idtr"), 0xFFFF
"""What Cloud Hypervisor takes as a limit of 16 bits."""


def features_of(contexts: Sequence[IgvmContext], technology: str) -> int:
    """The sev_features that the VMM gives to KVM, which sets bit 0 itself under SNP: of the context of vCPU 0."""
    given = next((_number(one.page, "sev_features") for one in contexts if one.vcpu == 0), 0)
    return given | SNP_ACTIVE if technology == "sev-snp" else given


def merged_page(rules: IgvmRules, page: bytes, reset_page: bytes) -> bytes:
    """The reset page with the registers that a VMM takes from a VMSA of the file, as KVM keeps them."""
    made = bytearray(reset_page)
    for at, size in map(FIELDS.__getitem__, rules.vmsa_fields or ()):
        made[at : at + size] = page[at : at + size]
    for name, bits in rules.vmsa_bits_set.items():
        at, size = FIELDS[name]
        made[at : at + size] = (_number(made, name) | bits).to_bytes(size, "little")
    for name in SEGMENTS:
        at, size = FIELDS[f"{name}.attrib"]
        made[at : at + size] = (_number(made, f"{name}.attrib") & _ATTRIBUTES).to_bytes(size, "little")
    return bytes(made)


def contexts_blocker(rules: IgvmRules, vmm: str, technology: str, contexts: Sequence[IgvmContext]) -> str | None:
    """Why a VMM refuses the contexts of a file, or would launch something else; None if it launches them."""
    numbers = [one.vcpu for one in contexts]
    if len(set(numbers)) < len(numbers) and rules.vmsas_at_end:
        return "the file has two contexts for one vCPU"
    if technology == "sev":
        return "the file has a VP context, and a SEV guest has no VMSA" if contexts else None
    if rules.boot_context_only and numbers not in ([], [0]):
        return f"{vmm} loads the VMSA of vCPU 0 alone, and the file has others"
    if rules.vmsa_fields is None:
        return None
    features = features_of(contexts, technology)
    for one in contexts:
        fault = _fault(rules, technology, features, one) if rules.refuses_other_fields else _wide_table(one)
        if fault:
            return f"{vmm} refuses the context of vCPU {one.vcpu}: {fault}"
    return None


def _wide_table(one: IgvmContext) -> str | None:
    wide = next((name for name in _TABLES if _number(one.page, f"{name}.limit") > _MAX_TABLE_LIMIT), None)
    return f"the limit of {wide} has more than 16 bits" if wide else None


def _fault(rules: IgvmRules, technology: str, features: int, one: IgvmContext) -> str | None:
    """Why a VMM that sets registers, and no whole VMSA, does not launch the page of a context."""
    own = _number(one.page, "sev_features")
    if one.gpa != rules.vmsa_gpa:
        return f"its address is {one.gpa:#x}, not {rules.vmsa_gpa:#x}"
    if bool(own & SNP_ACTIVE) != (technology == "sev-snp"):
        return f"sev_features {own:#x} is not for {technology}"
    if own != features:
        return f"its sev_features {own:#x} are not those of vCPU 0, {features:#x}"
    at = _first_set(one.page, rules.vmsa_fields or frozenset())
    if at is not None:
        return f"it sets the byte at {at:#x}, which is not one of the registers that it knows"
    if changed := _changed_by_kvm(one.page, rules.vmsa_bits_set):
        return changed
    if _number(one.page, "tr.base") != _number(one.page, "ldtr.base"):
        return "it would launch it with the base of ldtr in tr"
    return None


def _changed_by_kvm(page: bytes, set_bits: Mapping[str, int]) -> str | None:
    for name, bits in set_bits.items():
        if ~_number(page, name) & bits:
            return f"KVM sets {bits:#x} in {name}, and the file has {_number(page, name):#x}"
    wide = next((name for name in SEGMENTS if _number(page, f"{name}.attrib") & ~_ATTRIBUTES), None)
    return f"KVM takes 12 bits of the attributes of {wide}, and the file sets others" if wide else None


def _first_set(page: bytes, fields: frozenset[str]) -> int | None:
    """Offset of the first byte that is not zero and lies in none of these segments and registers, or None."""
    rest = bytearray(page)
    for at, size in map(FIELDS.__getitem__, fields):
        rest[at : at + size] = bytes(size)
    at = len(rest) - len(rest.lstrip(b"\0"))
    return at if at < len(rest) else None


def _number(page: bytes | bytearray, field: str) -> int:
    at, size = FIELDS[field]
    return int.from_bytes(page[at : at + size], "little")
