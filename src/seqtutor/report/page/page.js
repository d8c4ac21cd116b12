"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Light or dark: the system's choice until the button is used.
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    closed.forEach((one) => (one.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((one) => (one.open = false)));

  // Parts of a sequence: the same part in every picture of a card, and its words below.
  function point(card, mark) {
    all(".hot", card).forEach((one) => one.classList.remove("hot"));
    all(`[data-mark="${mark}"]`, card).forEach((one) => one.classList.add("hot"));
    const words = card.querySelector(".words");
    words.textContent = card.querySelector(`.marks [data-mark="${mark}"]`).ariaLabel;
    words.classList.add("said");
  }
  for (const card of all(".card")) {
    const buttons = all(".marks button", card);
    if (!buttons.length) continue;
    for (const button of buttons) {
      const look = [...button.classList];
      for (const part of all(`.picture [data-mark="${button.dataset.mark}"]`, card)) {
        part.classList.add(...look);
        part.style.setProperty("--tint", button.style.getPropertyValue("--tint"));
      }
    }
    for (const kind of ["pointerover", "focusin"]) {
      card.addEventListener(kind, (event) => {
        const part = event.target.closest("[data-mark]");
        if (part) point(card, part.dataset.mark);
      });
    }
    card.querySelector(".marks").addEventListener("keydown", (event) => {
      const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      const here = buttons.indexOf(document.activeElement);
      let there = { Home: 0, End: buttons.length - 1 }[event.key];
      if (event.key in moves) there = (here + moves[event.key] + buttons.length) % buttons.length;
      if (there === undefined || here < 0) return;
      event.preventDefault();
      buttons[here].tabIndex = -1;
      buttons[there].tabIndex = 0;
      buttons[there].focus();
    });
  }

  // One sound at a time, with a line in the pictures that moves along.
  const sounds = all("audio");
  for (const sound of sounds) {
    const cursors = all("[data-cursor]", sound.closest(".card"));
    const move = () => {
      for (const cursor of cursors) {
        const { start, end, seconds } = cursor.dataset;
        const share = Math.min(1, sound.currentTime / Number(seconds));
        const x = Number(start) + share * (Number(end) - Number(start));
        cursor.setAttribute("transform", `translate(${x},0)`);
        cursor.style.visibility = "visible";
      }
      if (!sound.paused) requestAnimationFrame(move);
    };
    sound.addEventListener("play", () => {
      sounds.forEach((other) => other !== sound && other.pause());
      move();
    });
    sound.addEventListener("ended", () => cursors.forEach((one) => (one.style.visibility = "")));
  }

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
