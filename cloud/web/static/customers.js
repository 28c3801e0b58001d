// The drawer beside the list of customers, and the buttons that copy a name or a number.
"use strict";

const drawer = document.getElementById("drawer");

document.addEventListener("click", (click) => {
  const copy = click.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard?.writeText(copy.dataset.copy);
    copy.classList.add("copied");
  }
  if (click.target.closest("[data-close]")) drawer.replaceChildren();
});

document.addEventListener("keydown", (key) => {
  if (key.key === "Escape" && drawer) drawer.replaceChildren();
});

document.addEventListener("htmx:after:swap", focusDrawer);
document.addEventListener("htmx:afterSwap", focusDrawer);

function focusDrawer() {
  drawer?.querySelector(".drawer")?.focus();
}
