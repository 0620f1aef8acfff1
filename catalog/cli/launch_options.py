"""Options that describe a launch: its kernel hashes, its VMM and its vCPUs."""

from __future__ import annotations

from typing import Annotated

from catalog.cli.declare.declared import Option
from catalog.cli.options import number_option

_KERNEL = "Kernel hashes"
_VCPUS = "vCPUs (SEV-ES and SEV-SNP)"

KernelOption = Annotated[
    str | None, Option(metavar="FILE", help="Kernel file as the VMM gets it.", rich_help_panel=_KERNEL)
]
KernelHashOption = Annotated[
    str | None, Option(metavar="HEX", help="SHA-256 of the kernel file.", rich_help_panel=_KERNEL)
]
InitrdOption = Annotated[
    str | None, Option(metavar="FILE", help="Initrd file as the VMM gets it.", rich_help_panel=_KERNEL)
]
InitrdHashOption = Annotated[
    str | None, Option(metavar="HEX", help="SHA-256 of the initrd file.", rich_help_panel=_KERNEL)
]
AppendOption = Annotated[
    str | None, Option(metavar="TEXT", help="Kernel command line, taken as it is.", rich_help_panel=_KERNEL)
]
AppendSha256Option = Annotated[
    str | None,
    Option(
        metavar="HEX",
        help="SHA-256 of the command line and its NUL, instead of the command line.",
        rich_help_panel=_KERNEL,
    ),
]
KernelHashesOption = Annotated[
    str | None,
    Option(
        metavar="NAME|RECORD.toml",
        help="Catalogued kernel, initrd and command line, or a kernel record.",
        rich_help_panel=_KERNEL,
    ),
]
VmmOption = Annotated[
    str | None,
    Option(
        metavar="PROFILE",
        help="VMM profile, such as qemu-kvm-init2, or loader of an IGVM file.",
        rich_help_panel=_VCPUS,
    ),
]
VcpusOption = Annotated[
    str | None,
    Option(metavar="N", help="Number of vCPUs at launch, or several numbers: 1-64,96.", rich_help_panel=_VCPUS),
]
VcpuTypeOption = Annotated[
    str | None, Option(metavar="NAME", help="vCPU model, as QEMU names it.", rich_help_panel=_VCPUS)
]
VcpuSignatureOption = Annotated[
    int | None,
    Option(
        parser=number_option,
        metavar="N",
        help="vCPU signature: CPUID Fn0000_0001 EAX.",
        rich_help_panel=_VCPUS,
    ),
]
VcpuFamilyOption = Annotated[
    int | None,
    Option(
        parser=number_option,
        metavar="N",
        help="vCPU family; with model and stepping in place of the signature.",
        rich_help_panel=_VCPUS,
    ),
]
VcpuModelOption = Annotated[
    int | None, Option(parser=number_option, metavar="N", help="vCPU model.", rich_help_panel=_VCPUS)
]
VcpuSteppingOption = Annotated[
    int | None, Option(parser=number_option, metavar="N", help="vCPU stepping.", rich_help_panel=_VCPUS)
]
SevFeaturesOption = Annotated[
    int | None,
    Option(
        parser=number_option,
        metavar="BITS",
        help="sev_features of the VMSA; by default 0x1 under SEV-SNP, 0 under SEV-ES.",
        rich_help_panel=_VCPUS,
    ),
]
