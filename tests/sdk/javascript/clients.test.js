// The package `ai-creator-sdk` against a running gateway: every method, and its types.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { OAuthClient } from "ai-creator-sdk";
import OpenAI from "openai";
import { Stream } from "openai/core/streaming";
import { startDemo, stores, until } from "./harness.js";

const key = "0123456789abcdef0123456789abcd01.0123456789demo01"; // one that the simulated GLM takes
const messages = [{ role: "user", content: "你好" }];

for (const store of stores) {
  describe(`clients on ${store}`, () => {
    let demo, apiKey, oauth, tokens;
    before(async () => {
      demo = await startDemo(store);
      apiKey = await demo.tokenFor("chat,accounts:read,accounts:write");
      ({ oauth, tokens } = new OAuthClient({ apiKey, baseURL: demo.baseURL, maxRetries: 0 }));
    });
    after(() => demo.stop());

    test("the guide's snippet", async () => {
      process.env.AI_CREATOR_BASE_URL = new URL(demo.baseURL).origin;
      const client = new OAuthClient({ apiKey });
      delete process.env.AI_CREATOR_BASE_URL;
      const accounts = await client.oauth.listAccounts();
      const response = await client.oauth.chatCompletion({
        accountId: accounts[0].id,
        messages: [{ role: "user", content: "Hello" }],
        model: "qwen-plus",
      });
      assert.ok(response.choices[0].message.content);
      assert.ok((await client.openai.models.list()).data.length > 0);
    });

    test("a stream is OpenAI's own", async () => {
      const [{ id: accountId }] = await oauth.listAccounts({ platform: "ernie" });
      const whole = await oauth.chatCompletion({ accountId, messages });
      const stream = await oauth.chatCompletion({ accountId, messages, stream: true });
      assert.ok(stream instanceof Stream);
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
      assert.equal(text, whole.choices[0].message.content);
    });

    test("a team and its members", async () => {
      const { pools } = new OAuthClient({ apiKey, baseURL: demo.baseURL, maxRetries: 0 });
      const lab = await pools.create({ name: "lab", policy: "sticky" });
      assert.deepEqual([lab.kind, lab.role, lab.policy], ["team", "owner", "sticky"]);
      assert.equal((await pools.list()).at(-1).id, lab.id);
      assert.equal((await pools.setMember(lab.id, "demo", { role: "owner" })).role, "owner");
      assert.deepEqual((await pools.members(lab.id)).map(({ user }) => user), ["demo"]);
      await assert.rejects(pools.removeMember(lab.id, "demo"), { status: 409, code: "last_owner" });
      const usual = await pools.update(lab.id, { name: "studio", policy: null });
      assert.deepEqual([usual.name, usual.policy_is_default], ["studio", true]);
      const account = await oauth.addAccount({ platform: "glm", accountName: "moved", key });
      assert.equal((await oauth.updateAccount(account.id, { pool: lab.id })).pool, lab.id);
      const back = await oauth.updateAccount(account.id, { pool: account.pool, priority: 7 });
      assert.deepEqual([back.pool, back.priority, back.status], [account.pool, 7, "active"]);
      await assert.rejects(async () => oauth.updateAccount(account.id, { pool: 999 }), {
        status: 404,
        code: "pool_not_found",
      });
      await oauth.deleteAccount(account.id);
      await pools.delete(lab.id);
      await assert.rejects(pools.get(lab.id), { status: 404, code: "pool_not_found" });
    });

    test("an account from its key to its end", async () => {
      const glm = (await oauth.listPlatforms()).find(({ id }) => id === "glm");
      assert.deepEqual(glm.methods[0].fields, ["key"]);
      const account = await oauth.addAccount({ platform: "glm", accountName: "mine", key, limit: 5000 });
      assert.deepEqual([account.status, account.quota_total], ["active", 5000]);
      assert.equal((await oauth.checkAccount(account.id)).verdict, "valid");
      const changed = await oauth.updateAccount(account.id, { accountName: "yours", enabled: false });
      assert.deepEqual([changed.account_name, changed.status], ["yours", "disabled"]);
      await oauth.updateAccount(account.id, { enabled: true });

      let used = 0;
      for (let count = 0; count < 3; count += 1) {
        used += (await oauth.chatCompletion({ accountId: account.id, messages })).usage.total_tokens;
      }
      await until(async () => (await oauth.getAccount(account.id)).quota_used === used, "the settlements");
      const records = async () => {
        const all = [];
        for await (const record of oauth.iterAccountUsage(account.id)) all.push(record);
        return all;
      };
      const all = await until(async () => ((await records()).length === 3 ? records() : undefined), "the records");
      const first = await oauth.accountUsage(account.id, { limit: 2 });
      const rest = await oauth.accountUsage(account.id, { before: first.next });
      assert.deepEqual([...first.data, ...rest.data].map(({ id }) => id), all.map(({ id }) => id));
      const report = await oauth.usage({ by: ["account", "model"] });
      assert.equal(report.data.find((row) => row.account === account.id).calls, 3);

      assert.equal(await oauth.deleteAccount(account.id), undefined);
      await assert.rejects(async () => oauth.getAccount(account.id), (error) => {
        assert.ok(error instanceof OpenAI.NotFoundError);
        return error.code === "account_not_found";
      });
    });

    test("a token from its making to its end", async () => {
      const made = await tokens.create({ name: "ci", scopes: ["chat"], requestsPerMinute: 60 });
      assert.deepEqual([made.name, made.scopes, made.requests_per_minute], ["ci", ["chat"], 60]);
      const holder = new OAuthClient({ apiKey: made.token, baseURL: demo.baseURL, maxRetries: 0 });
      assert.equal((await holder.oauth.me()).token.id, made.id);
      const shown = await until(async () => {
        const shown = await tokens.get(made.id);
        return shown.last_used_at && shown;
      }, "the last use");
      assert.deepEqual((await tokens.list()).find(({ id }) => id === made.id), shown);
      assert.equal((await tokens.update(made.id, { keepBodies: true })).keep_bodies, true);
      await assert.rejects(async () => tokens.update(made.id, { requestsPerMinute: null }), {
        constructor: OpenAI.PermissionDeniedError,
        code: "stronger_token",
        param: "requests_per_minute",
      });
      assert.equal(await tokens.revoke(made.id), undefined);
      await assert.rejects(async () => holder.oauth.me(), { constructor: OpenAI.AuthenticationError });
    });

    test("notices and the audit log", async () => {
      const { id } = await oauth.addAccount({ platform: "glm", accountName: "small", key, limit: 1 });
      await oauth.chatCompletion({ accountId: id, messages });
      const unread = async () => (await oauth.notices({ unread: true })).data.filter((one) => one.account_id === id);
      const [notice] = await until(async () => ((await unread()).length ? unread() : undefined), "the notice");
      assert.deepEqual([notice.kind, notice.percent], ["quota", 100]);
      assert.equal(await oauth.readNotice(notice.id), undefined);
      assert.deepEqual(await unread(), []);
      const bound = (await oauth.audit({ limit: 200 })).data.find((deed) => deed.target.id === String(id));
      assert.deepEqual([bound.action, bound.details.name], ["account.bind", "small"]);
    });

    test("the token tells of itself, and refusals are OpenAI's errors", async () => {
      const me = await oauth.me();
      assert.equal(me.token.last_four, apiKey.slice(-4));
      assert.equal((await oauth.points()).points.balance, me.points.balance);
      await assert.rejects(async () => oauth.authorize({ platform: "qwen", accountName: "mine" }), {
        constructor: OpenAI.BadRequestError,
        code: "method_not_offered",
      });
      const stranger = new OAuthClient({ apiKey: "tb_unknown", baseURL: demo.baseURL });
      await assert.rejects(async () => stranger.oauth.me(), { constructor: OpenAI.AuthenticationError });
    });
  });
}

test("a client needs a token", () => {
  assert.throws(() => new OAuthClient(), /AI_CREATOR_API_KEY/);
});

test("types are strict", async () => {
  const tsc = ["tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "clients.types.ts"];
  const { stdout } = await promisify(execFile)("npx", tsc, { cwd: import.meta.dirname }).catch((failed) => failed);
  assert.equal(stdout, "");
});
