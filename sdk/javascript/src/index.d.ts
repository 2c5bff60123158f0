import type OpenAI from 'openai';
import type { APIPromise, ClientOptions as OpenAIOptions } from 'openai';
import type { Stream } from 'openai/core/streaming';
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
} from 'openai/resources/chat/completions';

/** Options of the client; those that are not here are OpenAI's own. */
export interface ClientOptions extends Omit<OpenAIOptions, 'apiKey' | 'baseURL'> {
  /** The gateway's token; else AI_CREATOR_API_KEY. */
  apiKey?: string;
  /** The gateway's origin; else AI_CREATOR_BASE_URL, else http://127.0.0.1:8080. */
  baseURL?: string;
}

/** A gateway's surface. */
export class OAuthClient {
  constructor(options?: ClientOptions);
  /** Accounts, and calls on one of them. */
  readonly oauth: OAuth;
  /** Pools, and who shares them. */
  readonly pools: Pools;
  /** The gateway's tokens. */
  readonly tokens: Tokens;
  /** The gateway's OpenAI surface. */
  readonly openai: OpenAI;
}

/** A limit over a period, and what was used of it. Counts are tokens, times RFC 3339. */
export interface Window {
  period: string;
  zone: string | null;
  limit: number | null;
  limit_from: string | null;
  used: number;
  leased: number;
  resets_at: string | null;
  reset_told: boolean;
}

/** A bound account. */
export interface Account {
  id: number;
  pool: number;
  is_own: boolean;
  name: string;
  account_name: string;
  platform: string;
  dialect: string | null;
  priority: number;
  status: 'active' | 'cooling' | 'expired' | 'banned' | 'locked' | 'disabled';
  reason: string | null;
  until: string | null;
  fix: string | null;
  quota_used: number;
  quota_total: number | null;
  remaining: number | null;
  windows: Window[];
  last_used_at: string | null;
  expires_at: string | null;
  created_at: string;
}

/** A platform, and what binds an account on it. */
export interface Platform {
  id: string;
  name: string;
  methods: {
    method: string;
    dialect: string;
    scheme: string | null;
    fields: string[];
    optional: string[];
    help: string;
    get: string;
  }[];
  default_model: string | null;
  models: { id: string; context_length: number | null; max_output_tokens: number | null }[];
  windows: { period: string; zone: string | null; limit: number | null }[];
}

/** What trying an account's credential came to, and what to do. */
export interface Check {
  id: number;
  verdict: 'valid' | 'expired' | 'banned' | 'exhausted' | 'limited' | 'unreachable' | 'unknown' | 'locked';
  saw: string;
  fix: string | null;
  status: string;
}

/** One call on an account. */
export interface UsageRecord {
  id: string;
  at: string;
  model: string;
  upstream_model: string | null;
  streamed: boolean;
  input_tokens: number;
  output_tokens: number;
  cached_tokens: number;
  reasoning_tokens: number;
  total_tokens: number;
  charged_tokens: number;
  estimated: boolean;
  error: string | null;
  outcome: string;
  latency_ms: number;
  first_byte_ms: number | null;
  request: string | null;
  response: string | null;
  is_cut: boolean;
}

/** A page; `next` is the `before` of the next one. */
export interface Page<T> {
  data: T[];
  has_more: boolean;
  next: string | null;
}

export interface Usage {
  from: string;
  to: string;
  by: string[];
  data: {
    day?: string;
    token?: number;
    member?: string;
    account?: number | null;
    platform?: string | null;
    model?: string;
    calls: number;
    attempts: number;
    input: number;
    cache_read: number;
    cache_write: number;
    output: number;
    reasoning: number;
    exact: number;
    estimated: number;
  }[];
}

export interface Balance {
  balance: string;
  held: string;
  spending: 'fallback' | 'never';
}

/** The token: its limits, what it used, its resets. */
export interface Me {
  user: number;
  token: {
    id: number;
    name: string;
    prefix: string;
    last_four: string;
    scopes: string[];
    created_at: string;
    expires_at: string | null;
  };
  limits: {
    models: string[];
    platforms: string[];
    pools: number[];
    requests_per_minute: number | null;
    tokens_per_day: number | null;
    keep_bodies: boolean;
  };
  day: { used: number; held: number; left: number | null; resets_at: string | null };
  points: Balance;
}

export interface Points extends Page<{ at: string; kind: string; points: string; balance: string; note: string }> {
  points: Balance;
}

export type Scope = 'chat' | 'accounts:read' | 'accounts:write';

