// The list of calls: what is ticked stays ticked when the list renews itself; j, k and x go through it.
"use strict";

const ticked = new Set();
const boxes = () => [...document.querySelectorAll('#list input[name="id"]')];

function tell() {
  const form = document.getElementById("batch");
  const which = document.getElementById("which");
  if (which) {
    which.dataset.all ??= which.textContent;
    which.textContent = ticked.size ? which.dataset.ticked.replace("0", ticked.size) : which.dataset.all;
  }
  form?.classList.toggle("none-ticked", ticked.size === 0);
}

function note(box) {
  if (box.checked) ticked.add(box.value);
  else ticked.delete(box.value);
  tell();
}

function restore() {
  const here = new Set();
  for (const box of boxes()) {
    here.add(box.value);
    box.checked = ticked.has(box.value);
  }
  for (const id of [...ticked]) if (!here.has(id)) ticked.delete(id); // it left the page: nobody sees it ticked
  tell();
}

function step(by) {
  const links = [...document.querySelectorAll("#list td.time a")];
  const at = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + by))]?.focus();
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  x: () => {
    const box = document.activeElement.closest("tr")?.querySelector('input[name="id"]');
    if (box) {
      box.checked = !box.checked;
      note(box);
    }
  },
};

document.addEventListener("change", (change) => {
  if (change.target.name === "id") note(change.target);
});

document.addEventListener("keydown", (key) => {
  const typing = key.target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");
  if (typing || key.ctrlKey || key.metaKey || key.altKey) return;
  if (key.key in KEYS) KEYS[key.key]();
});

document.addEventListener("htmx:afterSwap", restore);
boxes().filter((box) => box.checked).forEach(note); // the browser keeps them over a reload
tell();
