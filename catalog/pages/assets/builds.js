// The search among builds: rows that lack a word are hidden as you type. The words are kept in the address, after #q=.

const form = document.querySelector("#filter");
const input = form.querySelector("input");
const status = document.querySelector("#filtered");
const builds = [...document.querySelectorAll("table.builds tbody tr")].map((row) => ({
  row,
  key: row.dataset.key,
  text: [...row.cells].filter((cell) => !cell.classList.contains("hash")).map((cell) => cell.textContent).join(" ").toLowerCase(),
  hashes: row.dataset.hashes.split(" "),
}));
const covered = [...document.querySelectorAll("table.matrix tbody tr[data-key]")];
const total = builds.length.toLocaleString("en");

// Every word is in the names, the version or another text of a build, or one of its hashes begins with it.
function show() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean).map((word) => word.replace(/^0x|^sha(?:256|384):/, ""));
  const has = ({ text, hashes }) => words.every((word) => text.includes(word) || hashes.some((hash) => hash.startsWith(word)));
  for (const build of builds) build.row.hidden = !has(build);
  const found = builds.filter(({ row }) => !row.hidden);
  const keys = new Set(found.map(({ key }) => key));
  for (const row of covered) row.hidden = !keys.has(row.dataset.key);
  status.textContent = !words.length ? `${total} builds` : !found.length ? "No build has all these words."
    : `${found.length.toLocaleString("en")} of ${total} builds; Enter opens the first`;
  return found;
}

function fromLocation() {
  input.value = new URLSearchParams(location.hash.slice(1)).get("q") ?? "";
  show();
}

input.addEventListener("input", () => {
  show();
  history.replaceState(null, "", input.value ? `#q=${encodeURIComponent(input.value)}` : location.pathname + location.search);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [first] = show();
  if (input.value && first) first.row.querySelector("a").click();
});
document.addEventListener("keydown", (event) => {
  const first = document.querySelector("table.builds tbody tr:not([hidden]) a");
  if (event.key === "/" && event.target !== input) input.focus();
  else if (event.key === "Escape" && event.target === input) {
    input.value = "";
    input.dispatchEvent(new Event("input"));
  } else if (event.key === "ArrowDown" && event.target === input && first) first.focus();
  else return;
  event.preventDefault();
});
addEventListener("hashchange", fromLocation);
form.hidden = false;
fromLocation();
