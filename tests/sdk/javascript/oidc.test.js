// Signing in at an OpenID provider: with a certified one, and with one that lies.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Browser } from "./browser.js";
import { startGateway, stores } from "./harness.js";
import { makeKey, secret, startProvider, startPuppet, symmetric, unsigned } from "./issuer.js";

const start = "/api/v1/oidc/start";
const connection = "/api/v1/oidc/connection";
const section = (issuer, more = "new_users = true") =>
  `[oidc]\nissuer = "${issuer}"\nclient_id = "gateway"\nclient_secret_env = "OIDC_SECRET"\n${more}\n`;

/** A call of a page of the gateway's own. */
async function own(gateway, browser, method, path, body) {
  const session = await browser.call(`${gateway.origin}/api/v1/session`);
  const { csrf_token } = session.status === 200 ? await session.json() : {};
  const headers = { origin: gateway.origin, "content-type": "application/json" };
  if (csrf_token) headers["x-csrf-token"] = csrf_token;
  return browser.call(gateway.origin + path, { method, headers, body: body && JSON.stringify(body) });
}

async function whoIs(gateway, browser) {
  const answer = await browser.call(`${gateway.origin}/api/v1/session`);
  return answer.status === 200 ? answer.json() : undefined;
}

async function byPassword(gateway) {
  const browser = new Browser();
  const body = { name: "boss", password: gateway.password };
  assert.equal((await own(gateway, browser, "POST", "/api/v1/session", body)).status, 200);
  return browser;
}

async function refused(answer, status, code) {
  const { error } = await answer.json();
  assert.deepEqual([answer.status, error.code], [status, code], error.message);
  assert.ok(error.message.length > 20, error.message);
}

