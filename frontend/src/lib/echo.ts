/** Tries whether WebSockets get through to the server. */

const PATIENCE_MS = 5000;

/** The address of a WebSocket of this page's own server. */
export const socketUrl = (path: string): string => `${location.origin.replace(/^http/, "ws")}${path}`;

/** What comes first over a WebSocket, after saying `hello` where there is something to say; null where nothing does in time. */
export function firstMessage(url: string, hello = ""): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    const finish = (result: string | null): void => {
      clearTimeout(timer);
      resolve(result);
      socket.close();
    };
    const timer = setTimeout(() => finish(null), PATIENCE_MS);
    socket.addEventListener("open", () => { if (hello) socket.send(hello); });
    socket.addEventListener("message", (event) => finish(String(event.data)));
    socket.addEventListener("error", () => finish(null));
    socket.addEventListener("close", () => finish(null));
  });
}

/** Whether any WebSocket gets through to the server. */
export const echoes = async (): Promise<boolean> => (await firstMessage(socketUrl("/api/v1/echo"), "echo")) === "echo";
