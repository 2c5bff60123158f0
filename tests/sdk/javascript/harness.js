// Starts what the tests talk to: `tributary demo`, and a Redis of its own where a store needs one.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import OpenAI from "openai";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const binary = process.env.TRIBUTARY ?? path.join(repository, "target/debug/tributary");

export const stores = ["sqlite", "redis"];
export const platforms = ["openai", "qwen", "glm", "ernie", "spark", "claude"];
/** Faces beside a platform's usual one: the platform, and a model that is reached there. */
export const faces = { openai_responses: { on: "openai", model: "gpt-5.1-codex-max" } };

/** Looks until it sees something true, and answers that. */
export async function until(look, what, seconds = 15) {
  const deadline = performance.now() + seconds * 1000;
  for (let wait = 5; ; wait = Math.min(wait * 1.5, 100)) {
    const seen = await look();
    if (seen) return seen;
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await pause(wait);
  }
}

/** A gateway on an empty store, and the platforms behind it. `stop()` ends all of it. */
export async function startDemo(store) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "tributary-js-"));
  const redis = store === "redis" ? await startRedis(folder) : undefined;
  const url = redis?.url ?? `sqlite:${path.join(folder, "tributary.db")}`;
  const environment = { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: folder };
  const child = await Child.start(
    "gateway",
    [binary, "demo", "--json", "--listen", "127.0.0.1:0", "--store", url],
    folder,
    environment,
  );
  const facts = JSON.parse(await until(() => child.firstLine(), "the demo to print its line", 60));

  return {
    token: facts.token,
    baseURL: facts.base_url,
    /** What another command prints beside this gateway. */
    async command(...words) {
      const env = { ...environment, TRIBUTARY_STORE__URL: url, TRIBUTARY_OPERATOR__LISTEN: new URL(facts.operator_url).host };
      const { stdout } = await promisify(execFile)(binary, [...words, "--json"], { cwd: folder, env });
      return JSON.parse(stdout);
    },
    /** A token of the demo's user with these scopes. */
    async tokenFor(scopes) {
      return (await this.command("token", "create", "--user", "demo", "--scopes", scopes)).token;
    },
    /** Binds an account by a key of this kind, and answers its id. */
    async bind({ platform, kind, dialect, key }) {
      const file = path.join(folder, "bound.key");
      await writeFile(file, typeof key === "string" ? key : JSON.stringify(key), { mode: 0o600 });
      const name = `${platform} ${kind}`;
      const words = ["--user", "demo", "--platform", platform, "--name", name, "--key-file", file];
      try {
        return (await this.command("account", "add", ...words, ...(dialect ? ["--dialect", dialect] : []))).id;
      } finally {
        await rm(file);
      }
    },
    platform(name) {
      const { on = name, ...face } = faces[name] ?? {};
      return new Simulated(on, { ...facts.platforms[on], ...face });
    },
    // No retries unless a test asks for them: what the gateway does must show.
    client: (options = {}) =>
      new OpenAI({ baseURL: facts.base_url, apiKey: facts.token, maxRetries: 0, timeout: 30_000, ...options }),
    /** How many accounts are bound on a platform, by the list of models. */
    async accountsOn({ model }) {
      const listed = await this.client().models.list();
      return listed.data.filter(({ id }) => id.startsWith("account:") && id.endsWith(`/${model}`)).length;
    },
    async stop() {
      const status = await child.stop();
      await redis?.child.stop();
      await rm(folder, { recursive: true, force: true });
      if (status !== 0) throw new Error(`the gateway ended with ${status}`);
    },
  };
}

