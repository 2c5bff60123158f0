// The official OpenAI package against the gateway: on both stores, on each platform.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { faces, platforms, startDemo, stores, until } from "./harness.js";

const oddLetters = 'Grüße, 世界！🙂👩‍👩‍👧 "quoted" \\ \u2028 data: [DONE]';
const user = (content) => [{ role: "user", content }];

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city now.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
      required: ["city", "unit"],
      additionalProperties: false,
    },
  },
};
const clock = {
  type: "function",
  function: {
    name: "get_time",
    description: "The local time in a city now.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};
const bothQuestions = "What is the weather in Paris, in celsius, and what time is it there?";

const seeing = {
  openai: "gpt-5.4-mini",
  qwen: "qwen3-vl-plus",
  glm: "glm-4.6v",
  ernie: "ernie-4.5-vl-28b-a3b",
  claude: "claude-haiku-4-5",
  openai_responses: "gpt-5.1-codex-max",
};
const onePixel =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async function gathered(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

for (const store of stores) {
  describe(`on ${store}`, () => {
    let demo;
    let client;
    before(async () => {
      demo = await startDemo(store);
      client = demo.client();
    });
    after(() => demo.stop());

    for (const name of [...platforms, ...Object.keys(faces)]) {
      describe(name, () => {
        let platform;
        before(() => {
          platform = demo.platform(name);
        });
        const ask = (content, options = {}) =>
          client.chat.completions.create({ model: platform.model, messages: user(content), ...options });

        test("an answer comes whole, every letter of it", async () => {
          const answer = await ask(`repeat: ${oddLetters}`);

          assert.match(answer.id, /^chatcmpl-/);
          assert.equal(answer.choices[0].message.content, oddLetters);
          assert.equal(answer.choices[0].finish_reason, "stop");
          const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
          assert.ok(prompt_tokens > 0 && completion_tokens > 0);
          assert.equal(total_tokens, prompt_tokens + completion_tokens);
        });

        test("an answer is streamed, every letter of it", async () => {
          const chunks = await gathered(await ask(`repeat: ${oddLetters}`, { stream: true }));

          assert.equal(textOf(chunks), oddLetters);
          assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
          assert.equal(chunks[0].choices[0].delta.role, "assistant");
          assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
          assert.ok(chunks.every((chunk) => !chunk.usage));
        });

        test("usage ends a stream when it was asked for", async () => {
          const chunks = await gathered(await ask("Hello.", { stream: true, stream_options: { include_usage: true } }));

          assert.deepEqual(chunks.at(-1).choices, []);
          assert.ok(chunks.at(-1).usage.total_tokens > 0);
          assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
        });

        test("a function is called, and its result answered", async () => {
          const question = user("What is the weather in Paris, in celsius?");
          const options = { model: platform.model, tools: [weather] };
          const first = await client.chat.completions.create({ ...options, messages: question, tool_choice: "required" });
          const [call] = first.choices[0].message.tool_calls;

          assert.equal(first.choices[0].finish_reason, "tool_calls");
          assert.equal(call.function.name, "get_weather");
          const given = JSON.parse(call.function.arguments);
          assert.equal(typeof given.city, "string");
          assert.ok(["celsius", "fahrenheit"].includes(given.unit));

          const result = { role: "tool", tool_call_id: call.id, content: "18 °C, 晴 ☀️" };
          const messages = [...question, first.choices[0].message, result];
          const second = await client.chat.completions.create({ ...options, messages });
          assert.ok(second.choices[0].message.content.includes("18 °C, 晴 ☀️"));
        });

        test("two calls are streamed side by side, or refused by name", async () => {
          const request = {
            model: platform.model,
            messages: user(bothQuestions),
            tools: [weather, clock],
            tool_choice: "required",
            parallel_tool_calls: true,
          };
          if (name === "spark") {
            await assert.rejects(client.chat.completions.create(request), (error) => {
              assert.ok(error instanceof OpenAI.BadRequestError);
              assert.equal(error.param, "parallel_tool_calls");
              return true;
            });
            return;
          }
          const runner = client.chat.completions.stream(request);
          const indexes = new Set();
          runner.on("chunk", (chunk) => chunk.choices[0]?.delta.tool_calls?.forEach((delta) => indexes.add(delta.index)));
          const answer = await runner.finalChatCompletion();

          assert.deepEqual([...indexes], [0, 1]);
          const calls = answer.choices[0].message.tool_calls;
          assert.deepEqual(calls.map((call) => call.function.name), ["get_weather", "get_time"]);
          for (const call of calls) assert.equal(typeof JSON.parse(call.function.arguments).city, "string");
          assert.notEqual(calls[0].id, calls[1].id);
        });

        test("a picture is seen, or refused by name", async () => {
          const content = [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: onePixel } },
          ];
          const model = seeing[name];
          if (model) {
            const answer = await client.chat.completions.create({ model, messages: user(content) });
            assert.match(answer.choices[0].message.content, /image\/png 1x1/);
          } else {
            await assert.rejects(ask(content), (error) => {
              assert.ok(error instanceof OpenAI.BadRequestError);
              assert.equal(error.param, "messages[0].content[1]");
              return true;
            });
          }
        });

        test("an answer obeys a zod schema", async () => {
          const trip = z.object({
            title: z.string(),
            season: z.enum(["spring", "summer", "autumn", "winter"]),
            stops: z.array(z.object({ city: z.string(), nights: z.number().int() })),
          });

          const answer = await client.chat.completions.parse({
            model: platform.model,
            messages: user("Plan a trip to Hangzhou and Suzhou."),
            response_format: zodResponseFormat(trip, "trip"),
          });

          trip.parse(answer.choices[0].message.parsed);
        });

        test("an abort in the middle of a stream reaches the platform", async () => {
          const { cancelled } = await platform.totals();
          await platform.slowDown();
          try {
            const stream = await ask("Please say 3000 words.", { stream: true });
            for await (const chunk of stream) {
              if (chunk.choices[0]?.delta.content) break;
            }
            stream.controller.abort();

            await until(
              async () => (await platform.totals()).cancelled === cancelled + 1,
              "the platform to see the call cancelled",
            );
          } finally {
            await platform.mend();
          }
        });
      });
    }

    describe("errors", () => {
      test("a token that nobody has is an authentication error", async () => {
        const stranger = demo.client({ apiKey: "no-such-token" });

        await assert.rejects(stranger.models.list(), (error) => {
          assert.ok(error instanceof OpenAI.AuthenticationError);
          assert.equal(error.code, "invalid_api_key");
          return true;
        });
      });

      test("a model that nobody has is not found", async () => {
        const request = { model: "no-such-model", messages: user("Hello.") };

        await assert.rejects(client.chat.completions.create(request), (error) => {
          assert.ok(error instanceof OpenAI.NotFoundError);
          assert.equal(error.code, "model_not_found");
          return true;
        });
      });

      test("a request without messages is a bad one, by name", async () => {
        const request = { model: demo.platform("qwen").model, messages: [] };

        await assert.rejects(client.chat.completions.create(request), (error) => {
          assert.ok(error instanceof OpenAI.BadRequestError);
          assert.equal(error.param, "messages");
          return true;
        });
      });
    });
  });

  describe(`retries on ${store}`, () => {
    let demo;
    before(async () => {
      demo = await startDemo(store);
    });
    after(() => demo.stop());

    test("trouble with one account never reaches the caller", async () => {
      const platform = demo.platform("glm");
      await platform.fail("overloaded", { times: 1 });

      const request = { model: platform.model, messages: user("Hello.") };
      const { data, response } = await demo.client().chat.completions.create(request).withResponse();

      assert.ok(data.choices[0].message.content);
      assert.equal(response.headers.get("x-tributary-attempts"), "2");
    });

    test("a caller is told when to come back, and the package does", async () => {
      const platform = demo.platform("qwen");
      const accounts = await demo.accountsOn(platform);
      await platform.fail("rate_limited", { times: accounts });
      const began = performance.now();

      const request = { model: platform.model, messages: user("Hello.") };
      const answer = await demo.client({ maxRetries: 2 }).chat.completions.create(request);

      assert.ok(answer.choices[0].message.content);
      assert.ok(performance.now() - began >= 900, "it waited for what Retry-After said");
      assert.equal((await platform.totals()).requests, accounts + 1);
    });

    test("what retrying cannot heal is not retried", async () => {
      const platform = demo.platform("ernie");
      await platform.fail("quota_exhausted");

      const request = { model: platform.model, messages: user("Hello.") };
      await assert.rejects(demo.client({ maxRetries: 2 }).chat.completions.create(request), (error) => {
        assert.ok(error instanceof OpenAI.RateLimitError);
        assert.equal(error.code, "insufficient_quota");
        assert.equal(error.headers.get("x-should-retry"), "false");
        return true;
      });
    });
  });
}
