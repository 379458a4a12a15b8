/** A small line with a filled area, for values over the last minutes. */
import { svg } from "./dom";

const WIDTH = 300;
const HEIGHT = 42;
const SLOTS = 60;

export interface Sparkline {
  element: SVGElement;
  draw: (values: readonly number[]) => void;
}

/** The newest value is at the right edge; `ceiling` returns the value that fills the height. */
export function sparkline(label: string, ceiling: (values: readonly number[]) => number): Sparkline {
  const element = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  const area = svg("path", { fill: "currentColor", opacity: "0.16" });
  const line = svg("path", { fill: "none", stroke: "currentColor", "stroke-width": "1.6", "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke" });
  const base = svg("path", { d: `M0 ${HEIGHT - 0.5}H${WIDTH}`, stroke: "currentColor", opacity: "0.18", "stroke-width": "1", "vector-effect": "non-scaling-stroke" });
  element.append(base, area, line);
  return {
    element,
    draw(values) {
      const shown = values.slice(-SLOTS);
      if (shown.length < 2) return line.removeAttribute("d");
      const top = Math.max(ceiling(shown), 0.001);
      const step = WIDTH / (SLOTS - 1);
      const points = shown.map((value, i): [number, number] => [WIDTH - (shown.length - 1 - i) * step, HEIGHT - 1 - Math.min(1, value / top) * (HEIGHT - 4)]);
      const path = smooth(points);
      line.setAttribute("d", path);
      area.setAttribute("d", `${path}L${WIDTH} ${HEIGHT}L${points[0]![0].toFixed(1)} ${HEIGHT}Z`);
    },
  };
}

/** Horizontal-tangent curves between the points: they never overshoot a value. */
function smooth(points: [number, number][]): string {
  const f = (n: number): string => n.toFixed(1);
  let path = `M${f(points[0]![0])} ${f(points[0]![1])}`;
  for (let i = 1; i < points.length; i += 1) {
    const [x0, y0] = points[i - 1]!;
    const [x, y] = points[i]!;
    const middle = (x0 + x) / 2;
    path += `C${f(middle)} ${f(y0)} ${f(middle)} ${f(y)} ${f(x)} ${f(y)}`;
  }
  return path;
}
