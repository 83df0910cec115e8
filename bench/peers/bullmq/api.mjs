// Express 5 in front of BullMQ. In its favour: production mode, and jobs that leave
// nothing in Redis once they have ended, failed ones included.
import { Queue } from "bullmq";
import express from "express";
import { Redis } from "ioredis";

const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const queue = new Queue("peer", {
  connection,
  defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
});

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.use(express.json({ limit: "1mb" }));

app.post("/jobs", async (req, res) => {
  const job = await queue.add("run", { cmd: req.body.cmd, args: req.body.args ?? [] });
  res.status(202).json({ id: job.id });
});

app.get("/done", async (req, res) => {
  const [done, failed] = await connection.mget("peer:done", "peer:failed");
  res.json({ done: Number(done), failed: Number(failed) });
});

await queue.waitUntilReady();
app.listen(Number(process.env.PORT), "127.0.0.1");
