"""A hostile program for workspaces, of the standard library: ``python3 hostile_app.py PORT NAME``.

It keeps the head of every request as it came, in ``NAME.heads``. Its pages have what a thief needs,
and what is worth to be stolen: run under another name it is the victim's own. Every path takes
``header=NAME: VALUE``, a field for the answer.
"""

import base64
import hashlib
import socketserver
import sys
from urllib.parse import parse_qs, urlsplit

PORT, NAME = int(sys.argv[1]), sys.argv[2]
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TOOLS = r"""
// Each returns what came of it, in a word: nothing is thrown.
const named = (error) => error.name;

function ask(url, options) {
  const said = (answer) => (answer.type === 'opaque' ? 'opaque' : answer.text());
  return fetch(url, { credentials: 'include', ...options }).then(said, named);
}

function load(tag, url) {
  return new Promise((resolve) => {
    const key = { link: 'href', object: 'data' }[tag] ?? 'src';
    const element = Object.assign(document.createElement(tag), { rel: 'stylesheet', [key]: url });
    element.onload = () => resolve('loaded');
    element.onerror = () => resolve('refused');
    document.body.append(element);
  });
}

function connect(url, ...protocols) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols);
    socket.onopen = () => { socket.close(); resolve('open'); };
    socket.onerror = () => resolve('refused');
  });
}

function follow(url) {
  return new Promise((resolve) => {
    const source = new EventSource(url, { withCredentials: true });
    source.onopen = () => { source.close(); resolve('open'); };
    source.onerror = () => { source.close(); resolve('refused'); };
  });
}

// What a call of these tools comes to in a frame of no origin.
function sandboxed(call) {
  return new Promise((resolve) => {
    addEventListener('message', ({ origin, data }) => resolve(`${origin} ${data}`), { once: true });
    const script = `${ask} ${connect} ${follow} const named = (error) => error.name;
      ${call}.then((said) => parent.postMessage(said, '*'))`;
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-scripts';
    frame.srcdoc = `<script>${script}<\/script>`;
    document.body.append(frame);
  });
}

function frame(url) {
  document.body.append(Object.assign(document.createElement('iframe'), { src: url }));
}

// A form needs nobody's leave; its answer is shown in a frame.
function submit(url, fields, enctype = 'application/x-www-form-urlencoded') {
  return new Promise((resolve) => {
    const frame = Object.assign(document.createElement('iframe'), { name: `f${Math.random()}` });
    document.body.append(frame);
    const form = document.createElement('form');
    Object.assign(form, { action: url, method: 'post', enctype, target: frame.name });
    for (const [name, value] of Object.entries(fields)) {
      form.append(Object.assign(document.createElement('input'), { name, value }));
    }
    document.body.append(form);
    frame.onload = () => resolve('answered');
    form.submit();
  });
}

function register(url, options) {
  return navigator.serviceWorker.register(url, options)
    .then(() => navigator.serviceWorker.ready).then(() => 'registered', named);
}
"""
WORKER = """
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
const page = ['<title>taken</title><h1>taken</h1>', { headers: { 'Content-Type': 'text/html' } }];
addEventListener('fetch', (event) => event.respondWith(new Response(...page)));
"""
PAGE = f"""<!doctype html><title>{NAME}</title><link rel=icon href=data:,><h1>{NAME}</h1>
<script src=/tools.js></script>"""
FILES = {
    "/tools.js": ("text/javascript", TOOLS),
    "/worker.js": ("text/javascript", WORKER),
    "/below/worker.js": ("text/javascript", WORKER),
    "/secret.js": ("text/javascript", f"window.secret = '{NAME}';"),
    "/secret.css": ("text/css", f"h1 {{ --secret: {NAME}; }}"),
    "/secret.svg": ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "/events": ("text/event-stream", f"data: {NAME}\n\n"),
}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        with open(f"{NAME}.heads", "ab", buffering=0) as kept:
            kept.write(head)
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        fields = {name.lower(): value for name, value in fields.items()}
        self.rfile.read(int(fields.get(b"content-length", b"0")))
        if fields.get(b"upgrade") == b"websocket":
            self.echo(fields[b"sec-websocket-key"])
        else:
            self.answer(urlsplit(head.split(b" ")[1].decode()))

    def answer(self, target):
        kind, text = FILES.get(target.path, ("text/html", PAGE))
        added = "".join(f"{line}\r\n" for line in parse_qs(target.query).get("header", []))
        body = text.encode()
        self.wfile.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            f"{added}Connection: close\r\n\r\n".encode()
            + body
        )

    def echo(self, key):
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        while data := self.connection.recv(65536):
            self.connection.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", PORT), Handler).serve_forever()
