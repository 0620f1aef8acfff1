// Several launch digests, one a line: a table with an answer for each.

import { Malformed } from "./bytes.js";

const MOST_LINES = 100;

// The rows of the table: [line, digest or null, class or null, answer]. lines: as of `readBatch`.
export async function answersOf(catalog, lines) {
  if (lines.length > MOST_LINES) {
    throw new Malformed(`this page looks up ${MOST_LINES} lines at once, and these are ${lines.length}`,
      "The command line takes 30,000: ldcat lookup FILE");
  }
  const rows = [];
  for (const { number, digest } of lines) {
    const answer = digest ? await answerOf(catalog, digest.digest) : ["withdrawn", "not a launch digest"];
    rows.push([number, digest && digest.digest, ...answer]);
  }
  return rows;
}

async function answerOf(catalog, digest) {
  const { matches } = await catalog.lookup(digest);
  const endorsed = Object.hasOwn(catalog.page.endorsed, digest) ? catalog.page.endorsed[digest] : null;
  if (!matches.length) {
    if (endorsed?.is_revoked) return ["revoked", "revoked; configuration not known"];
    return [null, endorsed?.is_endorsed ? "endorsed; configuration not known" : "not listed"];
  }
  const [{ technology, facts }] = matches;
  const more = matches.length === 1 ? "" : `, and ${matches.length - 1} more`;
  const revoked = matches.filter((match) => match.revoked === "revoked").length;
  const firmware = facts.find(([name]) => name === "firmware")[1];
  return [revoked === matches.length ? "revoked" : null,
    `${technology}: ${firmware}${more}${revoked ? `; ${revoked === matches.length ? "" : `${revoked} `}revoked` : ""}`];
}
