// Notes that a script makes itself: { code, severity, text }, with the codes of catalog/notes.py.

const SEVERITIES = {
  "debug-allowed": "danger",
  "deprecated": "warning",
  "digest-only-claimed": "warning",
  "digests-differ": "danger",
  "key-info-unknown": "warning",
  "key-sharing-allowed": "warning",
  "migration-agent-allowed": "warning",
  "pek-not-checked": "warning",
  "platform-bit-unknown": "info",
  "policy-bit-unknown": "warning",
  "product-unknown": "info",
  "report-field-unknown": "warning",
  "report-version-unknown": "info",
  "requested-by-host": "warning",
  "reserved-not-zero": "info",
  "revoked": "danger",
  "sending-allowed": "warning",
  "several-configurations": "warning",
  "signature-algorithm-unknown": "warning",
  "signed-by-vlek": "info",
  "tcb-layout-unknown": "warning",
  "technology-unknown": "warning",
  "token-not-verified": "warning",
  "vmpl-above-0": "info",
  "vmpl-unknown": "warning",
};

export const DEBUG_ALLOWED = "the guest policy allows debugging: the host can read and change the guest's memory";

export const note = (code, text) => ({ code, severity: SEVERITIES[code], text });

// The text of a note on the bits of a field that are not known, or not set though reserved as set; null if there are none.
// known: mask of the bits with a meaning; ones: of those that are reserved as set.
export function unknownBits(field, value, known, ones = 0n) {
  const texts = [];
  const unset = listed(ones & ~value), unnamed = listed(value & ~known & ~ones);
  if (unset) texts.push(`${field} ${unset} not set, though reserved as set`);
  if (unnamed) texts.push(`${field} ${unnamed} not known to this version`);
  return texts.join("; ") || null;
}

function listed(mask) {
  const bits = [...mask.toString(2)].reverse().flatMap((bit, at) => (bit === "1" ? [at] : []));
  if (!bits.length) return null;
  return bits.length === 1 ? `bit ${bits[0]} is` : `bits ${bits.join(", ")} are`;
}

const WORST_FIRST = ["danger", "warning", "info", "ok"];

// Notes by severity, danger first; those of one severity stay in order.
export const worstFirst = (notes) =>
  [...notes].sort((a, b) => WORST_FIRST.indexOf(a.severity) - WORST_FIRST.indexOf(b.severity));