/** `tributary serve` on an empty store, with an operator whose password is `password`. */
export async function startGateway(store, sections, secrets = {}) {
  const folder = await mkdtemp(path.join(os.tmpdir(), "tributary-js-"));
  const redis = store === "redis" ? await startRedis(folder) : undefined;
  const url = redis?.url ?? `sqlite:${path.join(folder, "tributary.db")}`;
  const origin = `http://127.0.0.1:${await freePort()}`;
  const file = path.join(folder, "gateway.toml");
  const listen = `listen = "${new URL(origin).host}"\npublic_url = "${origin}"`;
  await writeFile(file, `[server]\n${listen}\n[operator]\nlisten = "127.0.0.1:0"\n${sections}`);
  const { stdout: ring } = await promisify(execFile)(binary, ["keys", "generate"], { cwd: folder });
  const environment = { PATH: process.env.PATH, HOME: folder, TRIBUTARY_STORE__URL: url, TRIBUTARY_MASTER_KEYS: ring.trim() };
  const words = [binary, "serve", "--json", "--config", file];
  const child = await Child.start("gateway", words, folder, { ...environment, ...secrets, RUST_LOG: "debug" });
  const facts = JSON.parse(await until(() => child.firstLine(), "the gateway to print its line", 60));
  const password = "correct horse battery staple";
  const made = await fetch(facts.setup.url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token: facts.setup.token, name: "boss", password }),
  });
  if (made.status !== 201) throw new Error(`no operator: ${await made.text()}`);
  return {
    origin,
    password,
    /** All that it logged. */
    log: () => readFile(child.err, "utf8"),
    async stop() {
      const status = await child.stop();
      await redis?.child.stop();
      await rm(folder, { recursive: true, force: true });
      if (status !== 0) throw new Error(`the gateway ended with ${status}`);
    },
  };
}

/** A process of the tests' own, its output in files. */
class Child {
  static async start(name, [program, ...words], folder, env) {
    const out = path.join(folder, `${name}.out`);
    const err = path.join(folder, `${name}.err`);
    const files = await Promise.all([open(out, "w"), open(err, "w")]);
    const process = spawn(program, words, { cwd: folder, env, stdio: ["ignore", files[0].fd, files[1].fd] });
    const ended = new Promise((done, failed) => process.once("exit", (code, signal) => done(code ?? signal)).once("error", failed));
    ended.catch(() => {}); // told by whoever waits for it
    await Promise.all(files.map((file) => file.close()));
    return new Child(name, process, ended, out, err);
  }

  constructor(name, process, ended, out, err) {
    Object.assign(this, { name, process, ended, out, err });
  }

  async firstLine() {
    if (this.process.exitCode !== null) {
      const words = await readFile(this.err, "utf8");
      throw new Error(`${this.name} ended with ${this.process.exitCode} before it was up:\n${words.slice(-4000)}`);
    }
    const text = await readFile(this.out, "utf8");
    return text.includes("\n") ? text.slice(0, text.indexOf("\n")) : undefined;
  }

  async stop() {
    this.process.kill("SIGTERM");
    return this.ended;
  }
}

async function startRedis(folder) {
  const port = await freePort();
  const words = ["--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", ""].map(String);
  const child = await Child.start("redis", ["redis-server", ...words], folder, process.env);
  await until(async () => {
    await child.firstLine(); // throws if it has ended
    return answers(port);
  }, "redis-server to listen");
  return { child, url: `redis://127.0.0.1:${port}` };
}

function freePort() {
  return new Promise((done) => {
    const probe = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

function answers(port) {
  return new Promise((done) => {
    const probe = net.connect(port, "127.0.0.1");
    probe.once("connect", () => done(true)).once("error", () => done(false));
    probe.once("connect", () => probe.end());
  });
}

/** One platform that the demo simulates: its books, and how to make it misbehave. */
class Simulated {
  constructor(name, { url, model }) {
    Object.assign(this, { name, url: url.replace(/\/$/, ""), model });
  }

  /** What it did since it was started. */
  async totals() {
    const answer = await fetch(`${this.url}/_sim/ledger`);
    const { credentials, requests } = await answer.json();
    return {
      requests: Object.values(credentials).reduce((sum, one) => sum + one.requests, 0),
      cancelled: requests.filter((request) => request.cancelled).length,
    };
  }

  /** Answers with its own error of a class: as many `times`, 0 for good. */
  fail(trouble, { times = 0 } = {}) {
    return this.#misbehave({ kind: "class", class: trouble, times });
  }

  /** Pauses before each event of a stream from now on. */
  slowDown() {
    return this.#misbehave({ kind: "delay", where: "chunk", ms: 20, times: 0 });
  }

  /** Misbehaves no more. */
  async mend() {
    await fetch(`${this.url}/_sim/faults`, { method: "DELETE" });
  }

  async #misbehave(fault) {
    const answer = await fetch(`${this.url}/_sim/faults`, { method: "POST", body: JSON.stringify(fault) });
    if (!answer.ok) throw new Error(`${this.name} refused a fault: ${await answer.text()}`);
  }
}
