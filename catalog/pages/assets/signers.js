// Who signed a checkpoint: the signatures of its log and of witnesses, the quorum of a policy, and how long it is fresh.
// Sources: C2SP signed-note, tlog-cosignature, tlog-policy.

import { fromBase64, joined, utf8 } from "./bytes.js";

export const MAX_AHEAD = 3600; // seconds: how far clocks may differ
const MAX_TIME = 2n ** 63n - 1n;

export class NotProven extends Error {}

// Who signed: the log itself, and a quorum of witnesses. Throws NotProven if either is missing or a signature is invalid.
export async function signersOf(log, trust) {
  const found = [];
  const without = [];
  for (const [role, keys] of [["log", trust.logs], ["witness", trust.witnesses]]) {
    for (const key of keys) {
      const made = log.signatures.filter(({ name, id }) => name === key.name && id === key.id);
      if (!made.length) continue;
      if (made.length > 1) throw new NotProven(`${key.name} signed twice with one key`);
      const signed = await verify(log, key, made[0].value);
      if (signed) found.push({ role, key, time: signed.time });
      else without.push(key.name);
    }
  }
  const extra = without.length ? `; this browser cannot verify the ML-DSA-44 signatures of ${without.join(", ")}` : "";
  const ofLog = found.filter(({ role, key }) => role === "log" && key.name === log.origin);
  if (!ofLog.length) throw new NotProven(`no trusted key of ${log.origin} signed this checkpoint${extra}`);
  const demanded = trust.log_signatures === "all" ? trust.logs.filter(({ name }) => name === log.origin).length : 1;
  if (ofLog.length < demanded) throw new NotProven(`not all keys of ${log.origin} signed this checkpoint${extra}`);
  if (log.isExtended && found.some(({ key }) => key.ml_dsa_44)) {
    throw new NotProven("the checkpoint has extension lines that not all of its signatures cover");
  }
  if (!accepts(trust, votes(found))) {
    throw new NotProven(`this checkpoint lacks the witness quorum that the trust note requires${extra}`);
  }
  return found;
}

// { time } of a signature, null for one without a time. Throws NotProven if it is invalid; null without ML-DSA-44 support.
async function verify(log, key, value) {
  const time = key.timed && value.length > 8 ? new DataView(value.buffer, value.byteOffset).getBigUint64(0) : null;
  const public_ = await importKey(key);
  if (!public_) return null;
  let message = utf8.encode(key.timed ? `cosignature/v1\ntime ${time}\n${log.text}` : log.text);
  if (key.ml_dsa_44) message = subtree(log, key.name, time);
  const signature = key.timed ? value.subarray(8) : value;
  if (time > MAX_TIME || !(await crypto.subtle.verify(public_.algorithm.name, public_, signature, message))) {
    throw new NotProven(`the signature of ${key.name} is not right`);
  }
  return { time: time === null ? null : Number(time) };
}

// The message of an ML-DSA-44 cosignature (tlog-cosignature): name, time, origin, leaf range from 0 on, and root.
function subtree(log, cosigner, time) {
  const texts = [cosigner, log.origin].map((text) => utf8.encode(text));
  const [name, origin] = texts.map((text) => joined([text.length], text));
  const size = joined(uint64(0n), uint64(BigInt(log.size)));
  return joined(utf8.encode("subtree/v1\n\0"), name, uint64(time ?? 0n), origin, size, log.rootHash);
}

// How long a checkpoint is fresh, by the cosignatures of its quorum, in seconds since 1970; throws NotProven if it is stale.
// Times of the log's own keys do not count. made: the time in the release record, which counts if no quorum is required.
export function freshUntil(signers, made, trust) {
  const now = Date.now() / 1000;
  if (now >= trust.expires) throw new NotProven("the trust note that this page came with has expired");
  const counted = votes(signers).filter(({ time }) => time <= now + MAX_AHEAD);
  const times = counted.map(({ time }) => time);
  if (trust.quorum === null && made <= now + MAX_AHEAD) times.push(made);
  times.sort((one, other) => other - one);
  const newest = times.find((from) => accepts(trust, counted.filter(({ time }) => time >= from)));
  const until = newest + trust.max_age;
  if (!(now <= until)) throw new NotProven("this checkpoint is stale: its newest cosignature is older than max-age");
  return Math.min(until, trust.expires);
}

// Cosignatures that count: of witnesses that are not keys of the log, with a time.
function votes(signers) {
  return signers.filter(({ role, key, time }) => role === "witness" && key.votes && time > 0);
}

// True if the signers meet the quorum; members of a group that share a voice count once.
function accepts(trust, signers) {
  const enough = new Set(signers.map(({ key }) => key.witness));
  for (const { name, threshold, voices } of trust.groups) {
    if (voices.filter((voice) => voice.some((member) => enough.has(member))).length >= threshold) enough.add(name);
  }
  return trust.quorum === null || enough.has(trust.quorum);
}

// A CryptoKey that verifies; null for an ML-DSA-44 key if this browser lacks ML-DSA-44. Throws NotProven for other failures.
async function importKey({ name, ed25519, ml_dsa_44: mlDsa }) {
  const [format, encoded, algorithm] = mlDsa ? ["raw-public", mlDsa, "ML-DSA-44"] : ["raw", ed25519, "Ed25519"];
  try {
    return await crypto.subtle.importKey(format, fromBase64(encoded), algorithm, false, ["verify"]);
  } catch (error) {
    if (error.name === "DataError") throw new NotProven(`the key of ${name} is invalid`);
    if (mlDsa) return null;
    throw new NotProven("this browser lacks Ed25519: use a newer one, or ldcat verify-proof");
  }
}

function uint64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}
