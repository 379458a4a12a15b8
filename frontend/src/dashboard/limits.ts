/** The three sliders for a workspace's limits, within what the account allows. */
import { h } from "../lib/dom";
import { bytes } from "../lib/format";
import type { Limits } from "../lib/types";

const MIB = 1024 * 1024;

export interface LimitFields {
  element: HTMLElement;
  value: () => Limits;
  set: (limits: Limits) => void;
}

interface Axis {
  label: string;
  steps: number[];
  show: (value: number) => string;
}

/** The multiples that make sense below a maximum, the maximum itself always among them. */
function steps(candidates: number[], max: number): number[] {
  const list = candidates.filter((n) => n < max);
  return [...list, max];
}

function slider(axis: Axis): { element: HTMLElement; value: () => number; set: (value: number) => void } {
  const output = h("output");
  const input = h("input", { type: "range", min: 0, max: axis.steps.length - 1, step: 1, "aria-label": axis.label });
  const value = (): number => axis.steps[Number(input.value)] ?? axis.steps[0]!;
  const show = (): void => {
    output.textContent = axis.show(value());
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", show);
  const set = (wanted: number): void => {
    // A value off the steps (set by an administrator) becomes a step of its own.
    if (wanted <= axis.steps.at(-1)! && !axis.steps.includes(wanted)) {
      axis.steps.push(wanted);
      axis.steps.sort((a, b) => a - b);
      input.max = String(axis.steps.length - 1);
    }
    const at = axis.steps.findLastIndex((step) => step <= wanted);
    input.value = String(Math.max(0, at));
    show();
  };
  return { element: h("label", { class: "slider field" }, h("span", { class: "label" }, axis.label), output, input), value, set };
}

/** Build the sliders. */
export function limitFields(allowance: Limits, start: Limits): LimitFields {
  const cpus = slider({ label: "Processors", steps: steps([0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64], allowance.cpus), show: (n) => `${n} ${n === 1 ? "core" : "cores"}` });
  const memory = slider({ label: "Memory", steps: steps([256, 512, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 65536].map((n) => n * MIB), allowance.memory_bytes), show: bytes });
  const pids = slider({ label: "Processes", steps: steps([64, 128, 256, 512, 1024, 2048, 4096, 8192], allowance.pids), show: String });
  const set = (limits: Limits): void => {
    cpus.set(limits.cpus);
    memory.set(limits.memory_bytes);
    pids.set(limits.pids);
  };
  set(start);
  return {
    element: h("div", { class: "split" }, cpus.element, memory.element, pids.element),
    value: () => ({ cpus: cpus.value(), memory_bytes: memory.value(), pids: pids.value() }),
    set,
  };
}
