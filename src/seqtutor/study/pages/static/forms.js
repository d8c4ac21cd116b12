"use strict";
// Forms are sent as JSON, which a page of another site cannot do; what comes back says where to go.

async function send(address, body) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    credentials: "same-origin",
  });
  let found = {};
  try { found = await response.json(); } catch { /* an answer without a reason */ }
  return { status: response.status, ok: response.ok, body: found };
}

function say(form, text, good = false) {
  const place = form.matches("[data-shows-link]") ? document.getElementById("link") : form.querySelector(".said");
  place.textContent = text;
  place.classList.toggle("good", good);
}

async function submit(form) {
  const body = Object.fromEntries(new FormData(form));
  if (form.dataset.value) body.is_open = form.dataset.value === "true";
  if (form.matches("[data-token]") && location.hash.length > 1) body.token = location.hash.slice(1);
  try {
    const answer = await send(form.dataset.post, body);
    if (!answer.ok) {
      say(form, answer.body.error || "That did not work; try again.");
    } else if (form.matches("[data-shows-link]")) {
      const link = `${location.origin}/resume#${answer.body.token}`;
      say(form, `Open this in the other browser, and keep it to yourself: ${link}`);
    } else {
      location.replace(answer.body.next);
    }
  } catch {
    say(form, "The server does not answer; try again in a moment.");
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-post]")) return;
  event.preventDefault();
  submit(event.target);
});

addEventListener("DOMContentLoaded", async () => {
  // The cookie does not come along when a link of another site leads here, but it does now.
  const page = document.querySelector("[data-goes-on]");
  if (page) {
    const response = await fetch(page.dataset.goesOn, { credentials: "same-origin" });
    if (response.ok && (await response.json()).has_begun) location.replace("/listen");
  }
  const form = document.querySelector("form[data-at-once]");
  if (form && location.hash.length > 1) submit(form);
});
