"use strict";
// The part of the page that changes is fetched every five seconds, while the page is seen.

const live = document.getElementById("live");
const fresh = document.getElementById("fresh");

async function refresh() {
  if (document.hidden || live.contains(document.activeElement)) return;
  try {
    const response = await fetch("/researcher/live", { credentials: "same-origin" });
    if (response.status === 401) { location.reload(); return; }
    if (!response.ok) throw new Error(response.status);
    const found = await response.text();
    if (found !== live.dataset.last) { live.innerHTML = found; live.dataset.last = found; }
    fresh.textContent = "";
  } catch {
    fresh.textContent = "The server does not answer; the figures may be old.";
  }
}

setInterval(refresh, 5000);
