// The official OpenAI package against the simulated OpenAI's Responses: no gateway between.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { startDemo } from "./harness.js";
import { proves } from "./proofs.js";

const model = "gpt-5.4-mini";
const oddLetters = 'Grüße, 世界！🙂👩‍👩‍👧 "quoted" \\ \u2028 data: [DONE]';
const weather = {
  type: "function",
  name: "get_weather",
  description: "The weather in a city now.",
  strict: true,
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
    additionalProperties: false,
  },
};

describe("the simulated OpenAI's Responses", () => {
  let demo;
  let platform;
  let client;
  before(async () => {
    demo = await startDemo("sqlite");
    platform = demo.platform("openai");
    const apiKey = "sk-javascript-000000000000abc123";
    client = new OpenAI({ baseURL: `${platform.url}/v1`, apiKey, maxRetries: 0, timeout: 30_000 });
  });
  after(() => demo.stop());

  const ask = (input, options = {}) => client.responses.create({ model, input, store: false, ...options });

  test("an answer comes whole, every letter of it", async () => {
    const answer = await ask(`repeat: ${oddLetters}`);

    assert.equal(answer.output_text, oddLetters);
    assert.equal(answer.status, "completed");
    assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
    await proves("openai, Responses", "", "whole");
  });

  test("an answer is streamed, and its events are numbered", async () => {
    const stream = client.responses.stream({ model, input: `repeat: ${oddLetters}` });
    const numbers = [];
    stream.on("event", (event) => numbers.push(event.sequence_number));
    const answer = await stream.finalResponse();

    assert.equal(answer.output_text, oddLetters);
    assert.deepEqual(numbers, [...numbers.keys()]);
    await proves("openai, Responses", "", "streamed");
  });

  test("a function is called, and its result answered", async () => {
    const question = { role: "user", content: "What is the weather in Paris?" };
    const reasoning = { effort: "low", summary: "auto" };
    const first = await ask([question], { tools: [weather], reasoning });
    const call = first.output.find((item) => item.type === "function_call");
    assert.deepEqual(JSON.parse(call.arguments), { city: "Paris" });

    const result = { type: "function_call_output", call_id: call.call_id, output: "18 °C, 晴 ☀️" };
    const told = await ask([question, ...first.output, result], { tools: [weather], reasoning });
    assert.match(told.output_text, /18 °C, 晴 ☀️/);
    await proves("openai, Responses", "", "tools");
  });

  test("a schema is obeyed", async () => {
    const trip = z.object({ title: z.string(), nights: z.number() });
    const text = { format: zodTextFormat(trip, "trip") };
    const answer = await client.responses.parse({ model, input: "Plan a trip to Hangzhou.", text });

    assert.ok(trip.safeParse(answer.output_parsed).success);
  });

  test("what goes wrong is the package's own error", async () => {
    await assert.rejects(ask("Hi", { max_output_tokens: 3 }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, "max_output_tokens");
      return true;
    });
    await platform.fail("rate_limited", { times: 1 });
    await assert.rejects(ask("Hi"), OpenAI.RateLimitError);
    await proves("openai, Responses", "", "errors");
  });
});
