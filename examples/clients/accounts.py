"""The accounts of a token, and a question to each."""

from ai_creator import OAuthClient

with OAuthClient() as client:
    for account in client.oauth.list_accounts():
        question = [{"role": "user", "content": "Say hello."}]
        response = client.oauth.chat_completion(account_id=account.id, messages=question)
        print(account.id, account.platform, account.status, response.choices[0].message.content)
