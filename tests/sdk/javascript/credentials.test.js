// The official OpenAI package over every kind of key that a platform documents, each an account of
// its own, bound as an operator binds it and asked for by its id.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { startDemo, stores } from "./harness.js";
import { proves } from "./proofs.js";

const kinds = JSON.parse(await readFile(new URL("../kinds.json", import.meta.url), "utf8"));
const user = (content) => [{ role: "user", content }];
const said = "长城, 🙂 wall";
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city now.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
      required: ["city", "unit"],
    },
  },
};

for (const store of stores) {
  describe(`every kind of key on ${store}`, () => {
    let demo;
    before(async () => {
      demo = await startDemo(store);
    });
    after(() => demo.stop());

    for (const kind of kinds) {
      describe(`${kind.platform}, ${kind.kind}`, () => {
        let platform;
        let client;
        let account;
        before(async () => {
          platform = demo.platform(kind.platform);
          account = String(await demo.bind(kind));
          client = demo.client({ defaultHeaders: { "X-Account-Id": account } });
        });
        const ask = (messages, options = {}) =>
          client.chat.completions.create({ model: platform.model, messages, ...options });

        test("an answer is whole and streamed", async () => {
          const { data, response } = await ask(user(`repeat: ${said}`)).withResponse();
          assert.equal(response.headers.get("x-tributary-account"), account);
          assert.equal(data.choices[0].message.content, said);
          assert.ok(data.usage.completion_tokens > 0);

          let streamed = "";
          let last;
          for await (const chunk of await ask(user(`repeat: ${said}`), { stream: true })) {
            streamed += chunk.choices[0]?.delta.content ?? "";
            last = chunk;
          }
          assert.equal(streamed, said);
          assert.equal(last.choices[0].finish_reason, "stop");
          await proves(kind.platform, kind.kind, "whole", "streamed");
        });

        test("a tool is called and its result used", async () => {
          const question = user("What is the weather in Paris, in celsius?");
          const first = await ask(question, { tools: [weather], tool_choice: "required" });
          const { message } = first.choices[0];
          assert.equal(message.tool_calls.length, 1);
          assert.equal(message.tool_calls[0].function.name, "get_weather");

          const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "19 degrees" };
          const second = await ask([...question, message, result], { tools: [weather] });
          assert.match(second.choices[0].message.content, /19 degrees/);
          await proves(kind.platform, kind.kind, "tools");
        });

        test("an error is the platform's", async () => {
          const refused = async (trouble, type, code) => {
            await platform.fail(trouble, { times: 1 });
            try {
              await assert.rejects(ask(user("hello")), (error) => {
                assert.ok(error instanceof type);
                assert.equal(error.code, code);
                return true;
              });
            } finally {
              await platform.mend();
            }
          };
          await refused("overloaded", OpenAI.InternalServerError, "upstream_error");
          await refused("quota_exhausted", OpenAI.RateLimitError, "insufficient_quota");
          await proves(kind.platform, kind.kind, "errors");
        });
      });
    }
  });
}
