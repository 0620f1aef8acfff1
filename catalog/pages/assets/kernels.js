// A kernel as it is shown, and whether it is the one that was measured. The kernel hashes table of 176 bytes is described
// in docs/launch-digests.md; the command line is hashed with its NUL.

import { bytesOfHex, hexOf } from "./bytes.js";

const TABLE = "06d63894224fc94cb479a793d411fd21"; // GUIDs in their little-endian memory layout
const CMDLINE = "d82dd09720bd944caa78e7714d36ab2a";
const INITRD = "31f7ba442f3ad74b9af141e29169781d";
const KERNEL = "3794e74dd2ab7f42b835d5b172d2045b";
const NOT_PLAIN = /[\p{C}\p{Z}]/u; // the blank is an exception

export class NotMeasured extends Error {}

// Throws NotMeasured if a kernel is not the one of a table. table: its SHA-256 in hex. Without WebCrypto nothing is verified.
export async function checkKernel(table, kernel) {
  const { name, append, kernel_sha256, initrd_sha256, cmdline_sha256 } = kernel;
  const hashes = [kernel_sha256, initrd_sha256, cmdline_sha256];
  const isText = append === null || (typeof append === "string" && !/[\0\p{Cs}]/u.test(append));
  if (!isText || !hashes.every((hash) => /^[0-9a-f]{64}$/.test(hash))) throw refused(name, "kernel data that cannot have been measured");
  if (!globalThis.crypto?.subtle) return;
  const entries = [[CMDLINE, cmdline_sha256], [INITRD, initrd_sha256], [KERNEL, kernel_sha256]];
  const bytes = TABLE + "a800" + entries.map(([guid, hash]) => `${guid}3200${hash}`).join("");
  if ((await sha256(bytesOfHex(bytes.padEnd(2 * 176, "0")))) !== table) {
    throw refused(name, "a kernel, an initrd or a command line that is not in the measured table");
  }
  if (append !== null && (await sha256(new TextEncoder().encode(`${append}\0`))) !== cmdline_sha256) {
    throw refused(name, "a command line that is not the measured one");
  }
}

const refused = (name, what) => new NotMeasured(`This host shows ${what} (${name}): the host or its publisher is lying.`);
const sha256 = async (bytes) => hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));

// The checked values, labelled as on the command line. kernel: null if none was measured; absent: the text for that.
export function kernelFacts(kernel, absent) {
  if (kernel === null) return [["kernel hashes", absent]];
  return [
    ["kernel hashes", kernel.name],
    ["kernel SHA-256", kernel.kernel_sha256],
    ["initrd SHA-256", kernel.initrd_sha256],
    ["command line", kernel.append === null ? `not known; its SHA-256 is ${kernel.cmdline_sha256}` : quoted(kernel.append)],
  ];
}

// Quotes a text as Python's repr does: no character stays invisible.
export function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", [quote]: `\\${quote}` };
  const shown = (character) => named[character] ?? (character !== " " && NOT_PLAIN.test(character) ? escaped(character) : character);
  return quote + Array.from(text, shown).join("") + quote;
}

function escaped(character) {
  const code = character.codePointAt(0);
  const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${letter}${code.toString(16).padStart(digits, "0")}`;
}
