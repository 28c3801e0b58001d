// The search above a list: empty fields stay out of the address, so that it is short enough to be passed on; on a
// phone all but the first field fold away, and stay as this browser's user left them.

const KEPT = "filters-open";

for (const form of document.querySelectorAll("form.search")) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
  const button = form.querySelector(".unfold");
  if (!button) continue;
  const show = (open) => {
    form.classList.toggle("folded", !open);
    button.setAttribute("aria-expanded", String(open));
  };
  button.hidden = false;
  show(sessionStorage.getItem(KEPT) === "yes");
  button.addEventListener("click", () => {
    const open = form.classList.contains("folded");
    sessionStorage.setItem(KEPT, open ? "yes" : "no");
    show(open);
  });
}

for (const link of document.querySelectorAll("a[data-copy]")) {
  link.addEventListener("click", async (event) => {
    if (!navigator.clipboard) return; // then it is a link like any other
    event.preventDefault();
    await navigator.clipboard.writeText(link.href);
    link.querySelector("[role=status]").textContent = link.dataset.copy;
  });
}
