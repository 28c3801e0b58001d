// Shows a card for each call that rings for this user, on whatever page is open, until the user closes it.
// The HTML was escaped on the box. What is being written in a card survives a change of page. A card never takes
// the focus by itself, for somebody may be writing elsewhere: F2 goes into it, and back to where one was.

const place = document.getElementById("popups");
const CLOSED = "popup-closed"; // calls whose card was closed, for all tabs
const OPEN = "popup-open"; // call -> what is being written, for this tab
const MOST_CLOSED = 50;
const AGAIN_MS = 5000;
let before = null; // what had the focus before a card got it

const read = (store, key, empty) => JSON.parse(store.getItem(key) ?? "null") ?? empty;
const closed = () => read(localStorage, CLOSED, []);
const open = () => read(sessionStorage, OPEN, {});
const find = (call) => place.querySelector(`[data-call="${CSS.escape(call)}"]`);

function remember(card) {
  const fields = Object.fromEntries(new FormData(card.querySelector("form") ?? undefined));
  sessionStorage.setItem(OPEN, JSON.stringify({ ...open(), [card.dataset.call]: fields }));
}

function forget(call) {
  const { [call]: gone, ...rest } = open();
  sessionStorage.setItem(OPEN, JSON.stringify(rest));
}

function put(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const card = template.content.querySelector("article");
  if (!card) return null;
  const old = find(card.dataset.call);
  if (old) old.replaceWith(card);
  else place.append(card);
  return card;
}

function show(cards) {
  for (const [call, html] of Object.entries(cards)) {
    if (closed().includes(call) || find(call)) continue;
    const card = put(html);
    if (card) remember(card);
  }
}

function close(card) {
  localStorage.setItem(CLOSED, JSON.stringify([...closed(), card.dataset.call].slice(-MOST_CLOSED)));
  forget(card.dataset.call);
  const held = card.contains(document.activeElement);
  card.remove();
  if (held) goBack();
}

function goBack() {
  (before?.isConnected ? before : document.getElementById("main")).focus();
}

function goInto(card) {
  card?.querySelector("input:not([type=hidden]), textarea, button:not(.popup-close), a")?.focus();
}

async function save(form) {
  const card = form.closest("article");
  const said = card.querySelector(".popup-said");
  const body = new URLSearchParams(new FormData(form));
  body.set("form_token", place.dataset.token);
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const result = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : {};
    if (!answer.ok) throw new Error(result.fault ?? place.dataset.failed);
    const fresh = put(result.html);
    remember(fresh);
    const kept = before; // the card that had the focus is gone, not left
    fresh.querySelector(".popup-close").focus();
    before = kept;
  } catch (error) {
    said.textContent = error.message || place.dataset.failed;
    said.classList.add("fault-words");
  }
}

async function restore() {
  for (const [call, fields] of Object.entries(open())) {
    const answer = await fetch(`/popup/${encodeURIComponent(call)}`);
    const card = answer.ok && !closed().includes(call) ? put(await answer.text()) : null;
    if (!card) forget(call);
    for (const [name, value] of Object.entries(card ? fields : {})) {
      const field = card.querySelector("form")?.elements.namedItem(name);
      if (field) field.value = value;
    }
  }
}

function listen() {
  if (window.SharedWorker) {
    const worker = new SharedWorker("/static/popup_stream.js");
    worker.port.onmessage = (event) => show(event.data);
    addEventListener("pagehide", () => worker.port.postMessage("gone"));
    return;
  }
  const source = new EventSource("/popup/stream");
  source.addEventListener("cards", (event) => show(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
  });
}

if (place) {
  place.addEventListener("click", (event) => {
    if (event.target.closest(".popup-close")) close(event.target.closest("article"));
  });
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    save(event.target);
  });
  place.addEventListener("input", (event) => remember(event.target.closest("article")));
  addEventListener("storage", (event) => {
    if (event.key === CLOSED) for (const call of closed()) find(call)?.remove();
  });
  place.addEventListener("focusin", (event) => {
    if (!place.contains(event.relatedTarget)) before = event.relatedTarget;
  });
  document.addEventListener("keydown", (event) => {
    const inside = document.activeElement.closest("#popups article");
    if (event.key === "Escape" && inside && !event.isComposing) close(inside);
    if (event.key !== "F2" || !place.querySelector("article")) return;
    event.preventDefault();
    const next = inside ? inside.nextElementSibling : place.querySelector("article");
    if (next) goInto(next);
    else goBack();
  });
  restore().finally(listen);
}
