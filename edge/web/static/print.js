// The printed list opens the browser's own print window when asked to.

document.querySelector("[data-print]").addEventListener("click", () => window.print());
