/** Scrolling by finger: xterm.js 6 has none, so moves become the wheel events that tmux understands. */

const SLACK_PX = 8;
const LINES_PER_NOTCH = 2;
const FRICTION = 0.94;
const MIN_SPEED = 0.02;

/** Turn vertical drags on the host into wheel events at the finger; rowHeight is that of a line of text. */
export function scrollByTouch(host: HTMLElement, rowHeight: () => number): void {
  let last: { y: number; at: number } | null = null;
  let moved = false;
  let speed = 0;
  let rest = 0;
  let target: Element | null = null;
  let position = { x: 0, y: 0 };
  let frame = 0;

  const scroll = (pixels: number): void => {
    rest += pixels;
    const notch = rowHeight() * LINES_PER_NOTCH;
    while (Math.abs(rest) >= notch) {
      const sign = Math.sign(rest);
      rest -= sign * notch;
      target?.dispatchEvent(new WheelEvent("wheel", { deltaY: sign, deltaMode: WheelEvent.DOM_DELTA_LINE, clientX: position.x, clientY: position.y, bubbles: true, cancelable: true }));
    }
  };
  host.addEventListener("touchstart", (event) => {
    cancelAnimationFrame(frame);
    const touch = event.touches[0];
    if (event.touches.length !== 1 || !touch) return void (last = null);
    target = event.target as Element;
    position = { x: touch.clientX, y: touch.clientY };
    last = { y: touch.clientY, at: event.timeStamp };
    moved = false;
    speed = 0;
    rest = 0;
  }, { passive: true });
  host.addEventListener("touchmove", (event) => {
    const touch = event.touches[0];
    if (!last || !touch) return;
    const delta = last.y - touch.clientY;
    if (!moved && Math.abs(delta) < SLACK_PX) return;
    moved = true;
    event.preventDefault();
    const elapsed = Math.max(1, event.timeStamp - last.at);
    speed = 0.7 * (delta / elapsed) + 0.3 * speed;
    last = { y: touch.clientY, at: event.timeStamp };
    scroll(delta);
  }, { passive: false });
  host.addEventListener("touchend", (event) => {
    if (!moved) return;
    // Without this the finger's lift would count as a click.
    event.preventDefault();
    last = null;
    let before = performance.now();
    const glide = (now: number): void => {
      scroll(speed * (now - before));
      before = now;
      speed *= FRICTION;
      if (Math.abs(speed) > MIN_SPEED) frame = requestAnimationFrame(glide);
    };
    if (Math.abs(speed) > 0.15 && !matchMedia("(prefers-reduced-motion: reduce)").matches) frame = requestAnimationFrame(glide);
  });
}
