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
  "qe-vendor-unknown": "warning",
  "quote-body-unknown": "warning",
  "quote-signature-unreadable": "warning",
  "report-field-unknown": "warning",
  "report-version-unknown": "info",
  "requested-by-host": "warning",
  "reserved-not-zero": "info",
  "revoked": "danger",
  "rtmrs-not-covered": "info",
  "sending-allowed": "warning",
  "sept-ve-enabled": "warning",
  "several-configurations": "warning",
  "signature-algorithm-unknown": "warning",
  "signed-by-vlek": "info",
  "tcb-layout-unknown": "warning",
  "td-attribute-unknown": "warning",
  "td-migratable": "warning",
  "td-module-not-intel": "warning",
  "td-not-trusted": "danger",
  "td-profiled": "warning",
  "tdreport-not-signed": "warning",
  "technology-unknown": "warning",
  "token-not-verified": "warning",
  "vmpl-above-0": "info",
  "vmpl-unknown": "warning",
  "xfam-bit-unknown": "info",
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

// The mark of each severity: the same words as in catalog/fast/note_text.py.
export const MARKS = { danger: "DANGER", warning: "warning", info: "info", ok: "ok" };

export const dangers = (notes) => notes.filter(({ severity }) => severity === "danger");

// The dangers that every part of an answer has. parts: the notes of each.
export const sharedDangers = (parts) =>
  parts.length ? dangers(parts[0]).filter(({ text }) => parts.every((notes) => notes.some((one) => one.text === text))) : [];

// What an answer says first: the dangers of all matches, then which matches and other parts have one.
export function firstTexts(matches, parts) {
  const all = matches.map(({ notes }) => notes);
  const ofAll = sharedDangers(all).map(({ text }) => text);
  const bad = all.flatMap((notes, at) => (dangers(notes).some(({ text }) => !ofAll.includes(text)) ? [at + 1] : []));
  const ofSome = bad.length === 0 ? [] : bad.length === 1 ? [`do not rely on match ${bad[0]} of ${all.length}: see its notes`]
    : [`do not rely on ${bad.length} of ${all.length} matches: see their notes`];
  const others = parts.filter(({ notes }) => dangers(notes).length).map(({ title }) => `do not rely on this: ${title}`);
  return [...ofAll, ...ofSome, ...others];
}

// The title of a part, which says if it is revoked, or if there is another danger.
export const titled = (title, notes) =>
  notes.some(({ code }) => code === "revoked") ? `${title}, REVOKED` : dangers(notes).length ? `${title}, DANGER` : title;

const WORST_FIRST = ["danger", "warning", "info", "ok"];

// Notes by severity, danger first; those of one severity stay in order.
export const worstFirst = (notes) =>
  [...notes].sort((a, b) => WORST_FIRST.indexOf(a.severity) - WORST_FIRST.indexOf(b.severity));

// An error as a sentence: messages begin in lower case, as after "ldcat: error: ".
export const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
