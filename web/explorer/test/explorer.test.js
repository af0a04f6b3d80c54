// Tests the explorer in Chromium, as the server serves it under its policy: queries, mutations, subscriptions, and
// their credentials.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Server } from "../../../tests/clients/server.js";
import { openPage, startBrowser } from "../../browser.js";

let server;
let browser;

before(async () => {
  [server, browser] = await Promise.all([new Server().start(), startBrowser()]);
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

async function explore(path = "/graphiql") {
  const opened = await openPage(browser);
  const requests = [];
  opened.page.on("request", (request) => requests.push(request.url()));
  await opened.page.goto(server.url + path);
  // GraphiQL loads its editors last. A tab that is chosen before is not kept.
  const edits = (name) => {
    const editor = opened.page.locator(".graphiql-query-editor .view-lines");
    return editor
      .getByText(new RegExp(`^${name}\\b`))
      .first()
      .waitFor();
  };
  await edits("CreditLog");
  const tab = async (name) => {
    await opened.page.getByRole("tab", { name, exact: true }).click();
    await edits(name);
  };
  const run = () => opened.page.click(".graphiql-execute-button");
  const shows = async (text) => {
    const response = opened.page.locator(".result-window");
    const seen = response.getByText(text).first().waitFor({ timeout: 15_000 });
    await seen.catch(async (error) => assert.fail(`${text} is not in ${await response.innerText()} (${error.name})`));
  };
  return { ...opened, requests, tab, run, shows };
}

test("operations run as they are, by the sign-in that is filled in, and nothing is asked of another site", async () => {
  const { page, complaints, requests, tab, run, shows, close } = await explore();
  await run();
  await shows('"creditLog"');
  await tab("Book");
  await run();
  await shows('"BOOKED"');
  await tab("Complete");
  await run();
  await shows('"COMPLETED"');
  await tab("Refund");
  await run();
  await shows('"2.5"');
  await tab("Grant");
  await run();
  await shows('"5"');
  await tab("TopUp");
  await run();
  await shows('"PENDING"');
  await tab("SignUp");
  await run();
  await shows('"A new team"');
  // The editor's worker knows the schema: it marks a field that does not exist.
  await tab("CreditLog");
  await page.locator(".graphiql-query-editor .view-line").nth(3).click();
  await page.keyboard.press("End");
  await page.keyboard.type(" nonsense");
  await page.locator(".graphiql-query-editor .squiggly-error").first().waitFor({ timeout: 15_000 });
  assert.deepEqual(complaints, []);
  assert.deepEqual(
    requests.filter((url) => !url.startsWith(server.url) && !url.startsWith("data:") && !url.startsWith("blob:")),
    [],
  );
  const kept = await page.evaluate(() =>
    JSON.stringify([localStorage, sessionStorage, document.cookie, location.href]),
  );
  for (const secret of [server.apiKey, "eyJ"])
    assert.ok(!kept.includes(secret), "no credential is kept in the browser");
  await close();
});

test("a subscription is told what happens, and another sign-in and headers of one's own count", async () => {
  const { page, complaints, tab, run, shows, close } = await explore("/graphql");
  await tab("Live");
  await run();
  await shows('"CAUGHT_UP"');
  await server.post(1, { run: "explorer" });
  await shows('"0.0001"');
  await run();
  await tab("SignUp");
  await page.getByRole("combobox", { name: "Signed in as" }).selectOption("member");
  await run();
  await shows("FORBIDDEN");
  await page.getByRole("combobox", { name: "Signed in as" }).selectOption("");
  await run();
  await shows("UNAUTHENTICATED");
  assert.deepEqual(
    complaints.filter((text) => !text.includes("401")),
    [],
  );
  await close();
});
