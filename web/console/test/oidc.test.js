// Tests the sign-in at an issuer (npm oidc-provider) by the authorization code flow with PKCE, in Chromium.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import Provider from "oidc-provider";

import { openPage, startBrowser } from "../../browser.js";
import { freePort } from "../../react/test/pageServer.js";

const EXECUTABLE = fileURLToPath(new URL("../../../target/debug/ledgerbell", import.meta.url));

const directory = mkdtempSync(join(tmpdir(), "ledgerbell-oidc."));
let issuer;
let base;
let server;
let browser;
const listeners = [];

async function listen(handler) {
  const listener = createServer(handler);
  await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
  listeners.push(listener);
  return listener.address().port;
}

async function startIssuer() {
  let provider;
  const port = await listen((request, response) => provider.callback()(request, response));
  issuer = `http://127.0.0.1:${port}`;
  provider = new Provider(issuer, {
    clients: [
      {
        client_id: "console",
        token_endpoint_auth_method: "none",
        redirect_uris: [`${base}/`],
        post_logout_redirect_uris: [`${base}/`],
      },
    ],
    pkce: { required: () => true },
    // Most issuers let a browser's client call the token endpoint from the client's own origin.
    clientBasedCORS: (_context, origin) => origin === base,
    claims: { openid: ["sub", "acct"] },
    conformIdTokenClaims: false,
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, acct: "team" }) }),
    cookies: { keys: ["a key of this test"] },
    ttl: { IdToken: 3_600, Session: 3_600, Grant: 3_600, Interaction: 600, AccessToken: 600 },
  });
}

async function startServer() {
  const settings = {
    LEDGERBELL_MODE: "development",
    LEDGERBELL_DATA_DIR: directory,
    LEDGERBELL_LISTEN: base.slice("http://".length),
    LEDGERBELL_AUTH_JWKS_URL: `${issuer}/jwks`,
    LEDGERBELL_AUTH_ISSUER: issuer,
    LEDGERBELL_AUTH_AUDIENCE: "console",
    LEDGERBELL_PAGES_OIDC_CLIENT_ID: "console",
    LEDGERBELL_PAGES_OIDC_TOKEN: "id",
    LEDGERBELL_LOG_LEVEL: "warn",
  };
  const env = { ...process.env, ...settings };
  execFileSync(EXECUTABLE, ["migrate"], { env });
  const permissions = ["--permissions", "MANAGE_ACCOUNTS,MANAGE_MEMBERS,READ_CREDIT_LOG"];
  const printed = execFileSync(EXECUTABLE, ["api-key", "create", "--name", "Test", ...permissions], { env }).toString();
  const [key] = /lb_\w+/.exec(printed);
  server = spawn(EXECUTABLE, ["serve"], { env, stdio: ["ignore", "ignore", "inherit"] });
  for (let tries = 0; ; tries++) {
    const ready = await fetch(`${base}/health/ready`).catch(() => null);
    if (ready?.ok) break;
    assert.ok(tries < 300, "the server is not ready");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const input = {
    externalId: "team",
    name: "Brightwater Studio",
    creditPrice: "1.20",
    currency: "EUR",
    owner: { externalId: "ada", name: "Ada Lovelace", role: "OWNER" },
  };
  const query = "mutation ($input: CreateAccountInput!) { createAccount(input: $input) { userErrors { message } } }";
  const response = await fetch(`${base}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables: { input } }),
  });
  assert.deepEqual((await response.json()).data, { createAccount: { userErrors: [] } });
}

before(async () => {
  base = `http://127.0.0.1:${await freePort()}`;
  await startIssuer();
  await startServer();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  server?.kill("SIGKILL");
  for (const listener of listeners) listener.closeAllConnections();
  for (const listener of listeners) listener.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Returns everything of a page that outlives it, or that others can see. */
const kept = (page) => page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href]));

async function signIn(page, name) {
  await page.goto(base);
  await page.getByRole("button", { name: "Sign in with your organization" }).click();
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

test("a member signs in at the issuer, stays signed in when the page is loaded again, and signs out", async () => {
  const { page, complaints, close } = await openPage(browser);
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url())));
  await signIn(page, "ada");
  await page.locator(".console-who").getByText("Ada Lovelace").waitFor();
  assert.equal(page.url(), `${base}/`, "nothing of the answer is left in the address");
  const authorization = asked.find((url) => url.pathname === "/auth");
  assert.equal(authorization.searchParams.get("code_challenge_method"), "S256");
  assert.ok(!(await kept(page)).includes("eyJ"));

  await page.reload();
  await page.locator(".console-who").getByText("Ada Lovelace").waitFor();
  assert.equal(asked.findLast((url) => url.pathname === "/auth").searchParams.get("prompt"), "none");
  assert.ok(!(await kept(page)).includes("eyJ"));
  // The issuer's own pages load fonts from other hosts.
  assert.deepEqual(
    complaints.filter((text) => text.includes("Content Security Policy")),
    [],
  );

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: /Yes/ }).click();
  await page.getByRole("button", { name: "Sign in with your organization" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Sign in with your organization" }).waitFor();
  await close();
});

test("who is no member is told so, and an answer that was not asked for signs nobody in", async () => {
  const stranger = await openPage(browser);
  await signIn(stranger.page, "mallory");
  await stranger.page.getByText("This could not be loaded.").waitFor();
  await stranger.close();

  const { page, close } = await openPage(browser);
  await page.goto(`${base}/?code=stolen&state=stolen`);
  await page.getByRole("alert").getByText("This sign-in was not begun here").waitFor();
  assert.equal(page.url(), `${base}/`);
  await close();
});
