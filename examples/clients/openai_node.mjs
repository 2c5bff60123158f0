// A streamed answer by the official OpenAI package.

import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.AI_CREATOR_BASE_URL}/v1`,
  apiKey: process.env.AI_CREATOR_API_KEY,
});
const stream = await client.chat.completions.create({
  model: "qwen-plus",
  messages: [{ role: "user", content: "Say hello." }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
process.stdout.write("\n");
