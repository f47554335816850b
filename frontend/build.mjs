// Builds gateway/web/static/vendor/ from src/ and the pinned packages, and VENDOR.json, which says what is in it.
// Run by `make assets` and by hatch_build.py, after `npm ci`.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import * as sass from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "..", "gateway", "web", "static", "vendor");
const modules = join(here, "node_modules");
const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

// GOV.UK Frontend's package carries no licence file; this is the text of its repository, with its copyright line.
const GOVUK_LICENCE = `The MIT License (MIT)

Copyright (C) 2017 Crown Copyright (Government Digital Service)

Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies
of the Software, and to permit persons to whom the Software is furnished to do
so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const styles = sass.compile(join(here, "src", "console.scss"), {
  style: "compressed",
  loadPaths: [modules],
  quietDeps: true,
});
writeFileSync(join(target, "console.css"), styles.css + "\n");
copyFileSync(join(modules, "htmx.org", "dist", "htmx.min.js"), join(target, "htmx.js"));

const bundled = new Set(["govuk-frontend", "htmx.org"]);
for (const name of ["govuk", "editor", "flow"]) {
  const result = await esbuild.build({
    entryPoints: [join(here, "src", `${name}.js`)],
    outfile: join(target, `${name}.js`),
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2020",
    legalComments: "none",
    metafile: true,
  });
  for (const path of Object.keys(result.metafile.inputs)) {
    const found = path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (found) bundled.add(found[1]);
  }
}

const licenceOf = (name) => {
  if (name === "govuk-frontend") return GOVUK_LICENCE;
  const folder = join(modules, name);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} brings no licence text: write it down here before it is shipped`);
  return readFileSync(join(folder, file), "utf8");
};

const packages = [...bundled].sort().map((name) => {
  const { version, license } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));
  return { name, version, licence: license, text: licenceOf(name) };
});

const files = {};
for (const name of readdirSync(target).sort()) files[name] = sha256(join(target, name));
const sources = {};
for (const name of ["build.mjs", "package.json", "package-lock.json"]) sources[name] = sha256(join(here, name));
for (const name of readdirSync(join(here, "src")).sort()) sources[`src/${name}`] = sha256(join(here, "src", name));
if (!existsSync(join(here, "package-lock.json"))) throw new Error("package-lock.json is missing");
writeFileSync(join(target, "VENDOR.json"), JSON.stringify({ sources, files, packages }, null, 1) + "\n");
