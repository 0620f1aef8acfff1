// The page: evidence that is pasted or dropped is read here; the host is asked for one range of the catalog, no more.

import { answersOf } from "./batch.js";
import { Malformed } from "./bytes.js";
import { alert, commandOf, make, noted, part, warned } from "./elements.js";
import { readBatch, sniff } from "./evidence.js";
import { exportsPart, notExported } from "./exports.js";
import { NotMeasured } from "./kernels.js";
import "./links.js";
import { cannotVerify, prove } from "./log.js";
import { dangers, firstTexts, note, sentence, sharedDangers } from "./notes.js";
import { Catalog, FRAGMENT, Unreachable, revocationOf } from "./rows.js";
import { NotProven } from "./signers.js";

const form = document.querySelector("#lookup");
const input = form.querySelector("textarea");
const file = form.querySelector("input[type=file]");
const out = document.querySelector("#answer");
const root = document.body.dataset.root;
const routes = out.dataset.exports ?? null;
const CLAIMS = "Names, where a build was published, whether it launches and what it enforces are the publisher's claims: " +
  "no hash proves them.";
const LISTED = `A range has the first ${FRAGMENT} bytes of each digest; the whole digest is compared when a row is verified.`;
const ENDORSED = "Only this host's word says who endorses it, and that no row has this digest. The command line verifies the catalog:";
const STALE = "This release is stale: its newest cosignature is older than max-age. Its publisher may have a newer one.";
const ABOUT_BUILD = "Origin, launchability and memory map of this build";
let opened = null;
let asked = 0;

const fetched = () => (opened ??= Catalog.open(root).catch((error) => { opened = null; throw error; }));

async function answer(bytes) {
  const number = ++asked;
  const shown = await answered(bytes).catch((error) => {
    if (![Malformed, NotMeasured, Unreachable].some((kind) => error instanceof kind)) console.error(error);
    const hint = error.hint ? [make("p", { class: "hint" }, error.hint)] : [];
    return [make("h2", { tabindex: "-1" }, "No answer"), warned(error instanceof Malformed ? sentence(error.message) : error.message, { role: "alert" }), ...hint];
  });
  if (number !== asked) return; // another lookup was started meanwhile
  out.replaceChildren(...shown);
  out.querySelector("h2").focus();
}

async function answered(bytes) {
  const lines = readBatch(bytes);
  const evidence = lines.length ? null : sniff(bytes);
  out.replaceChildren(make("p", { role: "status" }, "Looking it up\u2026"));
  if (!evidence) return batch(lines);
  const told = evidence.form === "launch digest" ? [] : part(`Read: ${evidence.form}`, evidence.facts, evidence.notes,
    evidence.measured ? [] : dangers(evidence.notes));
  if (evidence.measured) return [make("h2", { tabindex: "-1" }, "A launch measurement"), ...told, ...measured()];
  const catalog = await fetched();
  checkFresh(catalog.page.release?.fresh_until);
  const { digest } = evidence;
  const { matches, notes: unknown } = await catalog.lookup(digest);
  const found = !evidence.isDigest ? matches.filter(({ technology }) => evidence.technologies.includes(technology)) : matches;
  history.replaceState(null, "", `#d=${digest}`);
  const endorsed = Object.hasOwn(catalog.page.endorsed, digest) ? catalog.page.endorsed[digest] : null;
  const known = found.filter(({ image }) => image !== null);
  const inferred = found.filter(({ image }) => image === null);
  const revoked = found.length === 0 && endorsed?.is_revoked;
  const title = found.length === 0 ? withoutMatch(endorsed)
    : known.length === 0 ? "This launch digest follows from a published one; its firmware is not known"
    : known.length === 1 ? "One configuration is listed with this launch digest"
    : `${known.length} configurations are listed with this launch digest`;
  return [
    make("h2", { tabindex: "-1", class: revoked ? "revoked" : null }, title),
    make("p", { class: "digest mono" }, digest),
    ...(evidence.isReport ? [notVerified(evidence)] : []),
    ...(told.length ? dangers(evidence.notes) : []).map(({ text }) => alert(text)),
    ...firstTexts(known, [...inferred.map((row, at) => ({ ...row, title: inferredTitle(at, inferred) })), ...(endorsed?.told ?? [])]).map(alert),
    make("p", { class: "note" }, asking(catalog)),
    ...unknown.map((one) => noted(one)),
    ...(found.length ? hit() : endorsed?.is_endorsed ? [make("p", {}, ENDORSED)] : missed(evidence)),
    ...told,
    ...known.map((match, at) => shownMatch(catalog, match, digest, `match ${at + 1} of ${known.length}: ${match.technology}`,
      sharedDangers(known.map((one) => one.notes)))),
    ...inferred.map((row, at) => shownMatch(catalog, row, digest, inferredTitle(at, inferred), [])),
    ...[known, inferred].filter((rows) => rows.length > 1).map((rows) => noted(several(rows))),
    ...(endorsed?.told ?? []).map((one) =>
      make("section", { class: `match told ${one.severity}` }, ...part(one.title, one.facts, one.notes))),
    ...(endorsed?.notes ?? []).map((one) => noted(one)),
    ...(found.length || endorsed ? [exportsPart(catalog.page, digest, notExported(catalog.page, found, endorsed), found[0]?.record, routes, `--catalog ${verified()}`)] : []),
    tools(digest, catalog.page.release && endorsed),
  ];
}

