// Evidence as bytes, recognised by its first bytes or its length as catalog/evidence/raw_bytes.py does.

import { Malformed, hexOf } from "./bytes.js";
import { MOST_CERTIFICATES, certificatesOfTable } from "./certificates.js";
import { note } from "./notes.js";
import { notesOnPolicy, ofReport, unknownInPolicy } from "./report.js";
import { REPORT_SIZE } from "./report_json.js";
import { notesOnSevPolicy } from "./launch_measure.js";
import { TD_REPORT_SIZE, ofQuote, ofTdreport } from "./tdx.js";

export const HCL_FORM = "attestation report in an Azure HCL blob";
const TDX_QUOTE_SIZE = 48 + TD_REPORT_SIZE;
const TDREPORT_SIZE = 1024;
const TDX_IN_HCL = "the report in this Azure HCL blob is of Intel TDX, on a platform without public firmware";
const IGVM = "this is an IGVM file: an image to launch, not evidence of a launch; ldcat inspect FILE shows its launch digest under each loader";
const LOG = "this is an event log, which nothing vouches for by itself, and no evidence of a launch; ldcat explain --event-log FILE says which events of a TD are known";
const LOG_BEGINS = "53706563204944204576656e74303300"; // Spec ID Event03
const SCALE = "00038112"; // version 0, quote of SEV-SNP, and the length of its report
const EXPECTED = "an ID block states which launch its author expects, not what was launched";
const PEK_NOT_CHECKED = "the report is not verified: ldcat does not check the chain of its platform endorsement key (PEK)";

// Evidence of one of the binary forms; null for other input.
export function ofBytes(data) {
  const head = hexOf(data.subarray(0, 8)), size = data.length;
  // a key type is not zero; a report of AMD has its guest SVN at 4, and zeros before it
  if (size >= TDX_QUOTE_SIZE && /^0[45]00(?!0000)....81000000$/.test(head)) return ofQuote(data);
  if (size === TDREPORT_SIZE && head.startsWith("8100")) return ofTdreport(data); // type and subtype
  if (head.startsWith("4947564d")) throw new Malformed(IGVM);
  if (head.endsWith("03000000") && hexOf(data.subarray(32, 48)) === LOG_BEGINS) throw new Malformed(LOG);
  if (head.startsWith("48434c41")) {
    if (data[0x20] === 0x81) throw new Malformed(TDX_IN_HCL);
    return ofReport(data.subarray(0x20, 0x20 + REPORT_SIZE), HCL_FORM);
  }
  if (size >= 0x20 + REPORT_SIZE && head === "00000000a0040000") {
    return ofReport(data.subarray(0x20, 0x20 + REPORT_SIZE), "attestation report in a MSG_REPORT_RSP");
  }
  if (size >= REPORT_SIZE && !data[1] && !data[2] && !data[3]) { // a version; no text has such bytes
    return size === REPORT_SIZE ? ofReport(data, "attestation report") : extended(data);
  }
  if (size === 208 && hexOf(data.subarray(0x34, 0x38)) === "02100000") { // the usage of a PEK
    return ofSevReport(data);
  }
  if (size === 96 && hexOf(data.subarray(0x50, 0x54)) === "01000000") return ofIdBlock(data);
  return head.startsWith(SCALE) ? ofScale(data) : null;
}

function extended(data) {
  const certificates = certificatesOfTable(data.subarray(REPORT_SIZE));
  const table = certificates.length ? "its certificate table" : "a certificate table without certificates";
  return { ...ofReport(data.subarray(0, REPORT_SIZE), `attestation report followed by ${table}`), certificates };
}

// AMD SEV API (55766), ATTESTATION: the launch digest itself, not an HMAC of it.
function ofSevReport(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const policy = view.getUint32(0x30, true), digest = hexOf(data.subarray(16, 48));
  return {
    form: "attestation report of SEV or SEV-ES",
    digest,
    facts: [["policy", `0x${policy.toString(16)}`], ["nonce", hexOf(data.subarray(0, 16))]],
    notes: [...notesOnSevPolicy(BigInt(policy)), note("pek-not-checked", PEK_NOT_CHECKED)],
    technologies: [policy & 4 ? "sev-es" : "sev"],
  };
}

// SEV-SNP ABI (56860), 8.18, SNP_LAUNCH_FINISH, ID block.
function ofIdBlock(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const digest = hexOf(data.subarray(0, 48)), policy = view.getBigUint64(0x58, true);
  return {
    form: "ID block",
    digest,
    facts: [
      ["policy", `0x${policy.toString(16)}`],
      ["family id", hexOf(data.subarray(0x30, 0x40))],
      ["image id", hexOf(data.subarray(0x40, 0x50))],
      ["guest SVN", `${view.getUint32(0x54, true)}`],
    ],
    notes: [...notesOnPolicy(policy), ...unknownInPolicy(policy), note("digest-only-claimed", EXPECTED)],
    claimedBy: "an ID block",
    technologies: ["sev-snp"],
  };
}

// The attestation of dstack, version 0, in SCALE: a report, and certificates with their lengths.
function ofScale(data) {
  const report = ofReport(data.subarray(4, 4 + REPORT_SIZE), "attestation report in an attestation of dstack");
  let at = 4 + REPORT_SIZE;
  const compact = () => { // a number of up to 30 bits
    const size = at < data.length ? 1 << (data[at] & 3) : 8;
    if (size > 4 || at + size > data.length) throw new Malformed("this attestation of dstack has an invalid length");
    const value = data.subarray(at, at + size).reduceRight((found, byte) => found * 256 + byte, 0);
    at += size;
    return Math.floor(value / 4);
  };
  const count = compact();
  if (count > MOST_CERTIFICATES) throw new Malformed(`this attestation of dstack has ${count} certificates: a chain has three`);
  const certificates = [];
  for (let number = 0; number < count; number++) {
    const size = compact();
    if (size > data.length - at) throw new Malformed("this attestation of dstack ends within a certificate");
    certificates.push(data.subarray(at, at + size));
    at += size;
  }
  return { ...report, certificates };
}
