// Bundles src/ into ../static/dist: scripts, styles, the icon sprite and a manifest of sizes.
import { build, context } from "esbuild";
import { rmSync } from "node:fs";
import { cp, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "../static/dist");
const pages = join(root, "../templates");
const watching = process.argv.includes("--watch");
// A server may be serving what is there: it is replaced when all of it is ready.
const out = watching ? dist : `${dist}.${process.pid}`;
if (!watching) process.on("exit", () => rmSync(out, { recursive: true, force: true }));

const shared = {
  absWorkingDir: root,
  outdir: out,
  bundle: true,
  minify: !watching,
  sourcemap: watching ? "linked" : false,
  legalComments: "none",
  target: ["chrome123", "firefox128", "safari17.5"],
  metafile: true,
  logLevel: "warning",
};

/** The blocking head script is a classic one, the rest are modules that share chunks. */
const targets = [
  { ...shared, entryPoints: ["src/theme.ts"], format: "iife" },
  {
    ...shared,
    entryPoints: { app: "src/app.ts", "app-page": "src/app-page.ts", commons: "src/commons.ts", dashboard: "src/dashboard.ts", doctor: "src/doctor.ts", home: "src/home.ts", ide: "src/ide.ts", "names-worker": "src/ide/quick/names-worker.ts" },
    format: "esm",
    splitting: true,
    chunkNames: "[name]-[hash]",
  },
  { ...shared, entryPoints: { app: "src/css/app.css", home: "src/css/home.css", ide: "src/css/ide.css" } },
];

async function filesUnder(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The names in icons.json, after a check that everything written as icon("name") or icon: "name" is one of them. */
async function iconNames() {
  const names = new Set(JSON.parse(await readFile(join(root, "icons.json"), "utf8")));
  for (const file of [...(await filesUnder(pages)), ...(await filesUnder(join(root, "src")))]) {
    if (![".html", ".ts"].includes(extname(file))) continue;
    const text = await readFile(file, "utf8");
    for (const [, name] of text.matchAll(/\bicon(?:\(|: )\s*["']([a-z0-9-]+)["']/g))
      if (!names.has(name)) throw new Error(`${file} uses the icon "${name}", which icons.json does not list`);
  }
  return [...names].sort();
}

async function writeSprite() {
  const symbols = await Promise.all(
    (await iconNames()).map(async (name) => {
      const svg = await readFile(join(root, "node_modules/lucide-static/icons", `${name}.svg`), "utf8");
      const shapes = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
      return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.replace(/\s+/g, " ").trim()}</symbol>`;
    }),
  );
  await writeFile(
    join(out, "icons.svg"),
    `<svg xmlns="http://www.w3.org/2000/svg" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${symbols.join("")}</svg>`,
  );
}

/** A manifest of sizes; beside each file stands its compressed self, for browsers. */
async function writeManifest() {
  const manifest = {};
  for (const file of (await readdir(out)).sort()) {
    if (file === "manifest.json") continue;
    const bytes = await readFile(join(out, file));
    const small = gzipSync(bytes, { level: 9 });
    manifest[file] = { bytes: bytes.length, gzip_bytes: small.length };
    await writeFile(join(out, `${file}.gz`), small);
  }
  await writeFile(join(out, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
  return manifest;
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await cp(join(root, "src/logo.svg"), join(out, "logo.svg"));
await writeSprite();
if (watching) {
  for (const target of targets) await (await context(target)).watch();
} else {
  await Promise.all(targets.map((target) => build(target)));
  for (const [file, size] of Object.entries(await writeManifest()))
    console.log(`${String(size.bytes).padStart(8)} ${String(size.gzip_bytes).padStart(8)} gz  ${file}`);
  await rm(dist, { recursive: true, force: true });
  await rename(out, dist);
}
