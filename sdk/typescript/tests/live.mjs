// What must hold against a real API, worker and Redis, in Node and in a page alike. test/sdk gives the addresses:
// at cutUrl, lines are cut in the middle all the time.

import { chunkOf, ended, ExecutionFailed, Longhaul, Problem } from "../dist/index.js";

const STEPS = 150;

function equal(got, want, what = "") {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what}: got ${a?.slice(0, 500)}, want ${b?.slice(0, 500)}`);
}

async function refused(promise, kind) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error(`not refused with ${kind.name}`);
}

async function collect(items) {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
}

export function scenarios({ url, cutUrl, token }) {
  const client = new Longhaul({ url: cutUrl, token });
  const direct = new Longhaul({ url, token });

  // All events, by pages over a line that is not cut.
  async function truth(execution) {
    const events = [];
    for (let after = 0, more = true; more; ) {
      const page = await direct.output(execution, { after, limit: 1000 });
      events.push(...page.events);
      [after, more] = [page.next_after, page.more];
    }
    return events;
  }

  async function countedOnce() {
    const started = await client.start({ engine: "count", params: { to: STEPS } });
    const seen = await collect(client.stream(started));
    equal(seen.map((e) => e.seq), seen.map((_, i) => i + 1), "numbers");
    equal(seen.filter((e) => e.type === "step").map((e) => e.data.n), Array.from({ length: STEPS }, (_, i) => i + 1), "steps");
    equal(seen.map((e) => [e.seq, e.type]), (await truth(started)).map((e) => [e.seq, e.type]), "events");
    equal(seen.at(-1).type, "end");
    const said = await new Blob(seen.filter((e) => e.type === "log").map(chunkOf)).text();
    equal(said, Array.from({ length: STEPS }, (_, i) => `line ${i + 1} \n`).join(""), "log");
    return started;
  }

  return {
    "every event comes once over cut lines": async () => {
      const started = await countedOnce();
      equal((await collect(client.logs(started, { stream: "stdout" }))).length, STEPS);
      const rest = await collect(client.stream(started, { after: 100, types: ["step"] }));
      equal(rest.every((e) => e.seq > 100 && ["step", "end"].includes(e.type)), true);
    },
    "the same for many at once": () => Promise.all([countedOnce(), countedOnce(), countedOnce()]),
    "run gives result and files": async () => {
      const seen = [];
      const labels = { suite: `ts-${Math.random()}` };
      const start = { engine: "count", params: { to: 3 }, env: { GREETING: "ü" }, labels };
      const { execution, result, artifacts } = await client.run(start, { onEvent: (e) => seen.push(e) });
      equal([execution.status, execution.return_code, result], ["completed", 0, { counted: 3 }]);
      equal(artifacts.map((a) => a.path), ["the end.txt"]);
      equal(await (await client.download(execution, artifacts[0])).text(), "the end\n");
      equal((await collect(client.logs(execution))).join("|"), "line 1 ü|line 2 ü|line 3 ü");
      equal((await client.list({ labels, status: ["completed"] })).executions.map((e) => e.execution_id), [execution.execution_id]);
      equal(seen.at(-1).type, "end");
      const failed = await refused(client.run({ command: "sh", args: ["-c", "exit 3"] }), ExecutionFailed);
      equal([failed.finished.execution.return_code, ended(failed.finished.execution.status)], [3, true]);
    },
    "a large file comes whole": async () => {
      const { execution } = await client.run({ command: "sh", args: ["-c", 'yes hello | head -n 200000 > "$EXECUTION_OUTPUT_DIR/a ü.txt"'] });
      equal((await (await client.download(execution, "a ü.txt")).text()) === "hello\n".repeat(200000), true);
    },
    "files go to the engine and to its rerun": async () => {
      const table = "a,b\n".repeat(100000);
      const { execution } = await client.run({ engine: "count", params: { to: 1 }, files: { "in/t.csv": table, "ü b.txt": new Blob(["text"]) } });
      const again = await client.wait(await client.rerun(execution, { params: { to: 2 } }));
      equal([again.rerun_of, (await client.spec(again)).params], [execution.execution_id, { to: 2 }]);
      for (const which of [execution, again]) {
        equal((await (await client.download(which, "in/t.csv")).text()) === table, true);
        equal(await (await client.download(which, "ü b.txt")).text(), "text");
      }
    },
    "a cancel is proved, and a second one is in order": async () => {
      const started = await client.start({ command: "sh", args: ["-c", "echo on; sleep 600"] });
      for await (const event of client.stream(started)) if (event.type === "log") break;
      const done = await client.cancel(started, { wait: 30 });
      equal([done.delivered, typeof done.group_empty_at], ["settled", "string"]);
      equal((await client.wait(started)).status, "cancelled");
      equal((await client.cancel(started, { force: true })).delivered, "settled");
    },
    "an abort ends what waits, and its reason is thrown": async () => {
      const started = await client.start({ command: "sh", args: ["-c", "sleep 600"] });
      const reason = new TypeError("enough");
      for (const wait of [(signal) => client.wait(started, { signal }), (signal) => collect(client.stream(started, { signal }))]) {
        const abort = new AbortController();
        setTimeout(() => abort.abort(reason), 50);
        equal((await refused(wait(abort.signal), TypeError)) === reason, true);
      }
      await client.cancel(started);
    },
    "refusals are problems": async () => {
      const invalid = await refused(client.start({ command: "sh", timeout_seconds: -1 }), Problem);
      equal([invalid.code, invalid.status, invalid.errors[0].location], ["invalid", 422, "timeout_seconds"]);
      const missing = await refused(collect(client.stream("exec_1762548673499_vqx7d3cpo")), Problem);
      equal(missing.code, "not_found");
      equal((await refused(new Longhaul({ url, token: "wrong" }).queue(), Problem)).code, "unauthorized");
      const { execution } = await client.run({ engine: "count", params: { to: 1 } });
      equal((await refused(client.cancel(execution), Problem)).executionStatus, "completed");
    },
    "the catalog, the line and the workers": async () => {
      equal((await client.engines()).some((e) => e.name === "count"), true);
      equal((await client.queue()).capacity > 0, true);
      equal((await client.workers()).map((w) => w.draining), [false]);
    },
  };
}
