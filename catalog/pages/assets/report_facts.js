// What an attestation report says, for people: the facts of `ldcat lookup REPORT`, and the chip id, which no host is sent.

import { hexOf } from "./bytes.js";
import { tcbText } from "./tcb.js";

export const HOST_REQUESTED = 0xffffffff;
const SIGNING_KEYS = { 0: "VCEK", 1: "VLEK", 7: "none" };
const ALLOWED = { 16: "smt", 18: "migrate_ma", 19: "debug", 20: "single_socket", 21: "cxl_allow", 22: "mem_aes_256_xts",
  23: "rapl_dis", 24: "ciphertext_hiding_dram", 25: "page_swap_disable" }; // bits of a guest policy
const TCBS = { "current TCB": 0x38, "committed TCB": 0x1e0, "launch TCB": 0x1f0 };
const REPORTED = 0x180;

// [[name, value]]. report: as of report.js; layout: of its TCB versions, or null.
export function reportFacts(report, layout) {
  const { raw, version, policy, vmpl, guestSvn, family, model, product, signingKey } = report;
  const tcb = (at) => tcbText(raw.subarray(at, at + 8), layout);
  const others = Object.entries(TCBS).map(([name, at]) => [name, tcb(at)]).filter(([, text]) => text !== tcb(REPORTED));
  const chip = raw.subarray(0x1a0, 0x1e0);
  return [
    ["version", `${version}`],
    ["policy", `${hex(policy)} (${allowed(policy) || "nothing allowed"})`],
    ["VMPL", vmpl === HOST_REQUESTED ? "requested by the host" : `${vmpl}`],
    ["guest SVN", `${guestSvn}`],
    ["REPORT_DATA", hexOf(raw.subarray(0x50, 0x90))],
    ["HOST_DATA", hexOf(raw.subarray(0xc0, 0xe0))],
    ["product", `${product?.name ?? "unknown"}${
      family === null ? "" : ` (family ${hex(family)}, model ${hex(model)}, stepping ${hex(raw[0x18a])})`}`],
    ["reported TCB", tcb(REPORTED)],
    ...others,
    ["SNP firmware", `${raw[0x1ea]}.${raw[0x1e9]}.${raw[0x1e8]}`],
    ["signed by", SIGNING_KEYS[signingKey] ?? `unknown (${signingKey})`],
    ["chip id", chip.some((byte) => byte) ? `${hexOf(chip)} (stays in this browser)` : "hidden by the host"],
  ];
}

const hex = (number) => `0x${number.toString(16)}`;
const allowed = (policy) =>
  Object.entries(ALLOWED).filter(([bit]) => (policy >> BigInt(bit)) & 1n).map(([, name]) => name).join(", ");
