import { test } from "node:test";

import { scenarios } from "./live.mjs";

const { LONGHAUL_TEST_URL: url, LONGHAUL_TEST_CUT_URL: cutUrl, LONGHAUL_TEST_TOKEN: token } = process.env;
const skip = url ? false : "SKIPPED, NOT PASSED: no server; go test ./test/sdk gives one";

for (const [name, run] of Object.entries(scenarios({ url: url ?? "http://none", cutUrl: cutUrl ?? "http://none", token }))) {
  test(name, { skip, timeout: 120_000 }, run);
}
