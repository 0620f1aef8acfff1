// Evidence in an object of JSON, CBOR or MessagePack, found by the names of its members as catalog/evidence/forms/members.py does.

import { Malformed, bytesOfHex, hexOf } from "./bytes.js";
import { certificatesOfMembers, isByteList, isCertificateName, plainName } from "./certificates.js";
import { decoded } from "./codings.js";
import { goQuote, isGoQuote } from "./go_quote.js";
import { goReport, isGoReport } from "./go_report.js";
import { note } from "./notes.js";
import { ofConverted } from "./report.js";
import { isReportJson, reportFromJson } from "./report_json.js";
import { ofQuote } from "./tdx.js";

const MOST_MEMBERS = 10_000;
const DEEPEST = 16;
const CARRIERS = new Set(["report", "attestationreport", "hclreport", "snpreport", "quote", "evidence", "teeevidence", "rawreport",
  "outblob", "attestation", "instanceinfo", "idblock"]); // members with evidence as bytes
const MAA_CLAIM = "x-ms-sevsnpvm-launchmeasurement";
const CLAIMS = new Set(["xmssevsnpvmlaunchmeasurement", "measurement", "snp.measurement", "launchmeasurement", "launchdigest",
  "mrtd", "tdxmrtd", "tdx.quote.body.mrtd"]);
const TCBS = ["current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"]; // members of a report in JSON
const DIFFER = "the input states another launch digest than its report: that of the report is looked up";
const TECHNOLOGIES = { 32: ["sev", "sev-es"], 48: ["sev-snp", "tdx"] }; // by bytes of a digest

export const ofDigest = (digest, form) =>
  ({ form, digest: hexOf(digest), facts: [], notes: [], technologies: TECHNOLOGIES[digest.length], isDigest: true });

export const isDigestSize = (size) => Object.hasOwn(TECHNOLOGIES, size);

export const readFrom = (evidence, carrier) => ({ ...evidence, form: `${evidence.form} in ${carrier}` });

export const onlyClaimed = (by) =>
  note("digest-only-claimed", `only ${by} state this launch digest; nothing in the input proves it`);

// A report in JSON that lacks a member is refused: its measurement is no claim.
const isPartOfReport = (fields) => fields.has("measurement") && TCBS.some((name) => fields.has(name));

// The evidence in Maps; null if no member has any. what: what they are, such as "JSON". ofBytes: reads the bytes of a member;
// null for bytes that are no evidence.
export function ofMembers(objects, what, ofBytes) {
  const walk = new Walk(what, ofBytes);
  for (const one of objects) walk.object(one, 1);
  return walk.result();
}

class Walk {
  constructor(what, ofBytes) {
    Object.assign(this, { what, ofBytes, members: 0, found: [], claims: new Map(), certificates: [] });
  }

  object(fields, depth) {
    if (isGoReport(fields)) this.found.push(ofConverted(...goReport(fields), "attestation report"));
    else if (isReportJson(fields) || isPartOfReport(fields)) this.found.push(ofConverted(...reportFromJson(fields), "attestation report"));
    else if (isGoQuote(fields)) this.found.push(ofQuote(...goQuote(fields)));
    else {
      this.certificates.push(...certificatesOfMembers(fields));
      for (const [name, value] of fields) {
        if (!isCertificateName(name)) this.member(name, value, depth);
      }
    }
  }

  member(name, value, depth) {
    this.members += 1;
    if (this.members > MOST_MEMBERS || depth > DEEPEST) {
      throw new Malformed(`this ${this.what} has more than ${MOST_MEMBERS} members, or is nested too deeply`);
    }
    const known = plainName(name);
    if (value instanceof Map) return this.object(value, depth + 1);
    const data = CARRIERS.has(known) || CLAIMS.has(known) ? bytesOf(value) : null;
    if (data && CARRIERS.has(known)) {
      const one = this.ofBytes(data);
      if (one) this.found.push(one);
    } else if (data && CLAIMS.has(known) && isDigestSize(data.length)) {
      const digest = hexOf(data);
      if (!this.claims.has(digest)) this.claims.set(digest, name === MAA_CLAIM ? "MAA claims" : "claims");
    } else if (Array.isArray(value)) {
      for (const one of value) {
        if (one instanceof Map || Array.isArray(one)) this.member(null, one, depth + 1);
      }
    }
  }

  result() {
    if (this.found.some(({ measured }) => measured)) throw new Malformed("a launch measurement does not state its launch digest");
    if (new Set(this.found.map(({ raw, digest }) => (raw ? hexOf(raw) : digest))).size > 1) {
      throw new Malformed(`this ${this.what} has several different reports: give one of them`);
    }
    if (this.found.length) return this.read(this.found[0]);
    if (this.claims.size > 1) throw new Malformed(`this ${this.what} has several different launch digests: give one of them`);
    for (const [digest, claims] of this.claims) {
      const by = claims === "MAA claims" ? claims : `claims in ${this.what}`;
      return { ...ofDigest(bytesOfHex(digest), `launch digest in ${by}`), notes: [onlyClaimed(by)], claimedBy: by };
    }
    return null;
  }

  read(one) {
    const differs = [...this.claims.keys()].some((digest) => digest !== one.digest);
    const notes = differs ? [note("digests-differ", DIFFER)] : [];
    return { ...readFrom(one, this.what), certificates: [...(one.certificates ?? []), ...this.certificates],
      notes: [...one.notes, ...notes] };
  }
}

// The bytes of a member: bytes, text in hex or base64, or a list of numbers; null for anything else.
function bytesOf(value) {
  if (value instanceof Uint8Array) return value.length ? value : null;
  if (typeof value === "string") return decoded(value)?.[1] ?? null;
  return isByteList(value) ? Uint8Array.from(value, Number) : null;
}
