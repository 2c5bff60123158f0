// OpenID providers: the npm package `oidc-provider`, and one that tells what it is told to.

import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import http from "node:http";
import Provider from "oidc-provider";

export const secret = "a secret of the client's, for tests";

async function listening(handler) {
  const server = http.createServer(handler);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const stop = () => new Promise((done) => server.close(done).closeAllConnections());
  return { issuer: `http://127.0.0.1:${server.address().port}`, stop, server };
}

/** A certified provider. `people` are its claims by subject; who signs in says which it is. */
export async function startProvider(people) {
  let answer;
  const { issuer, stop } = await listening((request, response) => answer(request, response));
  const redirects = [];
  const client = (origin) => ({
    client_id: "gateway",
    client_secret: secret,
    redirect_uris: redirects.concat(`${origin}/api/v1/oidc/callback`),
    grant_types: ["authorization_code"],
    response_types: ["code"],
  });
  return {
    issuer,
    stop,
    /** Knows the gateway at an origin. */
    register(origin) {
      const provider = new Provider(issuer, {
        clients: [client(origin)],
        claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email", "email_verified"] },
        cookies: { keys: ["only for tests"] },
        pkce: { required: () => true },
        findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
      });
      answer = provider.callback();
    },
    /** Signs a browser in as somebody, from the address that the gateway led it to. */
    async signIn(browser, url, login, { from } = {}) {
      const back = (at) => !at.startsWith(issuer);
      let at = await browser.go(url, { from, until: back });
      for (const prompt of ["login", "consent"]) {
        if (back(at.url)) break;
        const page = await at.answer.text();
        const form = new URL(page.match(/action="([^"]+)"/)[1], at.url).href;
        const body = new URLSearchParams({ prompt, login, password: "any" }).toString();
        const headers = { "content-type": "application/x-www-form-urlencoded" };
        at = await browser.go(form, { method: "POST", headers, body, from: issuer, until: back });
      }
      return at.url;
    },
  };
}

const base64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** A key, and how it signs. */
export function makeKey(kid) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" };
  const seal = (claims, header = { alg: "RS256", kid }) => {
    const text = `${base64(header)}.${base64(claims)}`;
    return `${text}.${sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
  };
  return { jwk, seal };
}

/** An id token without a signature, or with one that who knows the client's secret can make. */
export const unsigned = (claims) => `${base64({ alg: "none" })}.${base64(claims)}.`;
export function symmetric(claims) {
  const text = `${base64({ alg: "HS256" })}.${base64(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** A provider that answers for tokens whatever `tokens` answers. */
export async function startPuppet() {
  const puppet = { keys: [makeKey("first")], asked: [] };
  const json = (response, value, status = 200) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
  const { issuer, stop } = await listening(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    let body = "";
    for await (const piece of request) body += piece;
    if (pathname === "/.well-known/openid-configuration") {
      return json(response, {
        issuer: puppet.issuer,
        authorization_endpoint: `${puppet.issuer}/auth`,
        token_endpoint: `${puppet.issuer}/token`,
        jwks_uri: `${puppet.issuer}/jwks`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256", "HS256", "none"],
        authorization_response_iss_parameter_supported: true,
      });
    }
    if (pathname === "/jwks") return json(response, { keys: puppet.keys.map(({ jwk }) => jwk) });
    puppet.asked.push({ pathname, form: new URLSearchParams(body), headers: request.headers });
    if (pathname === "/token") return puppet.answer(response, json);
    response.writeHead(404).end();
  });
  puppet.claims = (more) => {
    const now = Math.floor(Date.now() / 1000);
    return { iss: issuer, aud: "gateway", sub: "puppet", iat: now, exp: now + 300, ...more };
  };
  /** From now on these are the tokens. */
  puppet.give = (id_token) => {
    puppet.answer = (response, json) => json(response, { access_token: "an access token", token_type: "Bearer", id_token });
  };
  return Object.assign(puppet, { issuer, stop });
}
