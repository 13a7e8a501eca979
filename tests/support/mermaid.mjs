// Draws Mermaid diagrams as a browser does, with the Chromium that comes by npm.
//
//   node mermaid.mjs TOOLS < diagrams.json
//
// The diagrams are an object of PNG file and source. Prints what each shows, by file: its
// texts, and its width and height; or what is wrong with it. TOOLS has node_modules.

import { join } from "node:path";
import { text } from "node:stream/consumers";

import { launch } from "./browser.mjs";

const tools = process.argv[2];
const diagrams = JSON.parse(await text(process.stdin));
const browser = await launch(tools);
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
