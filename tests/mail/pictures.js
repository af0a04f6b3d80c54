// Pictures of every mail, narrow and wide, light and dark, in every language, to be looked at by people; and a sheet of them all for
// each of these. Fails where a mail is wider than the window, or a button too small to tap.
//
// Usage: npm run pictures [DIRECTORY] [TEAM]. Needs Chromium, found by CHROMIUM or as /usr/bin/chromium, and the built program.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const EXECUTABLE = fileURLToPath(new URL("../../target/debug/ledgerbell", import.meta.url));
const WIDTHS = { narrow: 360, wide: 1000 };
const SCHEMES = ["light", "dark"];
// What a finger hits (WCAG 2.5.5).
const SMALLEST_BUTTON = 44;

const into = resolve(process.argv[2] ?? fileURLToPath(new URL("../../target/mail/pictures", import.meta.url)));
const mails = join(into, "mails");
mkdirSync(mails, { recursive: true });
const team = process.argv[3] ?? "Yogastudio am alten Güterbahnhof & Partner, Niederlassung Süd";
const env = { ...process.env, LEDGERBELL_MODE: "development" };
execFileSync(EXECUTABLE, ["mail", "preview", mails, "--team", team], { env });
const names = readdirSync(mails).filter((name) => name.endsWith(".html")).map((name) => name.slice(0, -".html".length));
const languages = [...new Set(names.map((name) => name.split(".").at(-1)))];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-background-networking"],
});
const complaints = [];
let taken = 0;
for (const [width, pixels] of Object.entries(WIDTHS)) {
  for (const scheme of SCHEMES) {
    const context = await browser.newContext({ viewport: { width: pixels, height: 200 }, colorScheme: scheme });
    const page = await context.newPage();
    for (const name of names) {
      await page.goto(pathToFileURL(join(mails, `${name}.html`)).toString());
      const { overflow, buttons } = await page.evaluate(() => ({
        overflow: document.documentElement.scrollWidth - window.innerWidth,
        buttons: [...document.querySelectorAll(".button")].map((button) => button.getBoundingClientRect().height),
      }));
      if (overflow > 0) complaints.push(`${name} is ${overflow} pixels too wide in a window of ${pixels}`);
      for (const height of buttons) if (height < SMALLEST_BUTTON) complaints.push(`a button of ${name} is ${height} pixels high`);
      await page.screenshot({ path: join(into, `${name}.${width}.${scheme}.png`), fullPage: true });
      taken += 1;
    }
    for (const language of languages) {
      const pictures = names.filter((name) => name.endsWith(`.${language}`)).map((name) => `${name}.${width}.${scheme}.png`);
      const sheet = pictures.map((file) => `<figure><img src="${file}" width="${pixels}"></figure>`).join("");
      const columns = width === "narrow" ? 5 : 2;
      const style = `body{margin:0;columns:${columns};column-gap:8px}figure{margin:0 0 8px;break-inside:avoid}`;
      writeFileSync(join(into, "sheet.html"), `<!DOCTYPE html><meta charset="utf-8"><style>${style}</style>${sheet}`);
      await page.setViewportSize({ width: columns * (pixels + 8), height: 200 });
      await page.goto(pathToFileURL(join(into, "sheet.html")).toString());
      await page.screenshot({ path: join(into, `sheet.${language}.${width}.${scheme}.png`), fullPage: true });
    }
    await context.close();
  }
}
await browser.close();
console.log(`${taken} pictures of ${names.length} mails are in ${into}`);
if (complaints.length > 0) throw new Error(complaints.join("\n"));
