// The worker of the BullMQ peer: spawn, with both outputs kept, CONCURRENCY at a time
// in one process, as BullMQ advises for work that waits.
import { spawn } from "node:child_process";
import { Worker } from "bullmq";
import { Redis } from "ioredis";

const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const counters = new Redis(process.env.REDIS_URL);

function run({ cmd, args }) {
  return new Promise((resolve, reject) => {
    const child = spawn(cmd, args, { stdio: ["ignore", "pipe", "pipe"] });
    const output = [];
    child.stdout.on("data", (chunk) => output.push(chunk));
    child.stderr.on("data", (chunk) => output.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))));
  });
}

const worker = new Worker(
  "peer",
  async (job) => {
    try {
      await run(job.data);
    } catch (error) {
      await counters.incr("peer:failed");
      throw error;
    } finally {
      await counters.incr("peer:done");
    }
  },
  { connection, concurrency: Number(process.env.CONCURRENCY) },
);
worker.on("error", (error) => console.error(error));
