/** Example request bodies of the API reference, made from the OpenAPI schemas. */
import { byId } from "./dom";

interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  example?: unknown;
  examples?: unknown[];
  default?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
}
interface Operation {
  requestBody?: { content?: Record<string, { schema?: Schema; example?: unknown }> };
}
interface Spec {
  paths?: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

function exampleOf(spec: Spec, schema: Schema, depth = 0): unknown {
  if (schema.$ref) return exampleOf(spec, spec.components?.schemas?.[schema.$ref.split("/").pop() ?? ""] ?? {}, depth + 1);
  if (schema.example !== undefined) return schema.example;
  const first = schema.examples?.[0] ?? schema.default ?? schema.enum?.[0];
  if (first !== undefined) return first;
  const choice = schema.anyOf?.[0] ?? schema.oneOf?.[0];
  if (choice) return exampleOf(spec, choice, depth + 1);
  if (schema.properties && depth < 5) return Object.fromEntries(Object.entries(schema.properties).map(([key, value]) => [key, exampleOf(spec, value, depth + 1)]));
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "array") return schema.items && depth < 5 ? [exampleOf(spec, schema.items, depth + 1)] : [];
  return { string: "text", integer: 1, number: 1, boolean: true }[type ?? ""] ?? {};
}

/** Fill the curl lines, and open the endpoint that the address names. */
export function fillExamples(): void {
  const spec = JSON.parse(byId("spec").textContent ?? "{}") as Spec;
  for (const place of document.querySelectorAll<HTMLElement>("[data-example]")) {
    const [method = "", path = ""] = (place.dataset["example"] ?? "").split(" ");
    const media = Object.values(spec.paths?.[path]?.[method]?.requestBody?.content ?? {})[0];
    if (media) place.textContent = JSON.stringify(media.example ?? exampleOf(spec, media.schema ?? {}));
  }
  const open = (): void => {
    const target = document.getElementById(location.hash.slice(1));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", open);
  open();
}
