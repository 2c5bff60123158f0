// Read by the type checker alone: what must be right, and what must be refused.

import { OAuthClient, type Account } from "ai-creator-sdk";
import type { Stream } from "openai/core/streaming";
import type { ChatCompletion, ChatCompletionChunk } from "openai/resources/chat/completions";

const { oauth, openai, pools, tokens } = new OAuthClient({ apiKey: "k", maxRetries: 1 });
const whole: ChatCompletion = await oauth.chatCompletion({ accountId: 1, messages: [] });
const stream: Stream<ChatCompletionChunk> = await oauth.chatCompletion({ accountId: 1, messages: [], stream: true });
const accounts: Account[] = await oauth.listAccounts({ platform: "qwen" });
const total: number | null = accounts[0]!.quota_total;
for await (const record of oauth.iterAccountUsage(1)) record.total_tokens.toFixed();
await oauth.addAccount({ platform: "spark", accountName: "a", credentials: { app_id: "i" } });
await openai.chat.completions.create({ model: "qwen-plus", messages: [] });

const names: string[] = (await pools.members(1)).map((member) => member.user);
await pools.update(1, { policy: null });
await oauth.updateAccount(1, { pool: 2 });

// @ts-expect-error There is no such role.
await pools.setMember(1, "ann", { role: "guest" });
const secret: string = (await tokens.create({ scopes: ["chat"], expiresAt: null })).token;

// @ts-expect-error There is no such scope.
await tokens.create({ scopes: ["root"] });
// @ts-expect-error An account must be named.
await oauth.chatCompletion({ messages: [] });
// @ts-expect-error Of key and credentials one must be there.
await oauth.addAccount({ platform: "qwen", accountName: "a" });
// @ts-expect-error There is no such sum.
await oauth.usage({ by: ["week"] });

export { names, secret, stream, total, whole };
