// Links to digests: with scripts they open the lookup page, which sends no host the digest.

const root = document.body.dataset.root;

for (const link of document.querySelectorAll("a[data-digest]")) {
  link.href = `${root}index.html#d=${link.dataset.digest}`;
}
