"use strict";
// A question: plays clips, notices what was heard, and stores the answer until the server has it.

const form = document.getElementById("trial");
const scale = form.querySelector("fieldset");
const next = document.getElementById("next");
const hint = document.getElementById("hint");
const sides = [...form.querySelectorAll(".side")];
const players = [...form.querySelectorAll(".player")].map((box) => ({
  box,
  button: box.querySelector(".play"),
  audio: box.querySelector("audio"),
  bar: box.querySelector("progress"),
  side: box.closest(".side"),
  wasHeard: false,
}));
const heardShare = Number(form.dataset.heard);
const lookingTime = 1000;
const plays = { A: 0, B: 0 };
let readySince = null;
let isSending = false;

// What was heard of this question is kept for when its page is loaded again, in this tab alone.
function keep() {
  const heard = players.map((one) => one.wasHeard);
  try {
    sessionStorage.setItem("heard", JSON.stringify({ trial: form.dataset.trial, heard, plays }));
  } catch { /* storage is turned off */ }
}

function recall() {
  let found = null;
  try { found = JSON.parse(sessionStorage.getItem("heard")); } catch { /* the same */ }
  if (!found || found.trial !== form.dataset.trial) return;
  Object.assign(plays, found.plays);
  players.forEach((one, place) => { if (found.heard[place]) hear(one); });
}

function ready() {
  if (readySince !== null) return;
  readySince = performance.now();
  scale.disabled = false;
  hint.textContent = form.dataset.instructed ? "Now choose as you are asked above." : "Now choose.";
}

function notice(player) {
  const { audio, bar, box } = player;
  const length = audio.duration || Number(box.dataset.seconds);
  bar.value = Math.min(1, audio.currentTime / length);
  if (player.wasHeard || audio.currentTime < heardShare * length - 0.02) return;
  hear(player);
}

function hear(player) {
  player.wasHeard = true;
  player.box.classList.add("heard");
  keep();
  const left = players.filter((one) => !one.wasHeard);
  if (left.length === 0) ready();
  else if (left.every((one) => one.side !== player.side)) hint.textContent = `${player.side.dataset.side} is heard. Now play ${left[0].side.dataset.side}.`;
}

function setCurrent(side) {
  for (const one of sides) one.classList.toggle("current", one === side);
}

function stop(player) {
  player.audio.pause();
}

async function start(player) {
  for (const one of players) if (one !== player) stop(one);
  setCurrent(player.side);
  if (player.audio.ended || player.audio.currentTime === 0) {
    player.audio.currentTime = 0;
    plays[player.side.dataset.side] += 1;
    keep();
  }
  try {
    await player.audio.play();
  } catch {
    if (player.audio.error) {
      player.audio.load();
      hint.textContent = "That sound could not be played. Check the connection, and press play again.";
    }
  }
}

function toggle(player) {
  if (player.audio.paused) start(player); else stop(player);
}

for (const player of players) {
  const { audio, button, box } = player;
  const show = () => {
    box.classList.toggle("playing", !audio.paused);
    button.setAttribute("aria-label", `${audio.paused ? "Play" : "Pause"} ${button.dataset.label}`);
  };
  const follow = () => {
    notice(player);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  button.addEventListener("click", () => toggle(player));
  audio.addEventListener("play", () => { show(); follow(); });
  audio.addEventListener("pause", show);
  audio.addEventListener("timeupdate", () => notice(player));
  audio.addEventListener("ended", () => {
    notice(player);
    show();
    // The clips of a set follow one another.
    const own = players.filter((one) => one.side === player.side);
    const after = own[own.indexOf(player) + 1];
    if (after && !after.wasHeard) start(after);
  });
}
if (players.length === 0) setTimeout(ready, lookingTime);
if (sides.length === 2) setCurrent(sides[0]);
recall();

form.addEventListener("change", () => { next.disabled = !form.querySelector("input:checked"); });

function choose(number) {
  const inputs = form.querySelectorAll("input[name=rating]");
  if (scale.disabled || number > inputs.length) return;
  inputs[number - 1].checked = true;
  inputs[number - 1].focus();
  next.disabled = false;
}

function playerOf(side) {
  const own = players.filter((one) => one.side === side);
  return own.find((one) => !one.audio.paused) || own.find((one) => !one.wasHeard) || own[0];
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, a, summary")) return;
  const isButton = event.target.matches("button");
  const isRadio = event.target.matches("input[type=radio]");
  if (event.key >= "1" && event.key <= "5") choose(Number(event.key));
  else if (event.key === "Enter" && !isButton) form.requestSubmit(next);
  else if (event.key === " " && !isButton && players.length) {
    event.preventDefault();
    toggle(playerOf(form.querySelector(".side.current") || sides[0]));
  } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !isRadio && sides.length === 2) {
    event.preventDefault();
    const side = sides[event.key === "ArrowLeft" ? 0 : 1];
    setCurrent(side);
    const player = playerOf(side);
    if (player) player.button.focus();
  } else return;
});

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Sent until it is acknowledged: the server stores an answer once, however often it comes.
async function deliver(body) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await send("/api/answer", body);
      if (answer.status !== 503 && answer.status !== 429 && answer.status < 500) return answer;
    } catch { /* no connection */ }
    say(form, "Your answer is not stored yet. Trying again …");
    await wait(Math.min(8000, 500 * 2 ** attempt));
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = form.querySelector("input:checked");
  if (!chosen || isSending || readySince === null) return;
  isSending = true;
  next.disabled = true;
  players.forEach(stop);
  const comment = form.querySelector("textarea");
  const answer = await deliver({
    trial: form.dataset.trial,
    rating: Number(chosen.value),
    comment: comment ? comment.value : "",
    seconds: Math.min(86000, (performance.now() - readySince) / 1000),
    left_plays: plays.A,
    right_plays: plays.B,
  });
  if (answer.ok) {
    location.replace(answer.body.next);
  } else if (answer.status === 425) {
    isSending = false;
    next.disabled = false;
    say(form, "Please listen to both a little longer.");
  } else if (answer.status === 400) {
    isSending = false;
    next.disabled = false;
    say(form, answer.body.error);
  } else {
    location.replace("/listen");
  }
});
