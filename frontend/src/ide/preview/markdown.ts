/**
 * The page that a Markdown file makes. Two fences: DOMPurify keeps a short list of elements, and the
 * page's Content-Security-Policy runs no script that is not ours and loads no picture from elsewhere.
 */
import DOMPurify from "dompurify";
import { Marked } from "marked";
import { h, icon } from "../../lib/dom";
import { pictureType } from "./image";
import { parentOf, resolve } from "../paths";

export interface MarkdownHost {
  /** Bytes of a picture beside the document. */
  picture: (path: string) => Promise<Uint8Array<ArrayBuffer>>;
  open: (path: string) => void;
}

const TAGS = "a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img input ins kbd li ol p pre q s samp small span strong sub summary sup table tbody td th thead tr ul var".split(" ");
const ATTRIBUTES = ["href", "src", "alt", "title", "align", "open", "start", "type", "checked", "disabled", "colspan", "rowspan", "width", "height"];
const CHARACTERS_MOST = 500_000;
const PICTURES_MOST = 100;
const FRONT_MATTER = /^---\r?\n[\s\S]*?\r?\n---\r?\n/;

const marked = new Marked({ gfm: true, breaks: false });
const purify = DOMPurify(window);
// A picture would be fetched as soon as it is made, before anybody looked where from.
purify.addHook("afterSanitizeAttributes", (node) => {
  if (!(node instanceof Element) || node.localName !== "img") return;
  node.setAttribute("data-source", node.getAttribute("src") ?? "");
  node.removeAttribute("src");
});

/** Return the document as elements; `path` is the file, from which relative addresses begin. */
export function renderMarkdown(text: string, path: string, host: MarkdownHost): { element: HTMLElement; dispose: () => void } {
  const html = marked.parse(text.slice(0, CHARACTERS_MOST).replace(FRONT_MATTER, ""), { async: false });
  const fragment = purify.sanitize(html, { ALLOWED_TAGS: TAGS, ALLOWED_ATTR: ATTRIBUTES, ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false, RETURN_DOM_FRAGMENT: true });
  const element = h("article", { class: "prose" });
  element.append(fragment);
  if (text.length > CHARACTERS_MOST) element.append(h("p", { class: "muted" }, "The rest of this long file is left out."));
  const urls: string[] = [];
  const folder = parentOf(path);
  for (const box of element.querySelectorAll("input")) {
    if (box.type !== "checkbox") box.remove();
    box.disabled = true;
  }
  nameHeadings(element);
  for (const link of element.querySelectorAll("a")) wireLink(link, element, folder, host);
  for (const [i, picture] of [...element.querySelectorAll("img")].entries()) void showPicture(picture, i, folder, host, urls);
  return { element, dispose: () => { for (const url of urls) URL.revokeObjectURL(url); } };
}

/** Anchors as GitHub makes them, found in the document alone and never by the page's own ids. */
function nameHeadings(element: HTMLElement): void {
  const seen = new Map<string, number>();
  for (const heading of element.querySelectorAll<HTMLElement>("h1, h2, h3, h4, h5, h6")) {
    const slug = (heading.textContent ?? "").trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    heading.dataset["anchor"] = count ? `${slug}-${count}` : slug;
  }
}

function wireLink(link: HTMLAnchorElement, element: HTMLElement, folder: string, host: MarkdownHost): void {
  const address = link.getAttribute("href") ?? "";
  if (/^(https?:|mailto:)/i.test(address)) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return;
  }
  // Nothing of the document may lead to the pages of this server.
  link.removeAttribute("href");
  if (!address || /^([a-z][a-z0-9+.-]*:|\/\/)/i.test(address)) return;
  link.href = "#";
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const [file, anchor] = address.split("#", 2);
    if (file) return host.open(resolve(folder, decoded(file)));
    [...element.querySelectorAll<HTMLElement>("[data-anchor]")].find((one) => one.dataset["anchor"] === decoded(anchor ?? ""))?.scrollIntoView();
  });
}

async function showPicture(picture: HTMLImageElement, number: number, folder: string, host: MarkdownHost, urls: string[]): Promise<void> {
  const address = picture.dataset["source"] ?? "";
  picture.loading = "lazy";
  const remote = /^([a-z][a-z0-9+.-]*:|\/\/)/i.test(address);
  const instead = (why: string): void => picture.replaceWith(h("span", { class: "chip", title: address }, icon("image"), picture.alt || "Picture", ` · ${why}`));
  if (!address || remote || number >= PICTURES_MOST) return instead(remote ? "from elsewhere, not loaded" : "not shown");
  const path = resolve(folder, decoded(address.split(/[?#]/)[0]!));
  try {
    if (!pictureType(path)) throw new Error("no picture");
    const url = URL.createObjectURL(new Blob([await host.picture(path)], { type: pictureType(path) }));
    urls.push(url);
    picture.src = url;
  } catch {
    instead("not found");
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
