// The list of calls: what is ticked stays ticked when the list renews itself, and says what a button acts on.
"use strict";

const ticked = new Set();
const boxes = () => document.querySelectorAll('#list input[name="id"]');

function tell() {
  const which = document.getElementById("which");
  if (!which) return;
  which.dataset.all ??= which.textContent;
  which.textContent = ticked.size ? which.dataset.ticked.replace("0", ticked.size) : which.dataset.all;
}

document.addEventListener("change", (change) => {
  if (change.target.name !== "id") return;
  if (change.target.checked) ticked.add(change.target.value);
  else ticked.delete(change.target.value);
  tell();
});

document.addEventListener("htmx:afterSwap", () => {
  const here = new Set();
  for (const box of boxes()) {
    here.add(box.value);
    box.checked = ticked.has(box.value);
  }
  for (const id of [...ticked]) if (!here.has(id)) ticked.delete(id); // it left the page: nobody sees it ticked
  tell();
});
