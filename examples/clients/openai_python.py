"""A streamed answer by the official OpenAI package."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ["AI_CREATOR_BASE_URL"] + "/v1", api_key=os.environ["AI_CREATOR_API_KEY"])
messages = [{"role": "user", "content": "Say hello."}]
for chunk in client.chat.completions.create(model="qwen-plus", messages=messages, stream=True):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