/** What a caller sends as its API key, but for the secret. */
export interface GatewayToken {
  id: number;
  name: string;
  prefix: string;
  last_four: string;
  scopes: Scope[];
  models: string[];
  platforms: string[];
  pools: number[] | null;
  points: 'fallback' | 'never';
  requests_per_minute: number | null;
  tokens_per_day: number | null;
  keep_bodies: boolean;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

/** A token's name and limits; `null` is no limit. */
export interface TokenWish {
  name?: string;
  scopes?: Scope[];
  models?: string[];
  platforms?: string[];
  pools?: number[] | null;
  points?: 'fallback' | 'never';
  requestsPerMinute?: number | null;
  tokensPerDay?: number | null;
  keepBodies?: boolean;
  expiresAt?: string | null;
}

/** What `client.tokens` does. Every failure is OpenAI's `APIError`. */
export class Tokens {
  list(): Promise<GatewayToken[]>;
  get(tokenId: number): APIPromise<GatewayToken>;
  /** What is left out is as of the client's own token; `token` is the secret, shown this once. */
  create(wish?: TokenWish): APIPromise<GatewayToken & { token: string }>;
  /** Renames a token, or tightens its limits. */
  update(tokenId: number, change: TokenWish): APIPromise<GatewayToken>;
  revoke(tokenId: number): Promise<void>;
}

/** What should be known of an account; which of the figures it has is by its `kind`. */
export interface Notice {
  id: number;
  at: string;
  kind: 'quota' | 'credential_ends' | 'stopped';
  account_id: number;
  account_name: string;
  platform: string;
  message: string;
  percent: number | null;
  period: string | null;
  used: number | null;
  limit: number | null;
  resets_at: string | null;
  stage: '7d' | '3d' | '1d' | 'half' | null;
  expires_at: string | null;
  status: string | null;
  read: boolean;
}

/** One row of the audit log: who did what, with what, on what. */
export interface Deed {
  seq: number;
  at: string;
  who: string;
  by: string;
  action: string;
  target: { kind: string; id: string };
  details: Record<string, string>;
}

type On<T> = Omit<T, 'model'> & { accountId: number; model?: string };

/** What `client.oauth` does. Every failure is OpenAI's `APIError`. */
export class OAuth {
  /** A completion on one account; without `model`, by its platform's default. */
  chatCompletion(body: On<ChatCompletionCreateParamsNonStreaming>, options?: OpenAI.RequestOptions): APIPromise<ChatCompletion>;
  chatCompletion(
    body: On<ChatCompletionCreateParamsStreaming>,
    options?: OpenAI.RequestOptions,
  ): APIPromise<Stream<ChatCompletionChunk>>;
  listPlatforms(): Promise<Platform[]>;
  listAccounts(query?: { platform?: string }): Promise<Account[]>;
  getAccount(accountId: number): APIPromise<Account>;
  /** Binds an account by a documented key, or by the fields that its platform wants. */
  addAccount(
    account: { platform: string; accountName: string; dialect?: string; limit?: number; priority?: number; pool?: number } & (
      | { key: string }
      | { credentials: Record<string, string> }
    ),
  ): APIPromise<Account>;
  /**
   * Renames, enables, disables, limits an account; `limit: null`: its platform's limit again.
   * With `pool` it goes to another pool; not while requests are under way on it.
   */
  updateAccount(
    accountId: number,
    change: { accountName?: string; enabled?: boolean; limit?: number | null; priority?: number; pool?: number },
  ): APIPromise<Account>;
  /** Deletes an account with all its records. */
  deleteAccount(accountId: number): Promise<void>;
  /** Tries an account's credential where that is free. */
  checkAccount(accountId: number): APIPromise<Check>;
  accountUsage(accountId: number, page?: { before?: string; limit?: number }): APIPromise<Page<UsageRecord>>;
  iterAccountUsage(accountId: number): AsyncGenerator<UsageRecord, void>;
  /** Where a platform offers no login, the error (`method_not_offered`) says which key binds. */
  authorize(account: { platform: string; accountName: string; method?: string }): APIPromise<unknown>;
  me(): APIPromise<Me>;
  usage(query?: {
    from?: string;
    to?: string;
    by?: ('day' | 'model' | 'platform' | 'account' | 'token' | 'member')[];
    /** What all members of this pool used of its accounts; its owners may ask by member. */
    pool?: number;
  }): APIPromise<Usage>;
  points(page?: { before?: string; limit?: number }): APIPromise<Points>;
  /** What should be known of the caller's accounts, newest first. */
  notices(page?: { unread?: boolean; before?: string; limit?: number }): APIPromise<Page<Notice>>;
  /** Marks a notice as read, for the caller alone. */
  readNotice(noticeId: number): Promise<void>;
  /** Who did what to the caller's things, newest first. */
  audit(page?: { before?: string; limit?: number }): APIPromise<Page<Deed>>;
}

export type Policy = 'most_remaining' | 'priority' | 'round_robin' | 'sticky';

/** A pool that the caller draws from: its own, or a team's. */
export interface Pool {
  id: number;
  name: string;
  kind: 'personal' | 'team';
  role: 'member' | 'owner';
  policy: Policy;
  policy_is_default: boolean;
  created_at: string | null;
}

/** A member of a team. */
export interface Member {
  user: string;
  user_id: number;
  role: 'member' | 'owner';
  joined_at: string;
}

/** What `client.pools` does. */
export class Pools {
  /** In the order that the caller draws from them. */
  list(): Promise<Pool[]>;
  get(poolId: number): APIPromise<Pool>;
  /** Makes a pool that a team shares, with the caller as its owner. */
  create(pool: { name: string; policy?: Policy }): APIPromise<Pool>;
  /** For owners; `policy: null` is the gateway's usual one. */
  update(poolId: number, change: { name?: string; policy?: Policy | null }): APIPromise<Pool>;
  /** For owners of a pool that has no account. */
  delete(poolId: number): Promise<void>;
  /** In the order of joining. */
  members(poolId: number): Promise<Member[]>;
  /** Adds a user by name, or says what it may do: for owners. */
  setMember(poolId: number, user: string, as?: { role?: 'member' | 'owner' }): APIPromise<Member>;
  /** For owners, and for oneself. */
  removeMember(poolId: number, user: string): Promise<void>;
}
