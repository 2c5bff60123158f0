// What a browser does with cookies and with being led on, and no more.

/** A browser with cookies of its own, each origin a site of its own. */
export class Browser {
  #jars = new Map();

  /** One call, without being led on. `from` is the origin of the page that leads here. */
  async call(url, { from, method = "GET", headers = {}, body } = {}) {
    const { origin } = new URL(url);
    const jar = this.#jars.get(origin) ?? new Map();
    this.#jars.set(origin, jar);
    const crosses = from !== undefined && from !== origin;
    const sent = [...jar].filter(([, { site }]) => !crosses || site !== "strict");
    const cookie = sent.map(([name, { value }]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { method, body, redirect: "manual", headers: { ...headers, ...(cookie && { cookie }) } });
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...rest] = line.split(/;\s*/);
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const said = (what) => rest.find((one) => one.toLowerCase().startsWith(`${what}=`))?.split("=")[1].toLowerCase();
      const gone = said("max-age") === "0" || Date.parse(said("expires")) < Date.now();
      if (gone) jar.delete(name);
      else jar.set(name, { value, site: said("samesite"), line });
    }
    return answer;
  }

  /** Goes where it is led until `until` says so of an address, or nothing leads on. */
  async go(url, { from, until = () => false, ...options } = {}) {
    for (let steps = 0; steps < 20; steps += 1) {
      const answer = await this.call(url, { from, ...options });
      const to = answer.headers.get("location");
      if (!to || answer.status < 300 || answer.status > 399) return { url, answer };
      const next = new URL(to, url).href;
      from ??= new URL(url).origin;
      if (new URL(next).origin !== new URL(url).origin) from = new URL(url).origin;
      url = next;
      options = {};
      if (until(url)) return { url, answer, from };
    }
    throw new Error(`led on without end, last to ${url}`);
  }

  /** The line that set a cookie. */
  cookie(origin, name) {
    return this.#jars.get(origin)?.get(name)?.line;
  }

  /** Has all cookies that another has now. */
  steal(other, origin) {
    this.#jars.set(origin, new Map(other.#jars.get(origin)));
  }
}
