// Creates new applications with the packed packages, as the READMEs describe: one with Vite, which is opened in
// Chromium, and one with Next.js.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Server } from "../../../tests/clients/server.js";
import { executablePath, startBrowser } from "../../browser.js";
import { until } from "../../client/test/waiting.js";
import { freePort, serve } from "./pageServer.js";
import { buy, card } from "./deeds.js";

const WEB = fileURLToPath(new URL("../..", import.meta.url));
/** The tools that create applications, at their tested versions. */
const VITE = "create-vite@9.2.1";
const NEXT = "create-next-app@16.4.3";
/** The maximum number of lines of an application's own code. */
const MOST = 30;

const home = mkdtempSync(join(tmpdir(), "ledgerbell-fresh."));
const run = (command, args, cwd) => {
  try {
    return execFileSync(command, args, {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, CI: "1", NEXT_TELEMETRY_DISABLED: "1" },
    });
  } catch (error) {
    throw new Error(`${command} ${args.join(" ")} failed:\n${error.stdout}\n${error.stderr}`);
  }
};

/** The application's own code: everything that is needed to show an account. */
const CODE = (
  url,
  token,
) => `${url.includes("import.meta") ? "" : '"use client";\n'}import { createLedgerbell } from "@ledgerbell/client";
import { Balance, Bell, CreditLog, Inbox, LedgerbellProvider, NotificationSettings, TopUps } from "@ledgerbell/react";
import "@ledgerbell/react/styles.css";

const client = createLedgerbell({
  url: ${url},
  token: () => fetch(${token}).then((response) => response.text()),
});

export default function Credits() {
  return (
    <LedgerbellProvider client={client} locale="en">
      <Bell />
      <Balance />
      <Inbox />
      <CreditLog />
      <TopUps />
      <NotificationSettings />
    </LedgerbellProvider>
  );
}
`;

function isShort(code) {
  const { length } = code.trim().split("\n");
  console.log(`the application's own code: ${length} lines`);
  assert.ok(length <= MOST);
}

const install = (cwd, tarballs) =>
  run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error", ...tarballs], cwd);

function vite(tarballs) {
  run("npx", ["--yes", VITE, "vite-app", "--template", "react-ts", "--no-interactive"], home);
  const app = join(home, "vite-app");
  const code = CODE("import.meta.env.VITE_LEDGERBELL_URL", '"/token"');
  isShort(code);
  writeFileSync(join(app, "src/App.tsx"), code);
  install(app, tarballs);
  return app;
}

/** Opens an application as the owner, and pays for a top-up that has failed. */
async function asOwner(browser, origin, topUp) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(origin);
  for (const name of ["Balance", "Alerts", "Credit log", "Top-ups", "Notifications"])
    await page.getByRole("region", { name, exact: true }).first().waitFor();
  const failed = page.getByRole("article", { name: `${topUp} credits` });
  await failed.getByRole("button", { name: "Retry now" }).click();
  await failed.getByText("Paid", { exact: true }).first().waitFor();
  await page.getByText("Top-up succeeded").filter({ visible: true }).first().waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
}

/** Opens the same application as a member, who may see less. */
async function asMember(browser, origin) {
  const page = await browser.newPage();
  await page.goto(origin);
  for (const name of ["Balance", "Alerts", "Credit log", "Notifications"])
    await page.getByRole("region", { name, exact: true }).first().waitFor();
  await page.locator("[aria-busy=true]").first().waitFor({ state: "detached" });
  assert.equal(await page.getByRole("region", { name: "Top-ups" }).count(), 0);
  await page.close();
}

async function inChromium(app, server, topUp) {
  writeFileSync(join(app, ".env"), `VITE_LEDGERBELL_URL=${server.endpoint}\n`);
  run("npm", ["run", "build"], app);
  const files = { "/token": server.ownerToken };
  const dist = join(app, "dist");
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      files[path.slice(dist.length)] = readFileSync(path);
    }
  const sizes = Object.entries(files).filter(([path]) => extname(path) === ".js");
  files["/"] = files["/index.html"];
  const pages = await serve(files);
  const browser = await startBrowser();
  try {
    await asOwner(browser, pages.origin, topUp);
    files["/token"] = server.memberToken;
    await asMember(browser, pages.origin);
    const { version } = JSON.parse(readFileSync(join(app, "node_modules/react/package.json"), "utf8"));
    console.log(
      `Vite, React ${version}: built, opened by an owner and a member, and retried a top-up; ${sizes.map(([path, { length }]) => `${path} ${(length / 1024).toFixed(0)} KiB`)}`,
    );
  } finally {
    await browser.close();
    pages.close();
  }
}

async function next(tarballs, server, topUp) {
  const flags = [
    "--ts",
    "--app",
    "--no-eslint",
    "--no-tailwind",
    "--no-src-dir",
    "--no-react-compiler",
    "--use-npm",
    "--skip-install",
    "--disable-git",
    "--yes",
  ];
  run("npx", ["--yes", NEXT, "next-app", ...flags], home);
  const app = join(home, "next-app");
  const code = CODE("process.env.NEXT_PUBLIC_LEDGERBELL_URL!", '"/token"');
  isShort(code);
  writeFileSync(join(app, "app/page.tsx"), code);
  // Its fonts come from another host, which this test does not cover.
  writeFileSync(
    join(app, "app/layout.tsx"),
    'export default function Layout({ children }: { children: React.ReactNode }) {\n  return <html lang="en"><body>{children}</body></html>;\n}\n',
  );
  writeFileSync(join(app, ".env"), `NEXT_PUBLIC_LEDGERBELL_URL=${server.endpoint}\n`);
  writeFileSync(join(app, "public/token"), server.ownerToken);
  install(app, tarballs);
  const told = run("npm", ["run", "build"], app);
  assert.ok(!/warning/i.test(told), told);
  const page = readFileSync(join(app, ".next/server/app/index.html"), "utf8");
  assert.match(page, /Credit log/);
  const origin = `http://127.0.0.1:${await freePort()}`;
  const flagsOfServer = ["start", "--hostname", "127.0.0.1", "--port", new URL(origin).port];
  const served = spawn(join(app, "node_modules/.bin/next"), flagsOfServer, { cwd: app, stdio: "ignore" });
  const browser = await startBrowser();
  try {
    await until(
      () =>
        fetch(origin).then(
          ({ ok }) => ok,
          () => false,
        ),
      "Next.js serves it",
      60,
    );
    await asOwner(browser, origin, topUp);
    console.log(
      "Next.js: type-checked, built, rendered on its server, hydrated without a complaint, and retried a top-up",
    );
  } finally {
    await browser.close();
    served.kill();
  }
}

let server;
try {
  if (!executablePath) throw new Error("chromium is not installed");
  const pack = (name) =>
    join(
      home,
      JSON.parse(run("npm", ["pack", "--json", "--workspace", name, "--pack-destination", home], WEB))[0].filename,
    );
  const tarballs = [pack("client"), pack("react")];
  server = await new Server().start();
  for (const credits of ["97", "98", "99"]) await buy(server, credits, await card(server, "card_declines_once"));
  const app = vite(tarballs);
  await inChromium(app, server, "98");
  // The same application with React 18.
  install(app, ["react@18", "react-dom@18", "@types/react@18", "@types/react-dom@18"]);
  await inChromium(app, server, "99");
  await next(tarballs, server, "97");
} finally {
  await server?.remove();
  rmSync(home, { recursive: true, force: true });
}
