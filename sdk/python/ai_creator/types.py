"""What the gateway answers beside OpenAI's own types. Times are RFC 3339, counts are tokens."""

from openai import BaseModel


class Window(BaseModel):
    """A limit over a period, and what was used of it."""

    period: str
    zone: str | None = None
    limit: int | None = None
    limit_from: str | None = None
    used: int
    leased: int
    resets_at: str | None = None
    reset_told: bool


class Account(BaseModel):
    """A bound account."""

    id: int
    pool: int
    is_own: bool
    name: str
    account_name: str
    platform: str
    dialect: str | None = None
    priority: int
    status: str
    reason: str | None = None
    until: str | None = None
    fix: str | None = None
    quota_used: int
    quota_total: int | None = None
    remaining: int | None = None
    windows: list[Window]
    last_used_at: str | None = None
    expires_at: str | None = None
    created_at: str


class Accounts(BaseModel):
    data: list[Account]


class Pool(BaseModel):
    """A pool that the caller draws from: its own (``personal``) or a ``team``'s."""

    id: int
    name: str
    kind: str
    role: str
    policy: str
    policy_is_default: bool
    created_at: str | None = None


class Pools(BaseModel):
    data: list[Pool]


class Member(BaseModel):
    """A member of a team: ``role`` is ``member`` or ``owner``."""

    user: str
    user_id: int
    role: str
    joined_at: str


class Members(BaseModel):
    data: list[Member]


class Method(BaseModel):
    """One way to bind an account: which fields its credential has, and where to get it."""

    method: str
    dialect: str
    scheme: str | None = None
    fields: list[str]
    optional: list[str]
    help: str
    get: str


class PlatformModel(BaseModel):
    id: str
    context_length: int | None = None
    max_output_tokens: int | None = None


class FreeWindow(BaseModel):
    period: str
    zone: str | None = None
    limit: int | None = None


class Platform(BaseModel):
    """A platform that accounts live on."""

    id: str
    name: str
    methods: list[Method]
    default_model: str | None = None
    models: list[PlatformModel]
    windows: list[FreeWindow]


class Platforms(BaseModel):
    data: list[Platform]


class Check(BaseModel):
    """What trying an account's credential came to, and what to do."""

    id: int
    verdict: str
    saw: str
    fix: str | None = None
    status: str


class Record(BaseModel):
    """One call on an account."""

    id: str
    at: str
    model: str
    upstream_model: str | None = None
    streamed: bool
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    total_tokens: int
    charged_tokens: int
    estimated: bool
    error: str | None = None
    outcome: str
    latency_ms: int
    first_byte_ms: int | None = None
    request: str | None = None
    response: str | None = None
    is_cut: bool


class Records(BaseModel):
    """A page of records; ``next`` is the ``before`` of the next one."""

    data: list[Record]
    has_more: bool
    next: str | None = None


class UsageRow(BaseModel):
    """A sum; the fields that were not asked for by ``by`` are ``None``."""

    day: str | None = None
    token: int | None = None
    member: str | None = None
    account: int | None = None
    platform: str | None = None
    model: str | None = None
    calls: int
    attempts: int
    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    exact: int
    estimated: int


class Usage(BaseModel):
    by: list[str]
    data: list[UsageRow]


class Token(BaseModel):
    id: int
    name: str
    prefix: str
    last_four: str
    scopes: list[str]
    created_at: str
    expires_at: str | None = None


class GatewayToken(BaseModel):
    """What a caller sends as its API key, but for the secret."""

    id: int
    name: str
    prefix: str
    last_four: str
    scopes: list[str]
    models: list[str]
    platforms: list[str]
    pools: list[int] | None = None
    points: str
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    keep_bodies: bool
    created_at: str
    expires_at: str | None = None
    last_used_at: str | None = None


class MintedToken(GatewayToken):
    """A token that was made: ``token`` is its secret, shown this once."""

    token: str


class GatewayTokens(BaseModel):
    data: list[GatewayToken]


class Limits(BaseModel):
    models: list[str]
    platforms: list[str]
    pools: list[int]
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    keep_bodies: bool


class Day(BaseModel):
    used: int
    held: int
    left: int | None = None
    resets_at: str | None = None


class Balance(BaseModel):
    balance: str
    held: str
    spending: str


class Me(BaseModel):
    """The token: its limits, what it used, its resets."""

    user: int
    token: Token
    limits: Limits
    day: Day
    points: Balance


class Entry(BaseModel):
    at: str
    kind: str
    points: str
    balance: str
    note: str


class Points(BaseModel):
    """A balance, and a page of its ledger; ``next`` is the ``before`` of the next one."""

    points: Balance
    data: list[Entry]
    has_more: bool
    next: str | None = None


class Notice(BaseModel):
    """What should be known of an account; which of the figures it has is by its ``kind``."""

    id: int
    at: str
    kind: str
    account_id: int
    account_name: str
    platform: str
    message: str
    percent: int | None = None
    period: str | None = None
    used: int | None = None
    limit: int | None = None
    resets_at: str | None = None
    stage: str | None = None
    expires_at: str | None = None
    status: str | None = None
    read: bool


class Notices(BaseModel):
    """A page of notices; ``next`` is the ``before`` of the next one."""

    data: list[Notice]
    has_more: bool
    next: str | None = None


class Target(BaseModel):
    kind: str
    id: str


class Deed(BaseModel):
    """One row of the audit log: who did what, with what, on what."""

    seq: int
    at: str
    who: str
    by: str
    action: str
    target: Target
    details: dict[str, str]


class Audit(BaseModel):
    """A page of the audit log; ``next`` is the ``before`` of the next one."""

    data: list[Deed]
    has_more: bool
    next: str | None = None
