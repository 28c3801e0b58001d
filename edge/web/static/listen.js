// Live listening: the line's sound comes as a WAV without an end; each piece is played right after the last.

const HEADER_BYTES = 44;
const LEAD_S = 0.15; // kept in hand against an uneven network
const bar = document.getElementById("listening");
const said = bar?.querySelector("[data-said]");
let now = null; // {line, context, abort}

function mark() {
  for (const button of document.querySelectorAll("button[data-listen]")) {
    button.setAttribute("aria-pressed", String(button.dataset.listen === now?.line));
  }
}

function stop(words = "") {
  now?.abort.abort();
  now?.context.close();
  now = null;
  bar.hidden = !words;
  said.textContent = words;
  mark();
}

function play(context, rate, bytes, at) {
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.getChannelData(0).set(Float32Array.from(samples, (one) => one / 32768));
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  const start = Math.max(at, context.currentTime + LEAD_S);
  source.start(start);
  return start + buffer.duration;
}

function join(left, right) {
  const whole = new Uint8Array(left.length + right.length);
  whole.set(left);
  whole.set(right, left.length);
  return whole;
}

async function hear(own, reader) {
  let [rest, rate, at] = [new Uint8Array(0), 0, 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest = join(rest, value);
    if (!rate && rest.length >= HEADER_BYTES) {
      rate = new DataView(rest.buffer).getUint32(24, true);
      rest = rest.slice(HEADER_BYTES);
    }
    const whole = rate ? rest.length - (rest.length % 2) : 0;
    if (whole) at = play(own.context, rate, rest.slice(0, whole), at);
    rest = rest.slice(whole);
  }
}

async function listen(line, name) {
  stop();
  const own = { line, context: new AudioContext(), abort: new AbortController() };
  now = own;
  bar.hidden = false;
  said.textContent = `${bar.dataset.on} ${name}`;
  mark();
  try {
    const answer = await fetch(`/lines/${line}/listen`, { signal: own.abort.signal });
    if (!answer.ok) throw new Error(String(answer.status));
    await hear(own, answer.body.getReader());
    if (now === own) stop(bar.dataset.over);
  } catch {
    if (now === own) stop(bar.dataset.failed);
  }
}

if (bar) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-listen]");
    if (!button) return;
    if (button.dataset.listen === now?.line) stop();
    else listen(button.dataset.listen, button.dataset.name);
  });
  bar.querySelector("[data-close]").addEventListener("click", () => stop());
  document.addEventListener("parts", mark); // tiles were put in anew
}
