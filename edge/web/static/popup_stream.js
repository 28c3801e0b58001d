// One stream of cards per browser, shared by its tabs: a browser opens only a few connections to one box.

const AGAIN_MS = 5000;
const ports = new Set();
let cards = {};

function tell(port) {
  port.postMessage(cards);
}

function listen() {
  const source = new EventSource("/popup/stream");
  source.addEventListener("cards", (event) => {
    cards = JSON.parse(event.data);
    ports.forEach(tell);
  });
  source.addEventListener("error", () => {
    cards = {}; // whoever logs in next must not see them
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
  });
}

self.addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = () => ports.delete(port);
  tell(port);
});
listen();
