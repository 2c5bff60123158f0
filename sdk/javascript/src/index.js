// A Tributary gateway's calls and accounts, over the official OpenAI package: answers,
// streams, retries and errors are that package's own.

import OpenAI from 'openai';

const LOCAL = 'http://127.0.0.1:8080';

export class OAuthClient {
  /** @param {import('./index.js').ClientOptions} [options] */
  constructor({ apiKey, baseURL, ...options } = {}) {
    const key = apiKey ?? process.env.AI_CREATOR_API_KEY;
    if (!key) throw new OpenAI.OpenAIError("Give the gateway's token as apiKey, or in AI_CREATOR_API_KEY.");
    const given = baseURL ?? process.env.AI_CREATOR_BASE_URL ?? LOCAL;
    const origin = given.replace(/\/+$/, '').replace(/\/v1$/, '').replace(/\/api$/, '');
    this.openai = new OpenAI({ apiKey: key, baseURL: `${origin}/v1`, ...options });
    const surface = this.openai.withOptions({ baseURL: `${origin}/api/v1` });
    this.oauth = new OAuth(surface);
    this.tokens = new Tokens(surface);
    this.pools = new Pools(surface);
  }
}

export class OAuth {
  #client;

  /** @param {OpenAI} client */
  constructor(client) {
    this.#client = client;
  }

  chatCompletion({ accountId, ...body }, options = {}) {
    const stream = body.stream ?? false;
    const asked = { ...body, account_id: accountId, stream };
    return this.#client.post('/oauth/chat/completions', { ...options, body: asked, stream });
  }

  async listPlatforms() {
    return (await this.#client.get('/oauth/platforms')).data;
  }

  async listAccounts({ platform } = {}) {
    return (await this.#client.get('/oauth/accounts', { query: { platform } })).data;
  }

  getAccount(accountId) {
    return this.#client.get(path(accountId));
  }

  addAccount({ platform, accountName, ...more }) {
    // Sent again after an answer that got lost, it would find its own name taken.
    const body = { platform, account_name: accountName, ...more };
    return this.#client.post('/oauth/accounts', { body, maxRetries: 0 });
  }

  updateAccount(accountId, { accountName, ...more }) {
    return this.#client.patch(path(accountId), { body: { account_name: accountName, ...more } });
  }

  async deleteAccount(accountId) {
    await this.#client.delete(path(accountId), { headers: { Accept: '*/*' } });
  }

  checkAccount(accountId) {
    return this.#client.post(`${path(accountId)}/check`);
  }

  accountUsage(accountId, { before, limit } = {}) {
    return this.#client.get(`${path(accountId)}/usage`, { query: { before, limit } });
  }

  async *iterAccountUsage(accountId) {
    for (let before; ; ) {
      const page = await this.accountUsage(accountId, { before });
      yield* page.data;
      if (!page.has_more || page.next == null) return;
      before = page.next;
    }
  }

  authorize({ platform, accountName, ...more }) {
    return this.#client.post('/oauth/accounts/authorize', { body: { platform, account_name: accountName, ...more } });
  }

  me() {
    return this.#client.get('/me');
  }

  usage({ from, to, by, pool } = {}) {
    return this.#client.get('/usage', { query: { from, to, by: by?.join(','), pool } });
  }

  notices({ unread, before, limit } = {}) {
    return this.#client.get('/notices', { query: { unread, before, limit } });
  }

  async readNotice(noticeId) {
    const path = `/notices/${encodeURIComponent(noticeId)}/read`;
    await this.#client.post(path, { headers: { Accept: '*/*' } });
  }

  audit({ before, limit } = {}) {
    return this.#client.get('/audit', { query: { before, limit } });
  }

  points({ before, limit } = {}) {
    return this.#client.get('/points', { query: { before, limit } });
  }
}

export class Tokens {
  #client;

  /** @param {OpenAI} client */
  constructor(client) {
    this.#client = client;
  }

  async list() {
    return (await this.#client.get('/tokens')).data;
  }

  get(tokenId) {
    return this.#client.get(tokenPath(tokenId));
  }

  create(wish = {}) {
    return this.#client.post('/tokens', { body: granted(wish) });
  }

  update(tokenId, change) {
    return this.#client.patch(tokenPath(tokenId), { body: granted(change) });
  }

  async revoke(tokenId) {
    await this.#client.delete(tokenPath(tokenId), { headers: { Accept: '*/*' } });
  }
}

function granted({ expiresAt, requestsPerMinute, tokensPerDay, keepBodies, ...more }) {
  return {
    ...more,
    expires_at: expiresAt,
    requests_per_minute: requestsPerMinute,
    tokens_per_day: tokensPerDay,
    keep_bodies: keepBodies,
  };
}

function tokenPath(tokenId) {
  return `/tokens/${encodeURIComponent(tokenId)}`;
}

/** Pools, and who shares them. */
export class Pools {
  #client;

  /** @param {OpenAI} client */
  constructor(client) {
    this.#client = client;
  }

  async list() {
    return (await this.#client.get('/pools')).data;
  }

  get(poolId) {
    return this.#client.get(pool(poolId));
  }

  create({ name, policy }) {
    return this.#client.post('/pools', { body: { name, policy } });
  }

  update(poolId, { name, policy }) {
    return this.#client.patch(pool(poolId), { body: { name, policy } });
  }

  async delete(poolId) {
    await this.#client.delete(pool(poolId), { headers: { Accept: '*/*' } });
  }

  async members(poolId) {
    return (await this.#client.get(`${pool(poolId)}/members`)).data;
  }

  setMember(poolId, user, { role = 'member' } = {}) {
    return this.#client.put(`${pool(poolId)}/members/${encodeURIComponent(user)}`, { body: { role } });
  }

  async removeMember(poolId, user) {
    await this.#client.delete(`${pool(poolId)}/members/${encodeURIComponent(user)}`, { headers: { Accept: '*/*' } });
  }
}

function pool(poolId) {
  return `/pools/${encodeURIComponent(poolId)}`;
}

function path(accountId) {
  return `/oauth/accounts/${encodeURIComponent(accountId)}`;
}