for (const store of stores) {
  describe(`a certified OpenID provider, on ${store}`, () => {
    const people = {
      "sub-1": { preferred_username: "ann", email: "ann@example.com", email_verified: true },
      "sub-2": { preferred_username: "ann" },
      "sub-3": { preferred_username: "boss", email: "boss@example.com", email_verified: true },
      "sub-4": { preferred_username: "eve" },
    };
    let provider;
    let gateway;
    before(async () => {
      provider = await startProvider(people);
      gateway = await startGateway(store, section(provider.issuer), { OIDC_SECRET: secret });
      provider.register(gateway.origin);
    });
    after(async () => {
      await gateway?.stop();
      await provider?.stop();
    });

    /** Where a browser is sent back to, signed in as somebody. */
    const wayBack = (browser, login) => provider.signIn(browser, gateway.origin + start, login);
    const comeBack = (browser, url) => browser.call(url, { from: provider.issuer });
    const signIn = async (login, browser = new Browser()) => {
      const answer = await comeBack(browser, await wayBack(browser, login));
      return { browser, answer };
    };

    test("a person becomes a member, and is known by its subject alone", async () => {
      const { browser, answer } = await signIn("sub-1");
      assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/docs"]);
      const line = browser.cookie(gateway.origin, "__Host-tb_sid");
      for (const part of ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"]) assert.ok(line.includes(part), line);
      assert.equal(browser.cookie(gateway.origin, "__Host-tb_oidc"), undefined);
      const ann = await whoIs(gateway, browser);
      assert.deepEqual([ann.name, ann.role], ["ann", "member"]);
      assert.deepEqual(ann.oidc, { issuer: provider.issuer, subject: "sub-1" });
      const { data } = await (await browser.call(`${gateway.origin}/api/v1/audit`)).json();
      const added = data.find(({ action }) => action === "user.add");
      assert.deepEqual([added.who, added.details.subject, added.details.issuer], ["gateway", "sub-1", provider.issuer]);

      people["sub-1"].preferred_username = "another name";
      const again = await whoIs(gateway, (await signIn("sub-1")).browser);
      assert.deepEqual([again.user, again.name], [ann.user, "ann"]);
      assert.notEqual(again.session, ann.session);
      // Whoever has ann's name there is not ann here.
      for (const login of ["sub-2", "sub-3"]) {
        const other = await signIn(login);
        await refused(other.answer, 409, "oidc_name_taken");
        assert.equal(await whoIs(gateway, other.browser), undefined);
      }
    });

    test("who is signed in connects the provider, and takes it away again", async () => {
      const boss = await byPassword(gateway);
      const begun = await own(gateway, boss, "POST", connection);
      assert.equal(begun.status, 200);
      const { url } = await begun.json();
      const back = await provider.signIn(boss, url, "sub-3", { from: gateway.origin });
      // Not in a browser that it was not begun in.
      await refused(await comeBack(new Browser(), back), 400, "oidc_not_begun");
      assert.equal((await comeBack(boss, back)).status, 303);
      assert.equal((await whoIs(gateway, boss)).oidc.subject, "sub-3");
      const { browser } = await signIn("sub-3");
      const there = await whoIs(gateway, browser);
      assert.deepEqual([there.name, there.role], ["boss", "operator"]);
      const { data } = await (await browser.call(`${gateway.origin}/api/v1/audit`)).json();
      assert.ok(data.some(({ action, details }) => action === "user.connect" && details.subject === "sub-3"));

      // ann's subject is ann's.
      const other = await (await own(gateway, boss, "POST", connection)).json();
      const anns = new Browser();
      anns.steal(boss, gateway.origin);
      const taken = await provider.signIn(anns, other.url, "sub-1", { from: gateway.origin });
      await refused(await comeBack(anns, taken), 409, "oidc_connected");

      assert.equal((await own(gateway, boss, "DELETE", connection)).status, 204);
      await refused((await signIn("sub-3")).answer, 409, "oidc_name_taken");
    });

    test("a session that has ended connects nothing", async () => {
      const boss = await byPassword(gateway);
      const { url } = await (await own(gateway, boss, "POST", connection)).json();
      const back = await provider.signIn(boss, url, "sub-3", { from: gateway.origin });
      assert.equal((await own(gateway, boss, "DELETE", "/api/v1/session")).status, 204);
      await refused(await comeBack(boss, back), 403, "oidc_user_refused");
    });

    test("a code is good once, and in the browser that fetched it", async () => {
      const browser = new Browser();
      const back = await wayBack(browser, "sub-4");
      const thief = new Browser();
      await refused(await comeBack(thief, back), 400, "oidc_not_begun");
      await thief.call(gateway.origin + start); // has a journey of its own
      await refused(await comeBack(thief, back), 400, "oidc_not_begun");
      const state = new URL(back);
      state.searchParams.set("state", "A".repeat(43));
      await refused(await comeBack(browser, state.href), 400, "oidc_not_begun");
      const twice = `${back}&code=another`;
      await refused(await comeBack(browser, twice), 400, "oidc_not_begun");
      thief.steal(browser, gateway.origin);
      assert.equal((await comeBack(browser, back)).status, 303);
      await refused(await comeBack(browser, back), 400, "oidc_not_begun");
      await refused(await comeBack(thief, back), 400, "oidc_code_refused");
      assert.equal(await whoIs(gateway, thief), undefined);
    });

    test("a disabled user is refused", async () => {
      const { browser } = await signIn("sub-1");
      const { user } = await whoIs(gateway, browser);
      const boss = await byPassword(gateway);
      const set = (enabled) => own(gateway, boss, "PATCH", `/api/v1/admin/users/${user}`, { enabled });
      assert.equal((await set(false)).status, 200);
      assert.equal(await whoIs(gateway, browser), undefined);
      const again = await signIn("sub-1");
      await refused(again.answer, 403, "oidc_user_refused");
      assert.equal(await whoIs(gateway, again.browser), undefined);
      assert.equal((await set(true)).status, 200);
      assert.equal((await signIn("sub-1")).answer.status, 303);
    });
  });
}

describe("an OpenID provider that lies", () => {
  let puppet;
  let gateway;
  before(async () => {
    puppet = await startPuppet();
    gateway = await startGateway("sqlite", section(puppet.issuer), { OIDC_SECRET: secret });
  });
  after(async () => {
    await gateway?.stop();
    await puppet?.stop();
  });

  /** A browser that was led to the provider, and with what. */
  async function led(at = gateway) {
    const browser = new Browser();
    const answer = await browser.call(at.origin + start);
    assert.equal(answer.status, 303, await answer.text());
    return { browser, asked: new URL(answer.headers.get("location")).searchParams };
  }
  const back = ({ browser, asked }, more = {}, at = gateway) => {
    const query = { state: asked.get("state"), iss: puppet.issuer, code: "a code of the provider's", ...more };
    const kept = Object.entries(query).filter(([, value]) => value !== undefined);
    return browser.call(`${at.origin}/api/v1/oidc/callback?${new URLSearchParams(kept)}`, { from: puppet.issuer });
  };

  test("what goes there has state, nonce and PKCE, and nothing that comes twice", async () => {
    const [{ browser, asked }, other] = [await led(), await led()];
    assert.equal(asked.get("code_challenge_method"), "S256");
    assert.equal(asked.get("redirect_uri"), `${gateway.origin}/api/v1/oidc/callback`);
    assert.deepEqual(asked.get("scope").split(" ").sort(), ["email", "openid", "profile"]);
    const made = ["state", "nonce", "code_challenge"];
    const all = made.flatMap((name) => [asked.get(name), other.asked.get(name)]);
    assert.ok(all.every((text) => text.length === 43), all);
    assert.equal(new Set(all).size, 6);
    const line = browser.cookie(gateway.origin, "__Host-tb_oidc");
    for (const part of ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=600"]) assert.ok(line.includes(part), line);
    for (const text of all) assert.ok(!line.includes(text));
  });

  test("an id token that is not for this sign-in opens nothing", async () => {
    const [key] = puppet.keys;
    const stranger = makeKey("first");
    const ago = Math.floor(Date.now() / 1000) - 3600;
    const lies = {
      "another nonce": (nonce) => key.seal(puppet.claims({ nonce: `${nonce}x` })),
      "no nonce": () => key.seal(puppet.claims()),
      "another audience": (nonce) => key.seal(puppet.claims({ nonce, aud: "another client" })),
      "a second audience": (nonce) => key.seal(puppet.claims({ nonce, aud: ["gateway", "another client"] })),
      "another issuer": (nonce) => key.seal(puppet.claims({ nonce, iss: "https://elsewhere.example" })),
      "an hour old": (nonce) => key.seal(puppet.claims({ nonce, iat: ago - 300, exp: ago })),
      "another's key": (nonce) => stranger.seal(puppet.claims({ nonce })),
      "no signature": (nonce) => unsigned(puppet.claims({ nonce })),
      "the client's secret for a key": (nonce) => symmetric(puppet.claims({ nonce })),
      nothing: () => undefined,
    };
    for (const [what, lie] of Object.entries(lies)) {
      const person = await led();
      puppet.give(lie(person.asked.get("nonce")));
      const answer = await back(person);
      assert.equal(answer.status, 502, what);
      await refused(answer, 502, "oidc_token_refused");
      assert.equal(await whoIs(gateway, person.browser), undefined, what);
    }
  });

  test("the code goes with the verifier and the client's secret, and a new key is learnt", async () => {
    const person = await led();
    const fresh = makeKey("second");
    puppet.keys = [fresh];
    puppet.give(fresh.seal(puppet.claims({ nonce: person.asked.get("nonce"), preferred_username: "punch" })));
    assert.equal((await back(person)).status, 303);
    assert.equal((await whoIs(gateway, person.browser)).name, "punch");
    const { form, headers } = puppet.asked.at(-1);
    const { createHash } = await import("node:crypto");
    const challenge = createHash("sha256").update(form.get("code_verifier")).digest("base64url");
    assert.equal(challenge, person.asked.get("code_challenge"));
    assert.equal(form.get("code"), "a code of the provider's");
    const [, login] = Buffer.from(headers.authorization.slice("Basic ".length), "base64").toString().split(":");
    assert.equal(decodeURIComponent(login.replaceAll("+", " ")), secret);
  });

  test("another provider's answer is none, and a no is told", async () => {
    const asked = puppet.asked.length;
    const person = await led();
    await refused(await back(person, { iss: "https://elsewhere.example" }), 400, "oidc_not_begun");
    await refused(await back(person, { iss: undefined }), 400, "oidc_not_begun");
    await refused(await back(person, { error: "access_denied" }), 400, "oidc_not_begun");
    await refused(await back(person, { code: undefined, error: "access_denied" }), 403, "oidc_denied");
    const words = await back(person, { code: undefined, error: "<b>words of its own" });
    assert.ok(!(await words.text()).includes("words of its own"));
    assert.equal(puppet.asked.length, asked, "no code was sent anywhere");
  });

  test("a provider that leads on, says too much or nothing is not followed", async () => {
    const answers = [
      (response) => response.writeHead(307, { location: `${puppet.issuer}/elsewhere` }).end(),
      (response, json) => json(response, { access_token: "x".repeat(70_000), token_type: "Bearer" }),
      (response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>hello"),
      (response) => response.destroy(),
    ];
    for (const answer of answers) {
      puppet.answer = answer;
      await refused(await back(await led()), 503, "oidc_unavailable");
    }
    assert.ok(!puppet.asked.some(({ pathname }) => pathname === "/elsewhere"));
  });

  test("only addresses of the right domain, and people who are known", async () => {
    const more = 'email_domains = ["example.com"]';
    const closed = await startGateway("sqlite", section(puppet.issuer, more), { OIDC_SECRET: secret });
    try {
      const [key] = puppet.keys;
      const come = async (email, email_verified) => {
        const person = await led(closed);
        puppet.give(key.seal(puppet.claims({ nonce: person.asked.get("nonce"), email, email_verified })));
        return back(person, {}, closed);
      };
      await refused(await come("ann@example.com", false), 403, "oidc_domain_refused");
      await refused(await come("ann@example.com.elsewhere.example", true), 403, "oidc_domain_refused");
      await refused(await come("ann@example.com", true), 403, "oidc_user_unknown");
    } finally {
      await closed.stop();
    }
  });

  test("who comes back too often waits, and nothing secret is logged", async () => {
    let answer;
    for (let tries = 0; tries < 40; tries += 1) {
      answer = await new Browser().call(`${gateway.origin}/api/v1/oidc/callback?code=x`);
      if (answer.status !== 400) break;
    }
    await refused(answer, 429, "rate_limit_exceeded");
    const log = await gateway.log();
    assert.match(log, /nobody can sign in at the OpenID provider/);
    for (const hidden of [secret, encodeURIComponent(secret), "a code of the provider", "an access token", puppet.asked.at(-1).form.get("code_verifier")]) {
      assert.ok(!log.includes(hidden), hidden);
    }
  });
});

test("a provider that is down is told, and passwords still do", async () => {
  const puppet = await startPuppet();
  const gateway = await startGateway("sqlite", section(puppet.issuer), { OIDC_SECRET: secret });
  try {
    await puppet.stop();
    await refused(await new Browser().call(gateway.origin + start), 503, "oidc_unavailable");
    assert.equal((await whoIs(gateway, await byPassword(gateway))).role, "operator");
  } finally {
    await gateway.stop();
  }
});

test("without a provider there is no such sign-in", async () => {
  const gateway = await startGateway("sqlite", "");
  try {
    await refused(await new Browser().call(gateway.origin + start), 404, "oidc_not_offered");
  } finally {
    await gateway.stop();
  }
});
