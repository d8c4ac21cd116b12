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
  const valueOf = (cell) => Number(cell.dataset.value ?? NaN);
  const isKnown = (number) => !Number.isNaN(number);

  function compare(one, other) {
    const [a, b] = [valueOf(one), valueOf(other)];
    if (isKnown(a) && isKnown(b)) return a - b;
    if (isKnown(a) !== isKnown(b)) return isKnown(a) ? -1 : 1;
    return textOf(one).localeCompare(textOf(other));
  }
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const sign = heading.ariaSort === "descending" ? 1 : -1;
      headings.forEach((one) => one.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const sorted = [...body.rows].sort(
        (a, b) => sign * compare(a.cells[column], b.cells[column]),
      );
      body.append(...sorted);
    });
  });

  const squeezed = (text) => text.toLowerCase().replace(/[\s_]/g, "");
  const relations = {
    ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b,
    "=": (a, b) => a === b,
  };
  function conditionOf(word) {
    const found = word.match(/^(.+?)(>=|<=|>|<|=)(-?[\d.]+)$/);
    const column = found ? names.findIndex((n) => squeezed(n).startsWith(squeezed(found[1]))) : -1;
    if (column >= 0) {
      return (row) => relations[found[2]](valueOf(row.cells[column]), Number(found[3]));
    }
    const lower = word.toLowerCase();
    return (row) => [...row.cells].some((cell) => textOf(cell).toLowerCase().includes(lower));
  }
  const find = document.getElementById("find");
  function filter() {
    const conditions = find.value.trim().split(/\s+/).filter(Boolean).map(conditionOf);
    rows.forEach((row) => (row.hidden = !conditions.every((holds) => holds(row))));
    const left = rows.filter((row) => !row.hidden).length;
    document.getElementById("count").textContent = `${left} of ${rows.length}`;
  }
  find.addEventListener("input", filter);
  find.form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  function content(kind) {
    const shown = [...body.rows].filter((row) => !row.hidden);
    if (kind !== "csv") return shown.map((row) => records[kind][rows.indexOf(row)]).join("");
    const lines = shown.map((row) => [...row.cells].map((c) => c.dataset.value ?? textOf(c)));
    return [names, ...lines].map((line) => line.map(quoted).join(",") + "\n").join("");
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
