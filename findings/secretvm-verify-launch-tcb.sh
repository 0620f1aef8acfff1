#!/usr/bin/env bash
# secretvm-verify takes a guest that was launched on provisional SNP firmware for a "firmware downgrade".
#
# A host may load new firmware without committing it: CURRENT_TCB rises, COMMITTED_TCB, the floor of a rollback, stays
# (SNP_COMMIT is a command of its own). LAUNCH_TCB is the CURRENT_TCB at launch (SEV-SNP ABI, 56860, attestation report).
# So a guest that starts in between has LAUNCH_TCB above COMMITTED_TCB. Reports with CURRENT_TCB above COMMITTED_TCB are
# in public test data (trustee's VCEK report: microcode 206, committed 115). secretvm-verify 0.12.0 demands
# current >= committed >= launch, component by component, quotes "the SEV-SNP firmware ABI" for it, and reports such a
# genuine report as not valid. The two orders that do hold are current >= committed and current >= launch.
#
# Seen: secretvm-verify 0.12.0: current 206, committed 115: launch 115 is in order, launch 206 is not.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check secretvm-verify==0.12.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from secretvm.verify import amd


def tcb(microcode: int) -> bytes:
    """A TCB_VERSION of Milan: boot loader 3, TEE 0, SNP 8."""
    return bytes([3, 0, 0, 0, 0, 0, 8, microcode])


def in_order(launch: int) -> bool:
    report = bytearray(1184)
    report[0x00], report[0x34] = 2, 1
    report[0x38:0x40] = tcb(206)  # CURRENT_TCB
    report[0x1E0:0x1E8] = tcb(115)  # COMMITTED_TCB
    report[0x1F0:0x1F8] = tcb(launch)  # LAUNCH_TCB
    read = amd._amd_parse_report(bytes(report))
    return amd._amd_is_tcb_ordered(read["current_tcb"], read["committed_tcb"], read["launch_tcb"])


before, after = in_order(launch=115), in_order(launch=206)
print(f"launched before the new firmware was loaded: in order {before}; after it, before its commit: in order {after}")
assert (before, after) == (True, False), "secretvm-verify behaves differently now"
PYTHON
