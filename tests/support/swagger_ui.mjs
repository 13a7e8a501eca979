// Looks at the page of an API as a person does, and sends a request from it.
//
//   node swagger_ui.mjs TOOLS URL BODY PICTURE
//
// Opens POST /items, sends BODY, and leaves a picture of that. Prints what there is to see: the
// title, the operations, the response's status and body; and what the page complains about, or
// asks of other hosts. TOOLS has node_modules.

import { launch } from "./browser.mjs";

const [tools, url, body, picture] = process.argv.slice(2);
const create = ".opblock-post";
const response = `${create} .live-responses-table tbody`;

const browser = await launch(tools);
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1000, height: 1000, deviceScaleFactor: 0.7 });
  const elsewhere = [];
  const complaints = [];
  page.on("console", (it) => it.type() === "error" && complaints.push(it.text()));
  page.on("pageerror", (it) => complaints.push(it.message));
  page.on("request", (it) => {
    const { protocol, origin } = new URL(it.url());
    if (protocol !== "data:" && origin !== new URL(url).origin) elsewhere.push(it.url());
  });
  const texts = (selector) => page.$$eval(selector, (all) => all.map((it) => it.innerText.trim()));

  await page.goto(url);
  await page.waitForSelector(create);
  const title = await page.$eval(".info .title", (it) => it.firstChild.textContent.trim());
  const operations = await texts(".opblock-summary-method, .opblock-summary-path");

  await page.click(`${create} .opblock-summary-control`);
  await (await page.waitForSelector(`${create} .try-out__btn`)).click();
  const input = await page.waitForSelector(`${create} textarea.body-param__text`);
  await input.evaluate((it) => it.select());
  await input.type(body);
  await input.evaluate((it) => (it.style.minHeight = "4em")); // the picture needn't be that high
  await page.click(`${create} .execute`);
  await page.waitForSelector(`${response} .response-col_status`);
  const [status] = await texts(`${response} .response-col_status`);
  const [answer] = await texts(`${response} .highlight-code code`);

  const shown = await page.$(`${response} .highlight-code`);
  const height = await shown.evaluate((it) => it.getBoundingClientRect().bottom + window.scrollY);
  const clip = { x: 0, y: 0, width: 1000, height };
  await page.screenshot({ path: picture, clip, captureBeyondViewport: true });
  console.log(JSON.stringify({ title, operations, status, answer, elsewhere, complaints }));
} finally {
  await browser.close();
}
