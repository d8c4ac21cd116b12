"use strict";
// What every page with cards of sequences does: light or dark, parts that tell what they earned,
// one sound at a time with a cursor in the pictures. `cards.wire` readies a card.
globalThis.cards = (() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Light or dark: the system's choice until the button is used.
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  });

  // Parts of a sequence: the same part in every picture of a card, and its words below.
  function point(card, mark) {
    all(".hot", card).forEach((one) => one.classList.remove("hot"));
    all(`[data-mark="${mark}"]`, card).forEach((one) => one.classList.add("hot"));
    const words = card.querySelector(".words");
    words.textContent = card.querySelector(`.marks [data-mark="${mark}"]`).ariaLabel;
    words.classList.add("said");
  }

  function wireMarks(card) {
    const buttons = all(".marks button", card);
    if (!buttons.length) return;
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

  // The lines of the roll: the cursor of each, from where to where it goes, and when.
  const linesOf = (card) =>
    all("[data-cursor]", card).map((cursor) => {
      const [start, end, from, to] = ["start", "end", "from", "to"].map((n) => Number(cursor.dataset[n]));
      return { cursor, start, from, to, pace: (to - from) / (end - start) };
    });

  // When each mark sounds, in seconds, from where the roll draws it.
  const timesOf = (lines) =>
    lines.flatMap(({ cursor, start, from, pace }) =>
      all("rect[data-mark]", cursor.parentElement).map((rect) => {
        const begins = from + pace * (Number(rect.getAttribute("x")) - start);
        // One unit more: notes that touch are drawn with a gap.
        const ends = begins + pace * (Number(rect.getAttribute("width")) + 1);
        return { mark: rect.dataset.mark, begins, ends };
      }),
    );

  // The heads of a note in the score, and a bar behind the one that sounds.
  function playheadOf(card) {
    const score = card.querySelector("[data-score]");
    if (!score) return () => {};
    const bar = document.createElement("div");
    bar.className = "playhead";
    bar.hidden = true;
    score.parentElement.append(bar);
    return (mark) => {
      const head = mark === undefined ? null : score.querySelector(`[data-mark="${mark}"]`);
      bar.hidden = !head;
      if (!head) return;
      const system = (head.closest("g.system") ?? score).getBoundingClientRect();
      const frame = score.parentElement;
      const [outer, note] = [frame.getBoundingClientRect(), head.getBoundingClientRect()];
      bar.style.left = `${note.left - outer.left + frame.scrollLeft - 3}px`;
      bar.style.width = `${note.width + 6}px`;
      bar.style.top = `${system.top - outer.top}px`;
      bar.style.height = `${system.height}px`;
    };
  }

  // One sound at a time, with a line in the roll and a bar in the score that move along.
  let sounding = null;
  function wireSound(card) {
    const sound = card.querySelector("audio");
    if (!sound) return;
    const lines = linesOf(card);
    const times = timesOf(lines);
    const placeHead = playheadOf(card);
    let now;
    const show = (mark) => {
      if (mark === now) return;
      all(".now", card).forEach((one) => one.classList.remove("now"));
      if (mark !== undefined) {
        all(`[data-mark="${mark}"]`, card).forEach((one) => one.classList.add("now"));
      }
      placeHead((now = mark));
    };
    const move = () => {
      const time = sound.currentTime;
      const here = lines.find((one) => time < one.to) ?? lines.at(-1);
      for (const one of lines) one.cursor.style.visibility = one === here ? "visible" : "";
      if (here?.pace) {
        const x = here.start + (Math.min(time, here.to) - here.from) / here.pace;
        here.cursor.setAttribute("transform", `translate(${x},0)`);
      }
      show(times.findLast((one) => one.begins <= time && time < one.ends)?.mark);
      if (!sound.paused && card.isConnected) requestAnimationFrame(move);
    };
    sound.addEventListener("play", () => {
      if (sounding !== sound) sounding?.pause();
      sounding = sound;
      move();
    });
    sound.addEventListener("seeked", move);
    sound.addEventListener("ended", () => {
      lines.forEach((one) => (one.cursor.style.visibility = ""));
      show(undefined);
    });
    const files = card.querySelector(".files");
    if (files) {
      const link = document.createElement("a");
      link.href = sound.src;
      link.download = `${files.querySelector("a").download.replace(/\.\w+$/, "")}.ogg`;
      link.textContent = "ogg";
      link.ariaLabel = `${sound.ariaLabel}, as ogg`;
      files.append(link);
    }
  }

  function wire(card) {
    wireMarks(card);
    wireSound(card);
    // What is not the first to look at is opened by its reader.
    if (matchMedia("(max-width: 40rem)").matches) {
      all("details.fold", card).forEach((one) => (one.open = false));
    }
  }
  return { all, wire };
})();
