// On every page: the drawer beside a list, buttons that copy, and the box of quick commands (Ctrl+K).
"use strict";

const drawer = document.getElementById("drawer");
let opener = null; // what had the focus before the drawer opened

function closeDrawer() {
  if (!drawer?.firstElementChild) return false;
  drawer.replaceChildren();
  document.getElementById(opener)?.focus();
  return true;
}

function copy(button) {
  const here = button.dataset.copyHere;
  navigator.clipboard?.writeText(here ? new URL(here, location.href).href : button.dataset.copy);
  button.classList.add("copied");
}

document.addEventListener("click", (click) => {
  const button = click.target.closest("[data-copy], [data-copy-here]");
  if (button) copy(button);
  if (click.target.closest("[data-close]")) closeDrawer();
});

document.addEventListener("keydown", (key) => {
  if (key.key === "Escape") closeDrawer();
});

document.addEventListener("htmx:beforeRequest", (request) => {
  if (request.detail.target === drawer) opener = request.detail.elt.id;
});

document.addEventListener("htmx:afterSwap", (swap) => {
  if (drawer && swap.detail.target === drawer) drawer.querySelector(".drawer")?.focus();
});

// Quick commands: Ctrl+K opens the box, the arrows go through what is found, Enter follows the first.
const quick = document.getElementById("quick");

function openQuick() {
  if (!quick || quick.open) return;
  quick.showModal();
  const input = quick.querySelector("input");
  input.select();
  input.dispatchEvent(new Event("opened"));
}

function walkQuick(by) {
  const links = [...quick.querySelectorAll("#quick-found a")];
  const at = links.indexOf(document.activeElement) + by;
  if (at < 0) quick.querySelector("input").focus();
  else links[Math.min(at, links.length - 1)]?.focus();
}

document.addEventListener("click", (click) => {
  if (click.target.closest("[data-quick]")) openQuick();
  else if (click.target === quick) quick.close(); // beside the box
});

document.addEventListener("keydown", (key) => {
  if ((key.ctrlKey || key.metaKey) && key.key === "k") {
    key.preventDefault();
    openQuick();
  } else if (quick?.open && (key.key === "ArrowDown" || key.key === "ArrowUp")) {
    key.preventDefault();
    walkQuick(key.key === "ArrowDown" ? 1 : -1);
  } else if (quick?.open && key.key === "Enter" && key.target.name === "q") {
    key.preventDefault();
    quick.querySelector("#quick-found a")?.click();
  }
});
