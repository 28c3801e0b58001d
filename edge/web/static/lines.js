// Keeps the Lines page as the box is: parts that changed come as server-sent events and replace their elements.
// The HTML was escaped on the box; nothing here builds markup from data.

const tiles = document.querySelector("[data-stream]");
const stale = document.getElementById("stale");
const ahead = Date.parse(document.documentElement.dataset.now) - Date.now(); // the box's clock against ours

function swap(id, html) {
  const old = document.getElementById(id);
  if (!old) {
    location.reload(); // a line that was not there when the page was made
    return;
  }
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  const focus = focusIn(old, fresh);
  old.replaceWith(fresh);
  focus?.focus();
}

// What has the focus in the old element, in the new one: the act of the same name, else the one in the same place.
function focusIn(old, fresh) {
  const focused = document.activeElement;
  if (!old.contains(focused)) return null;
  const place = [...old.querySelectorAll("a, button")].indexOf(focused);
  return fresh.querySelector(`[data-act="${focused.dataset.act}"]`) ?? fresh.querySelectorAll("a, button")[place];
}

function showTimers() {
  for (const timer of document.querySelectorAll(".timer[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() + ahead - Date.parse(timer.dataset.since)) / 1000));
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    const two = (number) => String(number).padStart(2, "0");
    timer.textContent = hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
  }
}

function listen() {
  const source = new EventSource(tiles.dataset.stream);
  source.addEventListener("open", () => { stale.hidden = true; });
  source.addEventListener("parts", (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) swap(id, html);
    document.dispatchEvent(new Event("parts"));
    showTimers();
  });
  source.addEventListener("levels", (event) => {
    for (const [line, dbm0] of Object.entries(JSON.parse(event.data))) {
      const bar = document.querySelector(`#line-${line} .level`);
      if (bar) bar.value = Math.max(0, dbm0 + bar.max);
    }
  });
  source.addEventListener("error", () => {
    stale.hidden = false;
    // Refused for good: the session has ended, or too many pages are open. A fresh page says which.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
}

// The record button: sent without leaving the page; the tile that comes back says what became of it.
document.getElementById("act").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = new URLSearchParams(new FormData(event.target, event.submitter));
  const answer = await fetch(event.submitter.formAction, { method: "POST", body, redirect: "manual" }).catch(() => null);
  const said = document.getElementById("said");
  said.textContent = answer?.type === "opaqueredirect" ? "" : said.dataset.failed;
});

listen();
showTimers();
setInterval(showTimers, 500);
