// One player at the foot of the page for all the play buttons of its lists; a list may change while it plays.

const dock = document.getElementById("dock");
const audio = dock.querySelector("audio");
const title = dock.querySelector(".dock-title");
let opener = null; // the play button that was pressed last

document.addEventListener("click", (event) => {
  const button = event.target.closest("a[data-play]");
  if (!button || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (button === opener && !dock.hidden && !audio.paused) {
    audio.pause();
    return;
  }
  opener = button;
  title.textContent = button.dataset.play;
  title.href = button.dataset.call;
  dock.hidden = false;
  if (audio.getAttribute("src") !== button.getAttribute("href")) audio.src = button.getAttribute("href");
  audio.play();
});

function close() {
  audio.pause();
  dock.hidden = true;
  if (opener?.isConnected) opener.focus();
}

dock.querySelector("[data-close]").addEventListener("click", close);
document.addEventListener("keydown", (event) => {
  const near = document.activeElement === opener || dock.contains(document.activeElement);
  if (event.key === "Escape" && near && !dock.hidden) close();
});
