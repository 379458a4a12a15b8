/** Share files from the browser: chosen, or dropped on the page. One at a time, each with its progress. */
import { Problem } from "../lib/api";
import { h, meta, setText } from "../lib/dom";
import { bytes } from "../lib/format";
import { toast, type Toast } from "../lib/toast";

/** Wire the button and the page of whoever looks at their own files. */
export function installShare(): void {
  const place = document.querySelector<HTMLElement>("[data-share]");
  const input = place?.querySelector<HTMLInputElement>("input[type=file]");
  if (!place || !input) return;
  const send = (files: FileList | null): void => { if (files?.length) void publishAll([...files], place.dataset["share"] ?? ""); };
  for (const hidden of place.querySelectorAll<HTMLElement>("[data-needs-script]")) hidden.hidden = false;
  input.addEventListener("change", () => { send(input.files); input.value = ""; });
  for (const kind of ["dragover", "dragleave", "drop"] as const)
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      place.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop") send(event.dataTransfer.files);
    });
}

async function publishAll(files: File[], folder: string): Promise<void> {
  let failed = false;
  for (const file of files) failed = !(await publish(file, folder)) || failed;
  if (!failed) location.reload();
}

/** Send one file; say how far it is and what went wrong. */
async function publish(file: File, folder: string): Promise<boolean> {
  const note = toast(`Sharing ${file.name}`, { seconds: 0, sticky: true, text: bytes(file.size) });
  const filled = h("span");
  note.body.append(h("div", { class: "bar" }, filled));
  try {
    await put(`/api/v1/share/${[...folder.split("/"), file.name].filter(Boolean).map(encodeURIComponent).join("/")}`, file, (sent) => {
      filled.style.width = `${(100 * sent) / Math.max(1, file.size)}%`;
      setText(note.body.querySelector<HTMLElement>(".small")!, `${bytes(sent)} of ${bytes(file.size)}`);
    }, note);
    return true;
  } catch (error) {
    const problem = error as Problem;
    toast(`${file.name} is not shared`, { kind: "error", text: [problem.message, problem.hint].filter(Boolean).join(". ") });
    return false;
  } finally {
    note.close();
  }
}

/** PUT with progress, which fetch cannot tell. Raises: Problem. */
function put(path: string, file: File, progress: (sent: number) => void, note: Toast): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", meta("csrf-token"));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("load", () => (request.status < 300 ? resolve() : reject(problemOf(request))));
    request.addEventListener("error", () => reject(new Problem("The server cannot be reached", 0)));
    request.addEventListener("abort", () => reject(new Problem("It was stopped", 0)));
    note.body.append(h("div", { class: "actions" }, h("button", { type: "button", class: "button tiny", onclick: () => request.abort() }, "Stop")));
    request.send(file);
  });
}

function problemOf(request: XMLHttpRequest): Problem {
  let fields: Record<string, string> = {};
  try {
    fields = JSON.parse(request.responseText) as Record<string, string>;
  } catch {
    // Not the server's own answer.
  }
  return new Problem(fields["title"] ?? `The server answered ${request.status}`, request.status, fields["detail"], fields["slug"], fields["hint"]);
}
