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
  const length_s = lengthOf(audio);
  const wave = card.querySelector(".wave");
  const speed = card.querySelector("[data-speed]");

  draw(wave, audio);
  const show = () => {
    played.setAttribute("width", (track.viewBox.baseVal.width * audio.currentTime) / length_s);
    wave.setAttribute("aria-valuenow", String(Math.floor(audio.currentTime)));
    wave.setAttribute("aria-valuetext", clock(audio.currentTime));
  };
  for (const name of ["timeupdate", "seeking"]) audio.addEventListener(name, show);
  audio.addEventListener("ratechange", () => { speed.value = String(audio.playbackRate); });
  track.addEventListener("click", (event) => {
    const box = track.getBoundingClientRect();
    seek(audio, (length_s * (event.clientX - box.left)) / box.width);
  });
  speed.addEventListener("change", () => { audio.playbackRate = Number(speed.value); });
  for (const button of card.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => seek(audio, audio.currentTime + Number(button.dataset.step)));
  }
}

function lengthOf(audio) {
  return audio.dataset.samples / audio.dataset.rate;
}

// Also before the audio is fetched, which only playing does: fetching counts as having listened.
function seek(audio, seconds) {
  audio.currentTime = Math.max(0, Math.min(lengthOf(audio), seconds));
  audio.dispatchEvent(new Event("timeupdate"));
}

function clock(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const KEYS = {
  " ": (audio) => (audio.paused ? audio.play() : audio.pause()),
  ArrowLeft: (audio) => seek(audio, audio.currentTime - STEP_S),
  ArrowRight: (audio) => seek(audio, audio.currentTime + STEP_S),
  Home: (audio) => seek(audio, 0),
  End: (audio) => seek(audio, lengthOf(audio)),
  "[": (audio) => changeSpeed(audio, -1),
  "]": (audio) => changeSpeed(audio, 1),
};

function changeSpeed(audio, by) {
  const speed = audio.closest(".recording").querySelector("[data-speed]");
  const at = Math.max(0, Math.min(speed.options.length - 1, speed.selectedIndex + by));
  audio.playbackRate = Number(speed.options[at].value);
}

// Keys work wherever they have no meaning of their own: Space presses a button that has the focus, arrows do not.
document.addEventListener("keydown", (event) => {
  const card = event.target.closest(".recording") ?? document;
  const audio = card.querySelector("audio");
  if (!audio || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, audio")) return;
  const act = KEYS[event.key];
  if (!act || (event.key === " " && event.target.closest("button, a, summary"))) return;
  if ((event.key === "Home" || event.key === "End") && !event.target.closest(".wave")) return;
  event.preventDefault();
  act(audio);
});
