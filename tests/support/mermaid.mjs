// Draws Mermaid diagrams as a browser does, with the Chromium that comes by npm.
//
//   node mermaid.mjs TOOLS < diagrams.json
//
// The diagrams are an object of PNG file and source. Prints what each shows, by file: its
// texts, and its width and height; or what is wrong with it. TOOLS has node_modules.

import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const tools = process.argv[2];
process.env.TMPDIR = tools; // where the browser is unpacked, once
const from = createRequire(join(tools, "package.json"));
const load = async (name) => (await import(pathToFileURL(from.resolve(name)))).default;
const [chromium, puppeteer] = [await load("@sparticuz/chromium"), await load("puppeteer-core")];

const diagrams = JSON.parse(await text(process.stdin));
const browser = await puppeteer.launch({
  args: [...chromium.args, "--disable-background-networking", "--disable-component-update"],
  executablePath: await chromium.executablePath(),
  headless: "shell",
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 2400, height: 1200, deviceScaleFactor: 2 });
  await page.setContent('<body style="margin: 0; font-family: sans-serif"><div></div></body>');
  await page.addScriptTag({ path: join(tools, "node_modules/mermaid/dist/mermaid.min.js") });
  const shown = {};
  for (const [file, source] of Object.entries(diagrams)) {
    shown[file] = await page.evaluate(async (source) => {
      try {
        mermaid.initialize({ startOnLoad: false });
        document.querySelector("div").innerHTML = (await mermaid.render("diagram", source)).svg;
        const box = document.querySelector("svg").getBoundingClientRect();
        const labels = [...document.querySelectorAll("svg foreignObject > *")];
        return { texts: labels.map((it) => it.innerText), width: box.width, height: box.height };
      } catch (error) {
        return { error: error.message };
      }
    }, source);
    if (!shown[file].error) {
      await (await page.$("svg")).screenshot({ path: file });
    }
  }
  console.log(JSON.stringify(shown));
} finally {
  await browser.close();
}