const inferredTitle = (at, rows) => `inferred ${at + 1} of ${rows.length}, firmware not known: ${rows[at].technology}`;

const several = (rows) => note("several-configurations",
  `${rows.length} configurations have this digest: it does not say which of them was launched`);

// That a page verifies no signature, and the command line that does.
function notVerified({ certificates }) {
  const came = certificates.length === 0 ? "its signature is not verified here: "
    : `${certificates.length === 1 ? "a certificate" : `${certificates.length} certificates`} came with it; signatures are not verified here: `;
  return noted({ severity: "warning", text: came },
    commandOf(`ldcat lookup report.bin ${certificates.length ? "" : "--certs DIR "}--catalog`, verified()));
}

// Several digests, one a line.
async function batch(lines) {
  const catalog = await fetched();
  checkFresh(catalog.page.release?.fresh_until);
  const rows = await answersOf(catalog, lines);
  history.replaceState(null, "", location.pathname + location.search);
  const heads = ["line", "launch digest", "answer"].map((name) => make("th", { scope: "col" }, name));
  return [
    make("h2", { tabindex: "-1" }, `${rows.length} lines, each with an answer`),
    make("p", { class: "note" }, asking(catalog, "each digest")),
    make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Answers" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows.map(rowOf)))),
    make("p", {}, `Each digest leads to its whole answer. ${CLAIMS}`),
  ];
}

function rowOf([line, digest, severity, answer]) {
  const shown = digest ? make("a", { href: `#d=${digest}`, title: digest }, digest) : "";
  return make("tr", {}, make("td", { class: "count" }, `${line}`), make("td", { class: "mono" }, shown),
    make("td", {}, make(severity ? "b" : "span", { class: severity }, answer)));
}

function withoutMatch(endorsed) {
  return endorsed?.is_endorsed ? endorsed.title : "No configuration of this catalog has this launch digest";
}

// What the host was asked; whose: digests.
function asking(catalog, whose = "the digest") {
  const bits = catalog.prefixBits;
  const rows = Math.round(catalog.page.rows / 2 ** bits).toLocaleString("en");
  const asked = bits === 0 ? "for all rows of its small catalog, and cannot tell which of them you looked up"
    : `for the rows of the first ${bits} bits of ${whose}, and cannot tell which of about ${rows} rows you looked up`;
  return `This host was asked ${asked}. Its answer is only its word until a row is verified.`;
}

// Warns above the form if a release is stale. until: seconds since 1970; 0 or undefined if that is not known.
function checkFresh(until) {
  document.querySelector("#stale").replaceChildren(...(until && Date.now() / 1000 > until ? [warned(STALE)] : []));
}

function hit() {
  const told = [make("p", {}, `A match says what was launched, not that it can be trusted. ${LISTED} ${CLAIMS}`)];
  if (cannotVerify()) told.push(warned(`Kernels are not verified against the measured hashes: ${cannotVerify()}`));
  return told;
}

function missed(evidence) {
  if (evidence.isOfAzure) return [make("p", {}, "Only this host's word says that no row has this digest. The report is of an Azure " +
    "confidential VM: Microsoft publishes neither its firmware nor its launch digests, so no search can find the configuration.")];
  return [make("p", {}, "Only this host's word says that no row has this digest. To find out what differs from the expected launch: "),
    commandOf("ldcat explain DIGEST --catalog", verified())];
}

function measured() {
  return [
    make("p", {}, "It is an HMAC under the TIK of the launch: only somebody who has the TIK can find the digest. " +
      "Do not give a TIK to a page; this command asks the same catalog and keeps the TIK where it is:"),
    commandOf("ldcat lookup measurement.json --tik tik.bin --catalog", verified()),
  ];
}

