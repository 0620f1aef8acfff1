// LAUNCH_MEASURE data of a SEV or SEV-ES guest, read as catalog/evidence/forms/launch_measure_text.py does.

import { Malformed, hexOf } from "./bytes.js";
import { fromBase64, linesOf, stripped, wordsOf } from "./codings.js";
import { readFrom } from "./members.js";
import { DEBUG_ALLOWED, note, unknownBits } from "./notes.js";

const NUMBERS = ["api-major", "api-minor", "build-id", "policy"];
const POLICY_BITS = 0xffff003fn;
const [NO_DEBUG, NO_KEY_SHARING, ES, NO_SEND] = [1n, 2n, 4n, 8n]; // of the policy

// QMP's query-sev-launch-measure, also with query-sev, or query-sev-attestation-report; null for other Maps.
export function ofQmp(objects, ofBytes) {
  const merged = new Map();
  for (const one of objects) {
    for (const [key, value] of one) {
      const isMeasured = key === "data" || NUMBERS.includes(key);
      if (isMeasured && merged.has(key) && merged.get(key) !== value) {
        throw new Malformed(`this JSON has two different values of ${key}`);
      }
      merged.set(key, value);
    }
  }
  if (!merged.has("data")) return null;
  const data = canonical(merged.get("data"));
  const report = ofBytes(data);
  if (report) return readFrom(report, "JSON");
  const numbers = NUMBERS.map((name) => merged.get(name) ?? null);
  if (numbers.some((value) => value !== null && typeof value !== "bigint")) {
    throw new Malformed("an API version, build id or policy in this JSON is not a number");
  }
  return ofMeasurement(data, numbers.at(-1));
}

// Lines of virsh domlaunchsecinfo, each with a name and a value.
export function ofLibvirt(text) {
  const said = new Map();
  for (const line of linesOf(text)) {
    const colon = line.indexOf(":"), name = stripped(line.slice(0, colon)), words = wordsOf(line.slice(colon + 1));
    if (colon < 0 || words.length !== 1 || !/^sev-[a-z-]+$/.test(name)) continue;
    if (said.has(name)) throw new Malformed("domlaunchsecinfo has a name twice");
    said.set(name, words[0]);
  }
  const numbers = NUMBERS.map((name) => said.get(`sev-${name}`) ?? null);
  if (numbers.some((value) => value !== null && !/^[0-9]{1,20}$/.test(value))) {
    throw new Malformed("an API version, build id or policy of domlaunchsecinfo is not a number");
  }
  const policy = numbers.at(-1);
  return ofMeasurement(canonical(said.get("sev-measurement")), policy === null ? null : BigInt(policy));
}

// SEV API (55766), LAUNCH_MEASURE: an HMAC under the TIK, which is never given to a page.
function ofMeasurement(value, policy) {
  if (value.length !== 32 && value.length !== 48) {
    throw new Malformed("the launch measurement is not 32 or 48 bytes in base64: a measurement, or one with its nonce");
  }
  const facts = [["measurement", hexOf(value.subarray(0, 32))]];
  if (value.length === 48) facts.push(["nonce", hexOf(value.subarray(32))]);
  const found = { form: "launch measurement", digest: null, facts, notes: [], measured: true, technologies: ["sev", "sev-es"] };
  if (policy === null) return found;
  if (policy < 0n || policy >> 32n) throw new Malformed("the guest policy has more than 32 bits");
  facts.push(["policy", `0x${policy.toString(16)}`]);
  return { ...found, technologies: [policy & ES ? "sev-es" : "sev"], notes: notesOnSevPolicy(policy) };
}

export function notesOnSevPolicy(policy) {
  const notes = [];
  if (!(policy & NO_DEBUG)) notes.push(note("debug-allowed", DEBUG_ALLOWED));
  if (!(policy & NO_KEY_SHARING)) {
    notes.push(note("key-sharing-allowed", "the guest policy allows other guests to share its memory key"));
  }
  if (!(policy & NO_SEND)) notes.push(note("sending-allowed", "the guest policy allows the guest to be sent to another platform"));
  const unknown = unknownBits("policy", policy, POLICY_BITS);
  if (unknown) notes.push(note("policy-bit-unknown", unknown));
  return notes;
}

// The bytes of padded base64; none for anything else.
function canonical(text) {
  const found = typeof text === "string" && text.length % 4 === 0 ? fromBase64(text) : null;
  return found?.[0] === "base64" ? found[1] : new Uint8Array();
}
