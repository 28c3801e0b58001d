// Ticks on the Calls page: says how many, ticks all on the page, carries shift-clicks over a stretch of rows.

const form = document.getElementById("selection");
const all = form?.querySelector("[data-all]");
const ticks = form ? [...form.querySelectorAll("td.c-tick input")] : [];
const told = form?.querySelector("[data-some]");
let last = null;

function show() {
  const count = ticks.filter((tick) => tick.checked).length;
  told.textContent = count ? `${told.dataset.some} ${count}` : told.dataset.none;
  all.checked = count === ticks.length;
  all.indeterminate = count > 0 && count < ticks.length;
}

form?.addEventListener("click", (event) => {
  const at = ticks.indexOf(event.target);
  if (at < 0) return;
  if (event.shiftKey && last !== null) {
    for (const tick of ticks.slice(Math.min(at, last), Math.max(at, last) + 1)) tick.checked = event.target.checked;
  }
  last = at;
  show();
});

all?.addEventListener("change", () => {
  for (const tick of ticks) tick.checked = all.checked;
  show();
});
if (form) show();
