// The server in the workspace that the previews' benchmark opens: as little as HTTP can be.
const net = require("net"), crypto = require("crypto");
const hello = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
const block = Buffer.alloc(1 << 18);

function download(socket, left) {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${left}\r\n\r\n`);
  const more = () => {
    while (left > 0) {
      const piece = left < block.length ? block.subarray(0, left) : block;
      left -= piece.length;
      if (!socket.write(piece)) return socket.once("drain", more);
    }
  };
  more();
}

function serve(socket) {
  let held = "", echoes = false;
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    if (echoes) {
      const size = data[1] & 127;  // a short frame: unmasked it goes back
      const payload = Buffer.from(data.subarray(6, 6 + size));
      for (let i = 0; i < size; i++) payload[i] ^= data[2 + (i & 3)];
      if ((data[0] & 15) === 8) return socket.end();
      return socket.write(Buffer.concat([Buffer.from([0x82, size]), payload]));
    }
    held += data.toString("latin1");
    for (let end; (end = held.indexOf("\r\n\r\n")) >= 0 && !echoes;) {
      const head = held.slice(0, end);
      held = held.slice(end + 4);
      const key = /sec-websocket-key: *(\S+)/i.exec(head);
      if (key) {
        const accept = crypto.createHash("sha1")
          .update(key[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
        echoes = true;
        socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
          `Connection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      } else {
        const size = /^GET \/(\d+) /.exec(head);
        if (size) download(socket, Number(size[1])); else socket.write(hello);
      }
    }
  });
}

const [port, path] = process.argv.slice(-2);
net.createServer(serve).listen(Number(port), "0.0.0.0");
net.createServer(serve).listen(path);  // which is how a terminal is reached