function shownMatch(catalog, match, digest, title, hidden) {
  const proof = make("div", { class: "proof" });
  if (catalog.page.release && catalog.page.trust) {
    const button = make("button", { type: "button", click: () => verify(catalog, match, digest, proof, button) },
      "Verify that the log has this row");
    proof.append(button, make("span", { class: "hint" }, " This asks for parts of the log near the row, and so shows the host which row it is."));
  } else {
    proof.append(make("p", { class: "hint" }, catalog.page.release
      ? "This page came without keys, so it cannot verify the log."
      : "This catalog is not published in a log, so nothing proves that it has this row."));
  }
  return make("section", { class: `match ${match.revoked ?? ""}` }, ...part(title, match.facts, match.notes, hidden),
    match.image ? make("p", {}, make("a", { href: `${root}builds/${match.image}.html` }, ABOUT_BUILD)) : "", proof);
}

async function verify(catalog, match, digest, place, button) {
  button.disabled = true;
  button.textContent = "Verifying\u2026";
  try {
    const proven = await prove(catalog, match.leaf);
    const status = revocationOf(match.record, proven.revocations);
    if (status?.severity === "revoked") { // the host did not say so
      const why = catalog.page.exports.rules[catalog.page.exports.revoked];
      out.querySelector(".use").replaceWith(exportsPart(catalog.page, digest, why));
    }
    place.replaceChildren(
      ...(status ? [make("p", { class: "warn danger", role: "alert" },
        `The log says of this row: ${status.severity} by its publisher: ${status.reason}`)] : []),
      make("p", { class: "warn ok proven" }, make("b", {}, "Verified in this browser: "),
        `row ${proven.index + 1} of ${proven.size} leaves of the log ${proven.origin}, ` +
        `${status ? "" : "not revoked, "}signed by ${proven.signers.join(", ")}; fresh until ${new Date(proven.fresh * 1000).toISOString().slice(0, 19)}Z.`),
      ...(proven.isNewest ? [] : [warned("The log has a newer release than this page: reload the page.")]),
      make("p", { class: "hint" }, "The row was verified with keys that came with this page: trust it as much as you trust the host of the page. " +
        "The log has hashes of builds; their names are only this host's word. To verify with keys of your own: "),
      commandOf(`ldcat verify-proof ${nameOf(digest)} --trust`, "trust.note"),
      make("p", {}, make("a", {
        href: URL.createObjectURL(new Blob([proven.bundle], { type: "application/json" })),
        download: nameOf(digest),
      }, "Download the proof")),
    );
  } catch (error) {
    if (!(error instanceof NotProven || error instanceof Unreachable)) console.error(error);
    place.replaceChildren(make("p", { class: "warn danger", role: "alert" }, make("b", {}, "NOT VERIFIED: "), error.message));
  }
}

const nameOf = (digest) => `${digest.slice(0, 16)}.proof.json`;
// The catalog, with the option that a published one is verified with.
const verified = () => `${catalogUrl()}${"published" in out.dataset ? " --trust trust.note" : ""}`;
const catalogUrl = () => new URL(root || ".", document.baseURI).href.replace(/\/$/, "");

function tools(digest, canProve) {
  return make("p", { class: "tools" },
    make("a", { href: `#d=${digest}` }, "Permalink"), " ",
    make("span", { class: "hint" }, "the part after # is sent to no host"),
    commandOf(`ldcat lookup ${digest} --catalog`, verified()),
    ...(canProve ? [commandOf(`ldcat prove ${digest} --catalog`, catalogUrl())] : []));
}

async function answerFile(chosen) {
  if (chosen.size > 1 << 20) return answer(new Uint8Array((1 << 20) + 1));
  return answer(new Uint8Array(await chosen.arrayBuffer()));
}

function fromLocation() {
  const digest = new URLSearchParams(location.hash.slice(1)).get("d");
  if (!digest) return;
  input.value = digest;
  answer(new TextEncoder().encode(digest));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  answer(new TextEncoder().encode(input.value));
});
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    form.requestSubmit();
  }
});
file.addEventListener("change", () => file.files.length && answerFile(file.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files.length) answerFile(event.dataTransfer.files[0]);
  else answer(new TextEncoder().encode(event.dataTransfer.getData("text/plain")));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(TEXTAREA|INPUT|SELECT)$/.test(event.target.tagName)) {
    event.preventDefault();
    input.focus();
  }
});
addEventListener("hashchange", fromLocation);
checkFresh(document.querySelector("time[data-until]")?.dataset.until);
for (const hidden of form.querySelectorAll("[data-scripts]")) hidden.hidden = false;
if (cannotVerify()) console.warn(cannotVerify());
fromLocation();
