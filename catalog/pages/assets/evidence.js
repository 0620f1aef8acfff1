// Evidence, recognised as catalog/ask/evidence.py does: only the first bits of its digest leave the browser.

const REPORT_SIZE = 1184;
const MAX_EVIDENCE = 1 << 20;
const HOST_REQUESTED = 0xffffffff;
const VLEK = 1;
const HCL_FORM = "attestation report in an Azure HCL blob";
const TDX_QUOTE_SIZE = 48 + 584;
const TDX = "is of Intel TDX, on a platform without public firmware: ldcat knows launch digests of AMD SEV only";
const KNOWN =
  "accepted are: a launch digest in hex or base64; an attestation report of 1,184 bytes, raw, in hex or base64, as JSON of " +
  "the virtee crates or in an Azure HCL blob; LAUNCH_MEASURE data as printed by QMP or virsh domlaunchsecinfo";

export class Malformed extends Error {}

export const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function bytesOfHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

// What these bytes are: { form, digest: hex or null, facts: [[name, value]], notes: [text], measured: true for an HMAC,
// isReport, technologies: names of those that the report can be of }. A bare digest has neither of the last two.
export function sniff(bytes) {
  if (bytes.length > MAX_EVIDENCE) throw new Malformed(`this is larger than ${MAX_EVIDENCE} bytes`);
  const found = binary(bytes);
  if (found) return found;
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).trim();
  } catch {
    throw new Malformed(`this is not a launch digest, an attestation report or LAUNCH_MEASURE data: ${KNOWN}`);
  }
  if (text.startsWith("{")) return ofJson(text);
  if (text.includes("sev-measurement")) return ofLibvirt(text);
  const value = decoded(text.replace(/\s+/g, ""));
  if (value.length === 32 || value.length === 48) {
    return { form: "launch digest", digest: hexOf(value), facts: [], notes: [], measured: false };
  }
  const inner = binary(value);
  if (inner) return inner;
  throw new Malformed(`this is not a launch digest, an attestation report or LAUNCH_MEASURE data: ${KNOWN}`);
}

function binary(data) {
  const head = hexOf(data.subarray(0, 8));
  if (data.length >= TDX_QUOTE_SIZE && /^0[45]00....81000000$/.test(head)) throw new Malformed(`this quote ${TDX}`);
  if (hexOf(data.subarray(0, 4)) === "48434c41") {
    if (data[0x20] === 0x81) throw new Malformed(`the report in this Azure HCL blob ${TDX}`);
    return ofReport(data.subarray(0x20, 0x20 + REPORT_SIZE), HCL_FORM);
  }
  if (data.length >= 0x20 + REPORT_SIZE && hexOf(data.subarray(0, 8)) === "00000000a0040000") {
    return ofReport(data.subarray(0x20, 0x20 + REPORT_SIZE), "attestation report in a MSG_REPORT_RSP");
  }
  const hasVersion = data.length === REPORT_SIZE && !data[1] && !data[2] && !data[3];
  return hasVersion ? ofReport(data, "attestation report") : null;
}

// SEV-SNP ABI (56860), 7.3, ATTESTATION_REPORT: little-endian.
function ofReport(raw, form) {
  if (raw.length !== REPORT_SIZE) throw new Malformed(`an attestation report has ${REPORT_SIZE} bytes, not ${raw.length}`);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const version = view.getUint32(0, true);
  if (version < 2 || version > 5) throw new Malformed(`unknown attestation report version ${version}: known are 2 to 5`);
  return report(form, {
    version,
    guestSvn: view.getUint32(4, true),
    policy: view.getBigUint64(8, true),
    vmpl: view.getUint32(0x30, true),
    keys: view.getUint32(0x48, true),
    reportData: raw.subarray(0x50, 0x90),
    measurement: raw.subarray(0x90, 0xc0),
    hostData: raw.subarray(0xc0, 0xe0),
  });
}

function report(form, { version, guestSvn, policy, vmpl, keys, reportData, measurement, hostData }) {
  if (vmpl > 3 && vmpl !== HOST_REQUESTED) throw new Malformed(`invalid VMPL ${vmpl} (0 to 3)`);
  const notes = [];
  if ((policy >> 19n) & 1n) notes.push("the guest policy allows debugging: the host can read and change the guest's memory");
  if ((policy >> 18n) & 1n) {
    notes.push("the guest policy allows a migration agent, which can move the guest and has its secrets");
  }
  if (vmpl === HOST_REQUESTED) notes.push("this report was requested by the host, not by software in the guest");
  else if (vmpl) {
    notes.push(`the report is of VMPL ${vmpl}: something else, at VMPL 0, can be between it and the launch`);
  }
  if (((keys >> 2) & 7) === VLEK) {
    notes.push("the report is signed by a VLEK, a key of a cloud provider, whose firmware may not be public");
  }
  return {
    form,
    isOfAzure: form === HCL_FORM,
    digest: hexOf(measurement),
    facts: [
      ["version", `${version}`],
      ["launch digest", hexOf(measurement)],
      ["policy", `0x${policy.toString(16)}`],
      ["VMPL", vmpl === HOST_REQUESTED ? "requested by the host" : `${vmpl}`],
      ["guest SVN", `${guestSvn}`],
      ["REPORT_DATA", hexOf(reportData)],
      ["HOST_DATA", hexOf(hostData)],
    ],
    notes,
    measured: false,
    isReport: true,
    technologies: ["sev-snp"],
  };
}

