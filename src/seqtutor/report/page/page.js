"use strict";
(() => {
  const { all } = cards;

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    closed.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((one) => (one.open = false)));

  all(".card").forEach(cards.wire);

  // The table of sequences: sorted by a heading, filtered, saved.
  const table = document.getElementById("listing");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headings = all("thead th", table);
  const names = headings.map((one) => one.textContent.trim());
  const records = JSON.parse(document.getElementById("records").textContent);
  const textOf = (cell) => cell.textContent.trim();
  const valueOf = (cell) => Number(cell.dataset.value || NaN);
  const isKnown = (number) => !Number.isNaN(number);

  // What has no number comes last in either direction.
  function compare(one, other, sign) {
    const [a, b] = [valueOf(one), valueOf(other)];
    if (isKnown(a) && isKnown(b)) return sign * (a - b);
    if (isKnown(a) !== isKnown(b)) return isKnown(a) ? -1 : 1;
    return sign * textOf(one).localeCompare(textOf(other));
  }
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const sign = heading.ariaSort === "descending" ? 1 : -1;
      headings.forEach((one) => one.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const sorted = [...body.rows].sort((a, b) =>
        compare(a.cells[column], b.cells[column], sign),
      );
      body.append(...sorted);
    });
  });

  const squeezed = (text) => text.toLowerCase().replace(/[\s_]/g, "");
  const relations = {
    ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
    "=": (a, b) => a === b,
  };
  // The column that a person means: its whole heading, its beginning, or a part of it.
  function columnOf(words) {
    const own = squeezed(words);
    const all = names.map(squeezed);
    const places = [all.indexOf(own), all.findIndex((n) => n.startsWith(own))];
    if (own.length > 2) places.push(all.findIndex((n) => n.includes(own)));
    return own ? (places.find((place) => place >= 0) ?? -1) : -1;
  }
  function relating(column, relation, value) {
    const [number, words] = [Number(value || NaN), squeezed(value)];
    if (!isKnown(number) && relation !== "=") return null;
    return (row) => {
      const cell = row.cells[column];
      if (relation === "=" && squeezed(textOf(cell)) === words) return true;
      return isKnown(number) && relations[relation](valueOf(cell), number);
    };
  }
  const contains = (words) => (row) =>
    [...row.cells].some((cell) => textOf(cell).toLowerCase().includes(words.toLowerCase()));

  // Words, "words in quotes", and headings with a number or, after =, a text: reward > 0,
  // largest ring>6, "for custom" >= 5, valid=no. What is none of them is told.
  function conditionsOf(text) {
    const words = text.replace(/\s*(>=|<=|>|<|=)\s*/g, "$1").match(/(?:"[^"]*"?|[^\s"])+/g) ?? [];
    const plain = [];
    const conditions = [];
    const unknown = [];
    const bare = (word) => word.replaceAll('"', "");
    for (const word of words) {
      const found = word.match(/^("[^"]*"|[^<>="]*)(>=|<=|>|<|=)(.*)$/);
      if (!found || (!(found[1] && found[3]) && rows.some(contains(bare(word))))) {
        plain.push(word);
        continue;
      }
      const [, heading, relation, value] = found;
      // A heading of several words: the longest that there is, ending here.
      let first = 0;
      const upTo = () => bare([...plain.slice(first), heading].join(" "));
      while (first < plain.length && columnOf(upTo()) < 0) first += 1;
      if (!heading || !value) {
        const missing = heading ? "a number after it" : "a heading before it";
        unknown.push(`${[...plain.splice(first), word].join(" ")} (${missing} is missing)`);
        continue;
      }
      const column = columnOf(upTo());
      const isExact = column >= 0 && squeezed(names[column]) === squeezed(upTo());
      // A text that is looked for may have = in it.
      const isNumber = isKnown(Number(bare(value) || NaN));
      const own = column >= 0 && (isNumber || isExact) ? relating(column, relation, bare(value)) : null;
      if (own) {
        plain.length = first;
        conditions.push(own);
      } else if (relation === "=" && rows.some(contains(bare(word)))) {
        plain.push(word);
      } else {
        unknown.push(word);
      }
    }
    return [[...conditions, ...plain.map(bare).filter(Boolean).map(contains)], unknown];
  }
  const find = document.getElementById("find");
  function filter() {
    const [conditions, unknown] = conditionsOf(find.value.trim());
    rows.forEach((row) => (row.hidden = !conditions.every((holds) => holds(row))));
    const left = rows.filter((row) => !row.hidden).length;
    const words = unknown.length ? `; not understood: ${unknown.join(", ")}` : "";
    document.getElementById("count").textContent = `${left} of ${rows.length}${words}`;
  }
  find.addEventListener("input", filter);
  find.form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  function content(kind) {
    const shown = [...body.rows].filter((row) => !row.hidden);
    if (kind !== "csv") return shown.map((row) => records[kind][rows.indexOf(row)]).join("");
    const lines = shown.map((row) => [...row.cells].map((c) => c.dataset.value ?? textOf(c)));
    // The mark tells Excel that it is UTF-8.
    return "\ufeff" + [names, ...lines].map((line) => line.map(quoted).join(",") + "\n").join("");
  }
  for (const button of all("[data-save]")) {
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([content(button.dataset.save)]));
      link.download = `sequences.${button.dataset.save}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }
})();
