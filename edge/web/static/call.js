// The track under a call's player: shows how far it has played, jumps where it is clicked; arrows move 5 s.

const STEP_S = 5;

for (const card of document.querySelectorAll(".recording")) {
  const audio = card.querySelector("audio");
  const track = card.querySelector(".track");
  if (!audio || !track) continue;
  const played = track.querySelector(".played");
  const length_s = audio.dataset.samples / audio.dataset.rate;

  audio.addEventListener("timeupdate", () => {
    played.setAttribute("width", (track.viewBox.baseVal.width * audio.currentTime) / length_s);
  });
  track.addEventListener("click", (event) => {
    const box = track.getBoundingClientRect();
    audio.currentTime = (length_s * (event.clientX - box.left)) / box.width;
  });
}

document.addEventListener("keydown", (event) => {
  const audio = document.querySelector(".recording audio");
  if (!audio || event.target.closest("input, select, textarea, button, a, audio")) return;
  if (event.key === " ") {
    event.preventDefault();
    if (audio.paused) audio.play();
    else audio.pause();
  }
  if (event.key === "ArrowLeft") audio.currentTime -= STEP_S;
  if (event.key === "ArrowRight") audio.currentTime += STEP_S;
});
