// What the tests prove, as rows of docs/proofs.md; tests/sdk/proofs.py makes the page of them.

import { appendFile } from "node:fs/promises";

/** Says, at a test's end, which aspects it proved; into the file that TRIBUTARY_PROOFS names. */
export async function proves(platform, credential, ...aspects) {
  const file = process.env.TRIBUTARY_PROOFS;
  const line = (aspect) => `${["openai (JavaScript)", platform, credential, aspect].join("\t")}\n`;
  if (file) await appendFile(file, aspects.map(line).join(""));
}
