// Notes of the readers of evidence: a code with its severity, as in catalog/notes.py, and a text.

const SEVERITIES = {
  "debug-allowed": "danger",
  "key-info-unknown": "warning",
  "key-sharing-allowed": "warning",
  "migration-agent-allowed": "warning",
  "platform-bit-unknown": "info",
  "policy-bit-unknown": "warning",
  "product-unknown": "info",
  "report-version-unknown": "info",
  "requested-by-host": "warning",
  "reserved-not-zero": "info",
  "sending-allowed": "warning",
  "signature-algorithm-unknown": "warning",
  "signed-by-vlek": "info",
  "tcb-layout-unknown": "warning",
  "vmpl-above-0": "info",
  "vmpl-unknown": "warning",
};

export const note = (code, text) => ({ code, severity: SEVERITIES[code], text });

// The text of a note on the bits of a mask, of a field; null if there are none.
export function unknownBits(field, mask) {
  const bits = [...mask.toString(2)].reverse().flatMap((bit, at) => (bit === "1" ? [at] : []));
  if (!bits.length) return null;
  const [s, are] = bits.length === 1 ? ["", "is"] : ["s", "are"];
  return `${field} bit${s} ${bits.join(", ")} ${are} not known to this version`;
}
