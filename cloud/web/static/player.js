// Joins each recording's bar with its player: the playhead follows, a click seeks.
"use strict";

const WIDTH = 1000; // units of the bar's drawing (cloud/web/timeline.py)

function join(section) {
  const audio = section.querySelector("audio");
  const bar = section.querySelector("svg.bar");
  if (!audio || !bar) return;
  const playhead = bar.querySelector(".playhead");
  const follow = () => {
    const x = audio.duration ? (WIDTH * audio.currentTime) / audio.duration : 0;
    playhead.setAttribute("x1", x);
    playhead.setAttribute("x2", x);
    if (!audio.paused) requestAnimationFrame(follow);
  };
  for (const name of ["play", "seeked", "timeupdate"]) audio.addEventListener(name, follow);
  bar.classList.add("seekable");
  bar.addEventListener("click", (click) => {
    const box = bar.getBoundingClientRect();
    if (audio.duration) audio.currentTime = (audio.duration * (click.clientX - box.left)) / box.width;
  });
}

function joinAll(root) {
  root.querySelectorAll("section.recording").forEach(join);
}

joinAll(document);
document.addEventListener("htmx:load", (loaded) => joinAll(loaded.detail.elt));
