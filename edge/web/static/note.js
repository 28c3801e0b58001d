// The note that is written on a tile. Its form stands beside the tile, so that a tile put in anew, while somebody
// types or an input method composes, disturbs nothing; it keeps to the call it was opened for.

const form = document.getElementById("note");
const text = form.elements.namedItem("text");
const said = document.getElementById("saved");
const fault = form.querySelector("[role=alert]");
const drafts = new Map(); // call -> what is not saved yet

const opener = (call) => document.querySelector(`a[data-note="${CSS.escape(call)}"]`);

function put(call, about, place) {
  if (form.dataset.call) drafts.set(form.dataset.call, text.value);
  form.dataset.call = call;
  form.action = `/calls/${encodeURIComponent(call)}/notes`;
  form.querySelector("[data-about]").textContent = about;
  text.value = drafts.get(call) ?? "";
  fault.textContent = "";
  place.append(form);
  form.hidden = false;
  text.focus();
}

function close() {
  const place = form.closest(".place");
  form.hidden = true;
  (opener(form.dataset.call) ?? place.querySelector("a"))?.focus();
}

async function save() {
  const call = form.dataset.call;
  try {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (answer.type !== "opaqueredirect") throw new Error(String(answer.status));
  } catch {
    fault.textContent = form.dataset.failed;
    text.focus();
    return;
  }
  drafts.delete(call);
  text.value = "";
  said.textContent = form.dataset.saved;
  close();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-note]");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  put(link.dataset.note, link.dataset.about, link.closest(".place"));
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) close();
});
form.querySelector("[data-close]").addEventListener("click", close);
