// One player at the foot of the page for all the play buttons of its lists; a list may change while it plays.

const dock = document.getElementById("dock");
const audio = dock.querySelector("audio");
const title = dock.querySelector(".dock-title");

document.addEventListener("click", (event) => {
  const button = event.target.closest("a[data-play]");
  if (!button || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  title.textContent = button.dataset.play;
  title.href = button.dataset.call;
  dock.hidden = false;
  if (audio.getAttribute("src") !== button.getAttribute("href")) audio.src = button.getAttribute("href");
  audio.play();
});

dock.querySelector("[data-close]").addEventListener("click", () => {
  audio.pause();
  dock.hidden = true;
});
