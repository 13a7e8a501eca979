// A browser: the Chromium that comes by npm, with the libraries that it needs.
//
//   const browser = await launch(tools);
//
// `tools` is the folder that has node_modules. The browser is unpacked there, once.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export async function launch(tools) {
  const from = createRequire(join(tools, "package.json"));
  const load = (name) => import(pathToFileURL(from.resolve(name)));
  const { default: chromium, inflate } = await load("@sparticuz/chromium");
  const { default: puppeteer } = await load("puppeteer-core");

  const packed = join(tools, "node_modules/@sparticuz/chromium");
  const { version } = JSON.parse(readFileSync(join(packed, "package.json")));
  const place = join(tools, `chromium-${version}`);
  if (!existsSync(place)) {
    const own = mkdtempSync(`${place}-`);
    process.env.TMPDIR = own; // where it is unpacked
    await chromium.executablePath();
    await inflate(join(packed, "bin/al2023.tar.br"));
    try {
      renameSync(own, place);
    } catch (error) {
      if (!existsSync(place)) throw error;
      rmSync(own, { recursive: true }); // another process was faster
    }
  }
  process.env.TMPDIR = place;
  process.env.LD_LIBRARY_PATH = join(place, "al2023/lib");
  return puppeteer.launch({
    args: [...chromium.args, "--disable-background-networking", "--disable-component-update"],
    executablePath: await chromium.executablePath(),
    headless: "shell",
  });
}
