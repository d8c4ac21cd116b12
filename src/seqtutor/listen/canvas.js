"use strict";
// A small piano roll on which the beginning of a sequence is drawn: a column is a step. `tokens` is
// the list of the names of tokens; what is drawn is given to `changed`.
globalThis.canvasOf = (place, changed, said) => {
  const [left, row, column] = [34, 11, 17];
  const ns = "http://www.w3.org/2000/svg";
  let canvas = null;
  let columns = 0;
  let tokens = [];
  let here = { row: 0, step: 0 };
  let drag = null;
  let sound = null;

  const element = (name, attributes, within) => {
    const one = document.createElementNS(ns, name);
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    within.append(one);
    return one;
  };
  const rowOf = (token) => canvas.rows.findIndex((one) => one.token === token);

  // Each step as the row that sounds and whether it begins there; and back.
  function cellsOf() {
    let now = -1;
    return tokens.map((token) => {
      if (token === canvas.hold) return { row: now, starts: false };
      now = token === canvas.off ? -1 : rowOf(token);
      return { row: now, starts: now >= 0 };
    });
  }
  function tokensOf(cells) {
    let before = -1;
    let last = cells.length;
    while (last && cells[last - 1].row < 0) last -= 1;
    return cells.slice(0, last).map(({ row: now, starts }, step) => {
      const token =
        now < 0
          ? before >= 0 || step === 0 ? canvas.off : canvas.hold
          : starts || now !== before ? canvas.rows[now].token : canvas.hold;
      before = now;
      return token;
    });
  }

  function tone(index) {
    const hertz = canvas.rows[index]?.hertz;
    if (!hertz) return;
    sound ??= new AudioContext();
    const [source, gain] = [sound.createOscillator(), sound.createGain()];
    source.type = "triangle";
    source.frequency.value = hertz;
    gain.gain.setValueAtTime(0.15, sound.currentTime);
    gain.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + 0.3);
    source.connect(gain).connect(sound.destination);
    source.start();
    source.stop(sound.currentTime + 0.3);
  }

  function draw() {
    place.replaceChildren();
    const [width, height] = [left + column * columns, row * canvas.rows.length];
    const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, place);
    canvas.rows.forEach((one, index) => {
      const kind = one.is_dark ? "black" : "cell";
      element("rect", { class: kind, x: left, y: row * index, width: width - left, height: row }, svg);
    });
    element("rect", { class: "keys", x: 0, y: 0, width: left, height }, svg);
    canvas.rows.forEach((one, index) => {
      if (one.is_dark) return;
      const text = element("text", { x: left - 4, y: row * (index + 1) - 2, "text-anchor": "end" }, svg);
      text.textContent = one.label;
    });
    for (let step = 0; step <= columns; step += 1) {
      const from = step - canvas.upbeat;
      const isBar = from >= 0 && from % canvas.bar === 0;
      const kind = isBar ? "bar" : from % canvas.beat === 0 ? "beat" : "step";
      const x = left + column * step;
      element("path", { class: kind, d: `M${x},0V${height}` }, svg);
    }
    cellsOf().forEach(({ row: index, starts }, step, all) => {
      if (index < 0 || !starts) return;
      let end = step + 1;
      while (end < all.length && all[end].row === index && !all[end].starts) end += 1;
      const size = { x: left + column * step + 1, y: row * index + 1, width: column * (end - step) - 2, height: row - 2, rx: 2 };
      element("rect", { class: "note", ...size }, svg);
    });
    const at = { x: left + column * here.step, y: row * here.row, width: column, height: row };
    element("rect", { class: "here", ...at }, svg);
  }

  function paint(index, step, starts) {
    const cells = cellsOf();
    while (cells.length <= step) cells.push({ row: -1, starts: false });
    // What the cell belonged to begins anew after it.
    const next = cells[step + 1];
    if (next && next.row >= 0 && !next.starts && next.row !== index) next.starts = true;
    if (next && next.row === index && !next.starts && index >= 0 && starts && cells[step].row !== index) next.starts = true;
    cells[step] = { row: index, starts };
    tokens = tokensOf(cells);
    draw();
    changed(tokens);
  }
  function describe() {
    const cell = cellsOf()[here.step];
    const what = cell && cell.row >= 0 ? canvas.rows[cell.row].label : "nothing";
    // Those of an upbeat are the last ones of the bar that it completes.
    const from = here.step - canvas.upbeat + canvas.bar;
    const bar = Math.floor(from / canvas.bar);
    const beat = Math.floor((from % canvas.bar) / canvas.beat) + 1;
    const where = bar ? `bar ${bar}` : "the upbeat";
    said(`${canvas.rows[here.row].label}, ${where}, beat ${beat}, step ${(from % canvas.beat) + 1}; here sounds ${what}`);
  }

  function cellAt(event) {
    const box = place.firstChild.getBoundingClientRect();
    const step = Math.floor((event.clientX - box.left - left) / column);
    const index = Math.floor((event.clientY - box.top) / row);
    const inside = step >= 0 && step < columns && index >= 0 && index < canvas.rows.length;
    return inside ? { row: index, step } : null;
  }
  place.addEventListener("pointerdown", (event) => {
    const at = canvas && cellAt(event);
    if (!at || event.button) return;
    event.preventDefault();
    place.focus({ preventScroll: true });
    place.setPointerCapture(event.pointerId);
    const cell = cellsOf()[at.step];
    const erases = cell?.row === at.row;
    here = at;
    drag = { row: erases ? -1 : at.row, last: at.step, erases, pitch: at.row };
    paint(drag.row, at.step, !erases);
    if (!erases) tone(at.row);
    describe();
  });
  place.addEventListener("pointermove", (event) => {
    const at = drag && cellAt(event);
    if (!at || at.step === drag.last) return;
    for (let step = drag.last + 1; step <= at.step; step += 1) {
      if (!drag.erases || cellsOf()[step]?.row === drag.pitch) paint(drag.row, step, false);
    }
    drag.last = Math.max(drag.last, at.step);
  });
  for (const kind of ["pointerup", "pointercancel"]) place.addEventListener(kind, () => (drag = null));
  place.addEventListener("keydown", (event) => {
    if (!canvas) return;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key in moves) {
      const [up, along] = moves[event.key];
      const from = cellsOf()[here.step];
      here.row = Math.min(canvas.rows.length - 1, Math.max(0, here.row + up));
      here.step = Math.min(columns - 1, Math.max(0, here.step + along));
      if (event.shiftKey && along === 1 && from?.row >= 0) paint(from.row, here.step, false);
    } else if (event.key === " ") {
      paint(here.row, here.step, true);
      tone(here.row);
    } else if (event.key === "Backspace" || event.key === "Delete") {
      paint(-1, here.step, false);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    draw();
    place.querySelector(".here").scrollIntoView({ block: "nearest", inline: "nearest" });
    describe();
  });

  function fitted() {
    const least = Math.max(canvas.columns, tokens.length, columns) - canvas.upbeat;
    return canvas.upbeat + Math.ceil(least / canvas.bar) * canvas.bar;
  }
  return {
    // Another grid; what was drawn stays.
    use(one) {
      const isFirst = canvas === null;
      canvas = one;
      columns = fitted();
      here.row = Math.min(here.row || Math.floor(canvas.rows.length / 2), canvas.rows.length - 1);
      draw();
      if (isFirst) place.scrollTop = (row * canvas.rows.length - place.clientHeight) / 2;
    },
    show(given) {
      tokens = [...given];
      if (!canvas) return;
      columns = fitted();
      draw();
    },
    widen() {
      columns += canvas.bar;
      draw();
    },
  };
};
