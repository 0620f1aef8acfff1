// An attestation report, read as catalog/abi/report.py does. Source: SEV-SNP ABI (56860), 7.3, ATTESTATION_REPORT: little-endian.

import { Malformed, hexOf } from "./bytes.js";
import { note } from "./notes.js";
import { REPORT_SIZE } from "./report_json.js";

const HOST_REQUESTED = 0xffffffff;
const VLEK = 1;

// What the 1,184 bytes are, as `sniff` says it.
export function ofReport(raw, form) {
  if (raw.length !== REPORT_SIZE) throw new Malformed(`an attestation report has ${REPORT_SIZE} bytes, not ${raw.length}`);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const version = view.getUint32(0, true);
  if (version < 2 || version > 5) throw new Malformed(`unknown attestation report version ${version}: known are 2 to 5`);
  const policy = view.getBigUint64(8, true), vmpl = view.getUint32(0x30, true), keys = view.getUint32(0x48, true);
  if (vmpl > 3 && vmpl !== HOST_REQUESTED) throw new Malformed(`invalid VMPL ${vmpl} (0 to 3)`);
  const digest = hexOf(raw.subarray(0x90, 0xc0));
  return {
    form,
    digest,
    facts: [
      ["version", `${version}`],
      ["launch digest", digest],
      ["policy", `0x${policy.toString(16)}`],
      ["VMPL", vmpl === HOST_REQUESTED ? "requested by the host" : `${vmpl}`],
      ["guest SVN", `${view.getUint32(4, true)}`],
      ["REPORT_DATA", hexOf(raw.subarray(0x50, 0x90))],
      ["HOST_DATA", hexOf(raw.subarray(0xc0, 0xe0))],
    ],
    notes: notesOn(policy, vmpl, keys),
    measured: false,
    isReport: true,
    technologies: ["sev-snp"],
  };
}

function notesOn(policy, vmpl, keys) {
  const notes = [];
  if ((policy >> 19n) & 1n) {
    notes.push(note("debug-allowed", "the guest policy allows debugging: the host can read and change the guest's memory"));
  }
  if ((policy >> 18n) & 1n) {
    notes.push(note("migration-agent-allowed", "the guest policy allows a migration agent, which can move the guest and has its secrets"));
  }
  if (vmpl === HOST_REQUESTED) notes.push(note("requested-by-host", "this report was requested by the host, not by software in the guest"));
  else if (vmpl) {
    notes.push(note("vmpl-above-0", `the report is of VMPL ${vmpl}: something else, at VMPL 0, can be between it and the launch`));
  }
  if (((keys >> 2) & 7) === VLEK) {
    notes.push(note("signed-by-vlek", "the report is signed by a VLEK, a key of a cloud provider, whose firmware may not be public"));
  }
  return notes;
}
