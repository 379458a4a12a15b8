/** ttyd 1.7.7's protocol: binary frames whose first byte is a command (ttyd/src/server.h). */

const encoder = new TextEncoder();

export interface Size {
  cols: number;
  rows: number;
}

/** The first message: it makes ttyd start the program at this size. */
export function hello(size: Size): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify({ AuthToken: "", columns: size.cols, rows: size.rows }));
}

export function input(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`0${text}`);
}

/** Input that is bytes already: mouse reports of the old encodings, one character a byte. */
export function binaryInput(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(`0${text}`, (character) => character.charCodeAt(0) & 0xff);
}

export function resize(size: Size): Uint8Array<ArrayBuffer> {
  return encoder.encode(`1${JSON.stringify({ columns: size.cols, rows: size.rows })}`);
}

/** The terminal's output in a frame, or null: the rest is ttyd's own title and preferences, which we have no use for. */
export function output(frame: ArrayBuffer): Uint8Array<ArrayBuffer> | null {
  const bytes = new Uint8Array(frame);
  return bytes[0] === 0x30 ? bytes.subarray(1) : null;
}
