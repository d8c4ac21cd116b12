"use strict";
(async () => {
  const { all, wire } = cards;
  const by = (id) => document.getElementById(id);
  const made = (name, properties = {}, ...children) => {
    const one = Object.assign(document.createElement(name), properties);
    one.append(...children);
    return one;
  };

  const counted = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;
  const times = (number) => counted(number, "time");

  // Requests: JSON both ways; an error is one line of text.
  async function ask(path, content, method = "POST") {
    const isFile = content instanceof Blob;
    const request = content === undefined ? { method: "GET" } : { method, body: isFile ? content : JSON.stringify(content) };
    if (method === "DELETE") request.method = "DELETE";
    const answer = await fetch(path, request).catch(() => null);
    if (!answer) throw new Error("The server does not answer; is it still running?");
    const text = await answer.text();
    let found;
    try {
      found = JSON.parse(text);
    } catch {
      found = { error: text.trim() };
    }
    if (!answer.ok) throw new Error(found.error || `The server answers ${answer.status}.`);
    return found;
  }
  const sentence = (text) => text && text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
  function complain(error) {
    by("error").hidden = !error;
    by("error").textContent = error ? sentence(error.message) : "";
    if (error) by("status").textContent = "";
  }
  let isBusy = false;
  async function working(button, words, work) {
    if (isBusy) return;
    isBusy = true;
    button.setAttribute("aria-disabled", "true");
    complain(null);
    by("status").textContent = words;
    try {
      await work();
    } catch (error) {
      complain(error);
    } finally {
      isBusy = false;
      button.removeAttribute("aria-disabled");
    }
  }

  // On a narrow screen what is seldom changed is folded away.
  const isNarrow = matchMedia("(max-width: 56rem)");
  for (const name of ["opening", "taught"]) by(name).open = !isNarrow.matches;

  const state = await ask("/api/state");
  for (const note of state.notes) by("notes").append(made("p", { className: "remark", textContent: note }));
  const { notes, keys } = state.explained;
  by("explained").hidden = !notes.length && !keys.length;
  for (const key of keys) {
    const picture = made("div", { className: `picture ${key.ink}`, role: "img", ariaLabel: key.alt });
    picture.innerHTML = key.svg;
    by("explained").append(picture);
  }
  for (const note of notes) by("explained").append(made("p", { className: "quiet hint", textContent: note }));
  by("number").max = state.most;
  by("seed").max = state.seeds;
  by("seed").value = 1 + Math.floor(Math.random() * 9999);

  // Who writes.
  const saved = (name, value) => {
    try {
      if (value !== undefined) localStorage.setItem(`listen-${name}`, value);
      return localStorage.getItem(`listen-${name}`);
    } catch {
      return null;
    }
  };
  state.sources.forEach((one, place) => {
    const input = made("input", { type: "radio", name: "source", value: one.title, checked: place === 0 });
    by("sources").append(made("label", { className: "pick" }, input, made("span", { textContent: one.title })));
    for (const name of ["first", "second"]) by(name).append(made("option", { textContent: one.title }));
  });
  by("second").selectedIndex = Math.min(1, state.sources.length - 1);
  by("tab-blind").hidden = state.sources.length < 2;
  const source = () => state.sources.find((one) => one.title === by("panel").elements.source.value);

  // How it is shown.
  const how = {};
  const ofBeginning = new Set(); // Names of controls that the beginning has set.
  function showControls() {
    showChoices(by("controls"), source().controls, how, (name) => {
      ofBeginning.delete(name);
      showCanvas();
    });
    by("showing").hidden = !source().controls.length;
  }
  // Inputs for controls; what is chosen goes into `values`, and then `changed` is told.
  function showChoices(place, controls, values, changed) {
    place.replaceChildren();
    for (const one of controls) {
      values[one.name] ??= one.default;
      let input;
      if (one.kind === "choice") {
        if (!one.options.includes(values[one.name])) values[one.name] = one.default;
        input = made("select", {}, ...one.options.map((text) => made("option", { textContent: text })));
      } else if (one.kind === "words") {
        const list = made("datalist", { id: `offers-${one.name}` });
        input = made("input", { type: "text", autocomplete: "off" });
        input.setAttribute("list", list.id);
        place.append(list);
      } else {
        input = made("input", { type: "number", min: one.least, max: one.most, step: one.step });
      }
      input.name = one.name;
      input.value = values[one.name];
      input.addEventListener("change", () => {
        if (!input.checkValidity()) return input.reportValidity();
        values[one.name] = one.kind === "amount" ? Number(input.value) : input.value;
        changed(one.name);
      });
      place.append(made("label", { textContent: `${one.title} ` }, input));
    }
    const names = controls.map((one) => one.name);
    Object.keys(values).forEach((name) => names.includes(name) || delete values[name]);
  }
  function setHow(given) {
    for (const [name, value] of Object.entries(given)) {
      if (!(name in how) || how[name] === value) continue;
      how[name] = value;
      ofBeginning.add(name);
    }
    showControls();
  }

  // What it was taught.
  function showWeights() {
    const { weights, facts } = source();
    const largest = Math.max(...Object.values(weights).map(Math.abs), 1e-9);
    const bars = made("div", { className: "bars" });
    for (const [name, weight] of Object.entries(weights)) {
      const bar = made("span", { className: weight ? "bar" : "bar off" });
      bar.style.width = weight ? `${(100 * Math.abs(weight)) / largest}%` : "1rem";
      bars.append(made("span", { textContent: name.replaceAll("_", " ") }), bar, made("span", { textContent: String(+weight.toFixed(3)) }));
    }
    const facts_ = made("dl", { className: "facts" });
    for (const [name, fact] of Object.entries(facts)) {
      facts_.append(made("div", {}, made("dt", { textContent: name }), made("dd", { textContent: fact })));
    }
    const words = Object.keys(weights).length ? "Weights of the rules:" : "It was taught no rules with weights.";
    by("weights").replaceChildren(made("p", { className: "quiet hint", textContent: words }), bars, facts_);
  }

  function showLengths() {
    const { lengths, length, ends } = source();
    const before = Number(by("length").value) || length;
    by("length").replaceChildren(
      ...lengths.map((one) => made("option", { value: one, textContent: `${ends ? "up to " : ""}${one}` })),
    );
    by("length").value = lengths.includes(before) ? before : length;
  }
  let isLengthened = false; // Because the beginning is long.
  by("length").addEventListener("change", () => (isLengthened = false));

  // How it begins.
  let primer = [];
  let names = {}; // Of the model's tokens, as they are called in what is heard.
  const textOf = (tokens) => tokens.map((token) => names[token] ?? token).join(source().separator);
  let reading = Promise.resolve(); // What was typed or chosen last, until it is the primer.
  let unread = null; // Why it is not.
  const canvas = canvasOf(by("canvas"), (tokens) => setPrimer(tokens, "drawn"), (words) => (by("canvas-said").textContent = words));
  let accepted = null; // The file that the beginning is of.
  function showFile(file) {
    const holder = new DataTransfer();
    if (file) holder.items.add(file);
    by("file").files = holder.files;
  }
  function setPrimer(tokens, from, file = null) {
    primer = tokens;
    unread = null;
    if (from !== "drawn") canvas.show(tokens);
    by("primer").value = textOf(tokens);
    if (!["kept", "refused"].includes(from)) accepted = file;
    showFile(accepted);
    const room = source().lengths.find((one) => one > tokens.length);
    if (tokens.length >= Number(by("length").value) && room) {
      by("length").value = room;
      isLengthened = true;
    }
    const given = counted(tokens.length, "given token");
    by("primer-said").textContent = tokens.length ? `Begins with ${given}.` : "Begins by itself.";
    by("pair-said").textContent = tokens.length ? `Both begin with the same ${given}.` : "Each begins by itself.";
  }
  // What a beginning has set goes with it.
  function beginByItself() {
    for (const one of source().controls) if (ofBeginning.has(one.name)) how[one.name] = one.default;
    ofBeginning.clear();
    showControls();
    showCanvas();
    if (isLengthened) by("length").value = source().length;
    isLengthened = false;
    complain(null);
    readings += 1;
    setPrimer([], "cleared");
  }
  let canvases = 0; // That were asked for: an answer that is late is not shown.
  async function showCanvas() {
    canvases += 1;
    const own = canvases;
    const found = await ask("/api/canvas", { source: source().title, how }).catch(() => null);
    if (own !== canvases) return;
    const grid = found?.canvas;
    names = found?.names ?? {};
    by("canvas-place").hidden = by("wider").hidden = !grid;
    by("typed").textContent = `${grid ? "Or typed" : "Typed"}, token by token`;
    if (grid) canvas.use(grid);
    if (!unread && document.activeElement !== by("primer")) by("primer").value = textOf(primer);
  }
  let readings = 0; // Of beginnings: the last one counts.
  function readOpening(work, from, file) {
    readings += 1;
    reading = taken(work, from, file, readings);
  }
  async function taken(work, from, file, own) {
    try {
      complain(null);
      const found = await work();
      if (own !== readings) return;
      setHow(found.how);
      for (const list of all("datalist", by("reading"))) {
        const offered = found.offers[list.id.replace("offers-", "")] ?? [];
        list.replaceChildren(...offered.map((text) => made("option", { value: text })));
      }
      await showCanvas();
      setPrimer(found.tokens, from, file);
      for (const note of found.notes) by("primer-said").textContent += ` ${sentence(note)}`;
    } catch (error) {
      if (own !== readings) return;
      complain(error);
      if (from === "typed") {
        unread = error;
        by("primer-said").textContent = sentence(error.message);
      } else {
        // A file that is refused changes nothing.
        setPrimer(primer, "refused");
        by("primer-said").textContent = `${sentence(error.message)} ${by("primer-said").textContent}`;
      }
    }
  }
  by("primer").addEventListener("change", () => {
    const text = by("primer").value;
    if (!text.trim()) return beginByItself();
    readOpening(() => ask("/api/opening", { source: source().title, text, how }), "typed");
  });
  const ofFile = {}; // How a file is read.
  function showReading() {
    showChoices(by("reading"), source().reading, ofFile, () => readFile(by("file").files[0]));
    by("reading").hidden = !source().reading.length;
  }
  function readFile(file) {
    if (!file) return;
    const query = new URLSearchParams({
      source: source().title, name: file.name.slice(-60), how: JSON.stringify({ ...how, ...ofFile }),
    });
    readOpening(() => ask(`/api/file?${query}`, file), "file", file);
  }
  by("file").addEventListener("change", () => readFile(by("file").files[0]));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      by("drop").classList.toggle("over", kind === "dragover");
      if (kind !== "drop" || !event.dataTransfer.files.length) return;
      showFile(event.dataTransfer.files[0]);
      readFile(event.dataTransfer.files[0]);
    });
  }
  by("clear").addEventListener("click", beginByItself);
  by("wider").addEventListener("click", () => canvas.widen());

  async function showSource() {
    showControls();
    showReading();
    showWeights();
    showLengths();
    saved("source", source().title);
    await showCanvas();
  }
  by("sources").addEventListener("change", async () => {
    await showSource();
    setPrimer(primer, "kept");
  });
  by("temperature").addEventListener("input", () => {
    by("temperature-value").textContent = by("temperature").value;
  });

  // What is asked for.
  async function wish() {
    await reading;
    if (unread) throw new Error(`${sentence(unread.message)} Correct the beginning, or press “Begin by itself”.`);
    if (by("fresh").checked && hasGenerated) by("seed").value = 1 + Math.floor(Math.random() * 999_999);
    for (const input of [by("number"), by("seed")]) {
      if (!input.checkValidity()) throw new Error(`${input.closest("label").firstChild.textContent.trim()}: ${input.validationMessage}`);
    }
    hasGenerated = true;
    return {
      source: source().title,
      temperature: Number(by("temperature").value),
      length: Number(by("length").value),
      seed: Number(by("seed").value),
      valid_only: Boolean(by("valid")?.checked),
      primer,
      how,
    };
  }
  let hasGenerated = false;
  const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(2)} s`;

  // Cards of samples.
  const samples = new WeakMap();
  let current = null;
  let keptIds = new Set();
  const soundOf = (card) => card?.querySelector("audio");
  function choose(card, isFocused = true) {
    current?.classList.remove("current");
    current = card;
    card?.classList.add("current");
    if (card && isFocused) card.scrollIntoView({ block: isNarrow.matches ? "start" : "nearest" });
  }
  function cardOf(one, within) {
    const holder = made("div");
    holder.innerHTML = one.card;
    const card = holder.firstElementChild;
    within.append(card);
    wire(card);
    samples.set(card, one);
    all(".marks button", card).forEach((button, place) => {
      if (one.ends && one.ends[place] && one.ends[place] <= one.primed) button.classList.add("given");
    });
    for (const kind of ["focusin", "pointerdown"]) card.addEventListener(kind, () => choose(card, false));
    soundOf(card)?.addEventListener("play", () => choose(card, false));
    return card;
  }
  function addActions(card) {
    const one = samples.get(card);
    const keep = made("button", { type: "button", className: "keep", textContent: "★ Keep" });
    const setKept = (is) => {
      keep.setAttribute("aria-pressed", is);
      keep.textContent = is ? "★ Kept" : "☆ Keep";
    };
    setKept(keptIds.has(one.id));
    keep.addEventListener("click", async () => {
      try {
        const was = keptIds.has(one.id);
        if (was) await ask(`/api/favourites/${encodeURIComponent(one.id)}`, {}, "DELETE");
        else await ask("/api/favourites", { id: one.id });
        if (was) keptIds.delete(one.id);
        else keptIds.add(one.id);
        setKept(!was);
        await countKept();
        by("status").textContent = was ? `${one.title} is no favourite any more.` : `${one.title} is kept.`;
      } catch (error) {
        complain(error);
      }
    });
    const go = made("button", { type: "button", className: "go", textContent: "Go on from it" });
    go.title = "Its tokens, up to the part that is pointed at, become the beginning of new ones";
    go.addEventListener("click", () => goOn(card));
    const seed = made("span", { className: "quiet", textContent: `seed ${one.seed}, temperature ${one.temperature}` });
    card.querySelector("h3").after(made("div", { className: "actions" }, keep, go, seed));
  }
  function goOn(card) {
    const one = samples.get(card);
    const hot = card.querySelector(".marks .hot");
    const end = hot ? one.ends[Number(hot.dataset.mark)] : 0;
    let tokens = one.has_ended ? one.tokens.slice(0, -1) : one.tokens;
    if (end) tokens = tokens.slice(0, end);
    const room = source().lengths.at(-1) - 1;
    setHow(one.how);
    setPrimer(tokens.slice(0, room), "sample");
    showCanvas();
    by("opening").open = true;
    by("status").textContent = `New ones go on from ${one.title}${end ? ", up to the part that was pointed at" : ""}. Press G.`;
  }

  async function generate() {
    await working(by("generate"), "Writing …", async () => {
      const since = performance.now();
      const found = await ask("/api/samples", { ...(await wish()), number: Number(by("number").value) });
      const place = by("cards");
      place.replaceChildren();
      const shown = found.samples.map((one) => cardOf(one, place));
      shown.forEach(addActions);
      by("autoplay").closest(".row").hidden = !shown.some(soundOf);
      by("nothing").hidden = true;
      by("status").textContent = `${shown.length} ${shown.length === 1 ? state.one : state.many} in ${seconds(since)}.`;
      const isWithout = Object.keys(source().weights).length && !found.samples[0].has_reward;
      if (isWithout) by("status").textContent += " There is no reward of sequences of this length.";
      choose(shown[0], isNarrow.matches);
      if (by("autoplay").checked) soundOf(shown[0])?.play().catch(() => {});
    });
  }
  by("panel").addEventListener("submit", (event) => {
    event.preventDefault();
    show("new");
    generate();
  });

  // Favourites.
  async function countKept() {
    const { favourites } = await ask("/api/favourites");
    keptIds = new Set(favourites.map((one) => one.id));
    by("kept-count").textContent = favourites.length ? `(${favourites.length})` : "";
    return favourites;
  }
  async function showKept() {
    const favourites = await countKept();
    by("kept").replaceChildren();
    if (!favourites.length) by("kept").append(made("p", { className: "quiet", textContent: "Nothing is kept yet: press ☆ on a card, or the key F." }));
    const { separator } = source();
    for (const one of favourites) {
      const open = made("button", { type: "button", textContent: "Open" });
      open.title = "Hear it, download it, go on from it";
      const when = new Date(1000 * one.when).toLocaleString();
      const box = made("article", { className: "card kept" },
        made("h3", { textContent: one.title }),
        made("code", { textContent: one.called.join(separator) }),
        made("p", { className: "quiet hint", textContent: `${one.source}, seed ${one.seed}, ${when}` }),
        made("div", { className: "actions" }, open));
      open.addEventListener("click", () =>
        working(open, "Opening …", async () => {
          const found = await ask(`/api/favourites/${encodeURIComponent(one.id)}`);
          const card = cardOf(found, by("kept"));
          box.replaceWith(card);
          addActions(card);
          choose(card);
          by("status").textContent = `${one.title} is open.`;
          if (by("autoplay").checked) soundOf(card)?.play().catch(() => {});
        }),
      );
      by("kept").append(box);
    }
  }

  // Blind A/B.
  let pair = null;
  async function newPair() {
    await working(by("pair"), "Writing …", async () => {
      const since = performance.now();
      const found = await ask("/api/pairs", { ...(await wish()), source: by("first").value, other: by("second").value });
      pair = found.id;
      by("pair-cards").replaceChildren();
      found.samples.forEach((one) => cardOf(one, by("pair-cards")));
      by("choices").hidden = false;
      by("revealed").textContent = "";
      by("status").textContent = `A pair in ${seconds(since)}. Keys 1 and 2 play, A, B and N choose.`;
    });
  }
  by("pair").addEventListener("click", newPair);
  async function prefer(choice) {
    if (!pair || isBusy) return;
    const button = by("choices").querySelector(`[data-choice="${choice}"]`);
    await working(button, "", async () => {
      const { samples: told, counts } = await ask(`/api/pairs/${encodeURIComponent(pair)}`, { choice });
      pair = null;
      by("choices").hidden = true;
      by("pair-cards").replaceChildren();
      told.forEach((one) => addActions(cardOf(one, by("pair-cards"))));
      const [first, second] = told.map((one) => one.source);
      by("revealed").textContent =
        `A was ${first}, B was ${second}. So far ${first} was preferred ${times(counts[first])}, ` +
        `${second} ${times(counts[second])}, neither ${times(counts.neither)}.`;
      by("pair").focus();
    });
  }
  all("[data-choice]").forEach((button) => button.addEventListener("click", () => prefer(button.dataset.choice)));

  // Tabs.
  const tabs = all("[role=tab]");
  const shownTab = () => tabs.find((one) => one.ariaSelected === "true").id.slice(4);
  function show(name) {
    for (const tab of tabs) {
      const is = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", is);
      tab.tabIndex = is ? 0 : -1;
      by(tab.getAttribute("aria-controls")).hidden = !is;
    }
    complain(null);
    by("status").textContent = "";
    if (name === "kept") showKept().catch(complain);
  }
  for (const tab of tabs) {
    tab.addEventListener("click", () => show(tab.id.slice(4)));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const seen = tabs.filter((one) => !one.hidden);
      const next = seen[(seen.indexOf(tab) + step + seen.length) % seen.length];
      show(next.id.slice(4));
      next.focus();
    });
  }

  // Keys.
  function play(card) {
    const sound = soundOf(card);
    if (sound) sound.paused ? sound.play().catch(() => {}) : sound.pause();
  }
  const isTyping = (target) => target.closest("input:not([type=radio], [type=checkbox], [type=range]), select, textarea, dialog[open], .canvas");
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
    const view = shownTab();
    const within = { new: "#cards .card", kept: "#kept .card", blind: "#pair-cards .card" }[view];
    const seen = all(within);
    const at = seen.indexOf(current);
    const key = event.key.toLowerCase();
    const move = (step) => {
      const next = seen[Math.max(0, Math.min(seen.length - 1, at + step))];
      choose(next);
      (next?.querySelector("audio, button") ?? next)?.focus();
    };
    const actions = {
      g: () => (view === "blind" ? newPair() : (show("new"), generate())),
      j: () => move(1),
      k: () => move(-1),
      f: () => current?.querySelector(".keep")?.click(),
      c: () => current?.querySelector(".go")?.click(),
      "?": () => by("help").showModal(),
    };
    if (view === "blind") {
      Object.assign(actions, {
        1: () => play(seen[0]), 2: () => play(seen[1]),
        a: () => prefer("A"), b: () => prefer("B"), n: () => prefer("neither"),
      });
    }
    const isButton = event.target.closest("button, audio, summary, a, input");
    if (key === " " && !isButton) actions[" "] = () => play(at >= 0 ? current : seen[0]);
    if (!actions[key]) return;
    event.preventDefault();
    actions[key]();
  });
  by("help-button").addEventListener("click", () => by("help").showModal());

  const last = saved("source");
  const found = all("[name=source]").find((one) => one.value === last);
  if (found) found.checked = true;
  await showSource();
  setPrimer([], "start");
  countKept().catch(complain);
  document.body.dataset.ready = "";
})();