function ofJson(text) {
  const merged = Object.assign({}, ...objectsOf(text));
  const names = ["version", "policy", "measurement", "signature"];
  if (names.every((name) => name in merged)) return ofReportJson(merged);
  if ("data" in merged) {
    return ofMeasurement(decoded(`${merged.data}`), Number.isInteger(merged.policy) ? merged.policy : null);
  }
  throw new Malformed(`this JSON is neither an attestation report nor LAUNCH_MEASURE data: ${KNOWN}`);
}

// One object, or several one after the other, as a QMP session prints them.
function objectsOf(text) {
  const found = [];
  for (const part of text.split(/(?<=\})\s*(?=\{)/)) {
    let value;
    try {
      value = JSON.parse(part);
    } catch (error) {
      throw new Malformed(`this looks like JSON, but is invalid: ${error.message}`);
    }
    for (const wrapping of ["return", "attestation_report"]) {
      if (value?.[wrapping] && typeof value[wrapping] === "object") value = value[wrapping];
    }
    found.push(value);
  }
  return found;
}

function ofReportJson(fields) {
  const number = (name, most) => {
    const value = fields[name] ?? 0;
    if (!Number.isInteger(value) || value < 0 || value > most) {
      throw new Malformed(`field ${name} of the report is not a number in range`);
    }
    return value;
  };
  const bytes = (name, size) => {
    const value = fields[name];
    const isHex = typeof value === "string" && /^([0-9a-f]{2})*$/i.test(value);
    const isList = Array.isArray(value) && value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256);
    const found = isHex ? bytesOfHex(value) : Uint8Array.from(isList ? value : []);
    if (found.length !== size) {
      throw new Malformed(`field ${name} of the report is not ${size} bytes, as hex or a list of numbers`);
    }
    return found;
  };
  const version = number("version", HOST_REQUESTED);
  if (version < 2 || version > 5) throw new Malformed(`unknown attestation report version ${version}: known are 2 to 5`);
  return report("attestation report", {
    version,
    guestSvn: number("guest_svn", HOST_REQUESTED),
    policy: BigInt(number("policy", Number.MAX_SAFE_INTEGER)),
    vmpl: number("vmpl", HOST_REQUESTED),
    keys: number("_author_key_en" in fields ? "_author_key_en" : "key_info", HOST_REQUESTED),
    reportData: bytes("report_data", 64),
    measurement: bytes("measurement", 48),
    hostData: bytes("host_data", 32),
  });
}

function ofLibvirt(text) {
  const said = Object.fromEntries([...text.matchAll(/^\s*(sev-[a-z-]+)\s*:\s*(\S+)\s*$/gm)].map((m) => [m[1], m[2]]));
  const policy = /^[0-9]+$/.test(said["sev-policy"] ?? "") ? Number(said["sev-policy"]) : null;
  return ofMeasurement(decoded(said["sev-measurement"] ?? ""), policy);
}

// SEV API (55766), LAUNCH_MEASURE: an HMAC under the TIK, which is never given to a page.
function ofMeasurement(value, policy) {
  if (value.length !== 32 && value.length !== 48) {
    throw new Malformed("the launch measurement is not 32 or 48 bytes in base64: a measurement, or one with its nonce");
  }
  const facts = [["measurement", hexOf(value.subarray(0, 32))]];
  if (value.length === 48) facts.push(["nonce", hexOf(value.subarray(32))]);
  const notes = [];
  if (policy !== null) {
    facts.push(["policy", `0x${policy.toString(16)}`]);
    if (!(policy & 1)) notes.push("the guest policy allows debugging: the host can read and change the guest's memory");
    if (!(policy & 2)) notes.push("the guest policy allows other guests to share its memory key");
    if (!(policy & 8)) notes.push("the guest policy allows the guest to be sent to another platform");
  }
  return { form: "launch measurement", digest: null, facts, notes, measured: true };
}

function decoded(text) {
  const hex = /^(?:0[xX])?((?:[0-9a-fA-F]{2})+)$/.exec(text);
  if (hex) return bytesOfHex(hex[1]);
  try {
    const value = atob(text);
    return btoa(value) === text ? Uint8Array.from(value, (character) => character.charCodeAt(0)) : new Uint8Array();
  } catch {
    return new Uint8Array();
  }
}
