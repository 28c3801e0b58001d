// The player of one call: a waveform to see and seek, the browser's own audio under it, keys and speeds.
// The loudness comes from the box ready made, so an hour's call draws without being fetched.

import WaveSurfer from "/static/vendor/wavesurfer.esm.js";

const STEP_S = 5;
const root = getComputedStyle(document.documentElement);

async function draw(wave, audio) {
  const answer = await fetch(wave.dataset.peaks);
  if (!answer.ok) return;
  const { peaks, length_s } = await answer.json();
  if (!peaks.length) return;
  const loudest = Math.max(...peaks, 0.05);
  WaveSurfer.create({
    container: wave.querySelector(".wave-picture"),
    media: audio,
    peaks: [peaks.map((one) => one / loudest)],
    duration: length_s,
    height: 96,
    barWidth: 2,
    barGap: 1,
    barRadius: 1,
    waveColor: root.getPropertyValue("--wave").trim(),
    progressColor: root.getPropertyValue("--accent").trim(),
    cursorColor: root.getPropertyValue("--ink").trim(),
    cspNonce: wave.dataset.nonce,
  });
  wave.classList.add("drawn");
}

for (const card of document.querySelectorAll(".recording")) {
  const audio = card.querySelector("audio");
  const track = card.querySelector(".track");
  if (!audio || !track) continue;
  const played = track.querySelector(".played");
  const length_s = audio.dataset.samples / audio.dataset.rate;
  const speed = card.querySelector("[data-speed]");

  draw(card.querySelector(".wave"), audio);
  audio.addEventListener("timeupdate", () => {
    played.setAttribute("width", (track.viewBox.baseVal.width * audio.currentTime) / length_s);
  });
  audio.addEventListener("ratechange", () => { speed.value = String(audio.playbackRate); });
  track.addEventListener("click", (event) => {
    const box = track.getBoundingClientRect();
    audio.currentTime = (length_s * (event.clientX - box.left)) / box.width;
  });
  speed.addEventListener("change", () => { audio.playbackRate = Number(speed.value); });
  for (const button of card.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => { audio.currentTime += Number(button.dataset.step); });
  }
}

function changeSpeed(audio, by) {
  const speed = audio.closest(".recording").querySelector("[data-speed]");
  const at = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + by));
  audio.playbackRate = Number(speed.options[at].value);
}

document.addEventListener("keydown", (event) => {
  const audio = document.querySelector(".recording audio");
  if (!audio || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, button, a, audio")) return;
  if (event.key === " ") {
    event.preventDefault();
    if (audio.paused) audio.play();
    else audio.pause();
  }
  if (event.key === "ArrowLeft") audio.currentTime -= STEP_S;
  if (event.key === "ArrowRight") audio.currentTime += STEP_S;
  if (event.key === "[") changeSpeed(audio, -1);
  if (event.key === "]") changeSpeed(audio, 1);
});
