"""A server for workspaces, of the standard library alone: ``python3 preview_app.py PORT``."""

import base64
import hashlib
import http.server
import json
import os
import sys
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            return self.echo()
        do = {"/endless": self.endless, "/chunks": self.chunks, "/events": self.events}
        return do.get(self.path, self.headers_seen)()

    def do_HEAD(self):
        self.do_GET()

    def headers_seen(self):
        self.say(json.dumps([self.path, *map(list, self.headers.items())]).encode())

    def say(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "__Host-rootblood-pass=stolen; Path=/; Secure")
        self.send_header("Set-Cookie", "sid=1; Domain=localhost")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            left -= len(piece)
            digest.update(piece)
        self.say(digest.hexdigest().encode(), 201)

    def piece(self, data):
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def begin(self, media):
        self.send_response(200)
        self.send_header("Content-Type", media)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunks(self):
        self.begin("text/plain")
        for number in range(100):
            self.piece(b"%d " % number * 1000)
        self.wfile.write(b"0\r\n\r\n")

    def events(self):
        self.begin("text/event-stream")
        for number in range(3):
            self.piece(b"data: %d\n\n" % number)
            while not os.path.exists(f"/tmp/event-{number}"):
                time.sleep(0.01)
        self.wfile.write(b"0\r\n\r\n")

    def endless(self):
        self.begin("text/plain")
        while True:
            self.piece(b"%d\n" % os.getpid())
            time.sleep(0.01)

    def echo(self):
        accept = hashlib.sha1(self.headers["Sec-WebSocket-Key"].encode() + GUID).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.close_connection = True
        if self.path == "/handshake":
            said = json.dumps(self.headers.items()).encode()
            text, close = b"\x81\x7e" + len(said).to_bytes(2, "big") + said, b"\x88\x00"
            self.connection.sendall(text + close)
            return
        while data := self.connection.recv(65536):
            self.connection.sendall(data)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
