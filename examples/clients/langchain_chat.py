"""A question by LangChain."""

import os

from langchain_openai import ChatOpenAI

chat = ChatOpenAI(
    base_url=os.environ["AI_CREATOR_BASE_URL"] + "/v1",
    api_key=os.environ["AI_CREATOR_API_KEY"],
    model="qwen-plus",
)
print(chat.invoke("Say hello.").content)
