// Evidence in texts, read as catalog/evidence does: a digest on a line, dumps of bytes, and a digest in the text of a report.

import { Malformed, bytesOfHex, hexOf } from "./bytes.js";
import { fromBase64, fromHex, isHex, linesOf, stripped, withoutEnd, wordsOf } from "./codings.js";
import { isDigestSize, ofDigest } from "./members.js";
import { note } from "./notes.js";

const ALGORITHMS = { sha256: 32, sha384: 48 };
const [SHORTEST, LONGEST] = [43, 4096]; // characters of a line with a digest
const LONGEST_OF_DUMP = 1024;
const MOST_BYTES = 1 << 20; // that a dump may stand for
const [XXD, HEXDUMP, OD] = ["an xxd dump", "a hexdump -C dump", "an od dump"];
const A_TEXT = "a text";
const LABELS = {
  measurement: "the text of an attestation report",
  "launch digest": "the output of igvmmeasure",
  "launch measurement": A_TEXT,
};
const MOST_LINES = 12; // behind a label
const STATED = "only a text states this launch digest; nothing in the input proves it";

const isDigits = (text) => text.length === 64 || text.length === 96;

// The launch digest of one line; null for another line. Quotes around it, its algorithm before it, commas behind it, or a file
// name behind blanks do not matter.
export function digestOfLine(line) {
  if (line.length < SHORTEST || line.length > LONGEST) return null; // as most lines of what is no batch
  let text = stripped(withoutEnd(stripped(line), ",;"));
  if (text.length > 1 && `"'\``.includes(text[0]) && text.at(-1) === text[0]) text = stripped(text.slice(1, -1));
  const [digits = ""] = wordsOf(text), name = stripped(text.slice(digits.length));
  if (name && isDigits(digits) && isDigestSize(fromHex(digits)?.length)) {
    const isDigest = isDigits(name) && fromHex(name);
    return isDigest ? null : ofDigest(fromHex(digits), "launch digest in a list of checksums");
  }
  const colon = text.indexOf(":"), algorithm = text.slice(0, Math.max(colon, 0)).toLowerCase();
  if (Object.hasOwn(ALGORITHMS, algorithm)) {
    const [, value] = bareDigest(stripped(text.slice(colon + 1))) ?? [null, []];
    return value.length === ALGORITHMS[algorithm] ? ofDigest(value, "launch digest") : null;
  }
  const found = bareDigest(text);
  return found && ofDigest(found[1], found[0] === "hex" ? "launch digest" : `launch digest in ${found[0]}`);
}

// [coding, bytes] of a digest; null for another text.
function bareDigest(text) {
  const value = fromHex(text);
  const found = value ? ["hex", value] : fromBase64(text);
  return found && isDigestSize(found[1].length) ? found : null;
}

// [kind, bytes] of a dump as xxd, `hexdump -C` and `od -t x1` print it; null for another text.
export function dumped(text) {
  const lines = linesOf(text).map(stripped).filter((line) => line);
  const kind = lines.length > 1 ? kindOf(lines[0]) : null;
  if (!kind) return null;
  const isOctal = kind === OD && splitLine(lines[0])[0] === "0000000";
  const data = bytesOfLines(lines, kind, isOctal ? 8 : 16);
  if (data) return [kind, data];
  throw new Malformed(`the lines of ${kind} do not follow one another: dump the file again, and give all lines`);
}

// The parts of a line before and behind its first space.
function splitLine(line) {
  const at = line.indexOf(" ");
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
}

const offsetOf = (line) => withoutEnd(splitLine(line)[0], ":");

function kindOf(first) {
  const [offset, rest] = splitLine(first);
  if (!/^0{6,16}:*$/.test(offset)) return null;
  const kind = offset.endsWith(":") ? XXD : rest.includes("|") ? HEXDUMP : OD;
  return rowOf(first, kind).length ? kind : null;
}

// The bytes of a line; none for a line that is not of this kind.
function rowOf(line, kind) {
  const rest = splitLine(line)[1];
  const digits = wordsOf(kind === XXD ? stripped(rest).split("  ")[0] : rest.split("|")[0]).join("");
  return line.length <= LONGEST_OF_DUMP && /^(?:[0-9a-fA-F]{2})+$/.test(digits) ? bytesOfHex(digits) : new Uint8Array();
}

// The bytes of all lines; null if an offset is not where the bytes before it end. `*` stands for lines that repeat.
function bytesOfLines(lines, kind, base) {
  const data = new Uint8Array(2 * MOST_BYTES);
  let size = 0, row = new Uint8Array(), repeats = false;
  const add = (part) => {
    data.set(part, size);
    size += part.length;
  };
  for (const [number, line] of lines.entries()) {
    if (line === "*") {
      repeats = true;
      continue;
    }
    const offset = offsetOf(line);
    if (!(base === 16 ? /^[0-9a-fA-F]+$/ : /^[0-7]+$/).test(offset)) return null;
    const missing = parseInt(offset, base) - size;
    const canRepeat = repeats && row.length && missing > 0 && missing <= MOST_BYTES - size && missing % row.length === 0;
    if (missing && !canRepeat) return null;
    for (let left = missing; left; left -= row.length) add(row);
    [row, repeats] = [rowOf(line, kind), false];
    if (!row.length && number < lines.length - 1) return null; // only the last line may be an offset alone
    add(row);
  }
  return data.slice(0, size);
}

// The launch digest that a text states, behind its label or alone; null if it states none.
export function digestInText(text) {
  const lines = linesOf(text);
  let found = new Map(labelled(lines).map(([form, digest]) => [hexOf(digest), form]));
  if (!found.size) found = new Map(alone(text).map((digest) => [hexOf(digest), A_TEXT]));
  if (found.size > 1) {
    throw new Malformed(`the text has ${found.size} different launch digests, or hashes of their length: give the launch digest alone`);
  }
  for (const [digest, form] of found) {
    const notes = [note("digest-only-claimed", STATED)];
    return { ...ofDigest(bytesOfHex(digest), `launch digest in ${form}`), notes, claimedBy: A_TEXT };
  }
  return null;
}

function labelled(lines) {
  return lines.flatMap((line, number) => {
    const colon = line.indexOf(":"), label = stripped(line.slice(0, Math.max(colon, 0))).toLowerCase();
    if (!Object.hasOwn(LABELS, label)) return [];
    const digest = digestAt(line.slice(colon + 1), lines.slice(number + 1, number + 1 + MOST_LINES));
    return digest ? [[LABELS[label], digest]] : [];
  });
}

// The digest behind a label, on its line or on the lines after it up to the first that has more than hex digits.
function digestAt(rest, following) {
  let digits = wordsOf(rest).join("");
  for (const line of digits ? [] : following) {
    if (!stripped(line) && !digits) continue;
    if (!isHex(line)) break;
    digits += wordsOf(line).join("");
  }
  return isDigits(digits) ? onlyDigits(digits) : null;
}

// The words of a text that are as long as a digest, and hex.
function alone(text) {
  const words = [...text.matchAll(/[\p{L}\p{N}_]+/gu)].map(([word]) => word.replace(/^0x/, ""));
  return words.filter(isDigits).map(onlyDigits).filter((digest) => digest);
}

const onlyDigits = (text) => (/^[0-9a-fA-F]+$/.test(text) ? bytesOfHex(text) : null);
