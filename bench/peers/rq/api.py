"""FastAPI in front of RQ.

In its favour: uvloop and httptools, a function that is named instead of imported, no
result kept, a timeout that never strikes, and one short call of Redis on the event loop:
handing it to a thread, as FastAPI advises for calls that block, takes half as much CPU
again.
"""
import os
from typing import List, Optional

import redis
import redis.asyncio
from fastapi import FastAPI
from pydantic import BaseModel
from rq import Queue

app = FastAPI()
queue = Queue("peer", connection=redis.Redis.from_url(os.environ["REDIS_URL"]))
store = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


class Job(BaseModel):
    cmd: str
    args: Optional[List[str]] = None


@app.post("/jobs", status_code=202)
async def submit(job: Job):
    queued = queue.enqueue_call(
        "tasks.run", (job.cmd, job.args or []), timeout=-1, result_ttl=0, failure_ttl=0
    )
    return {"id": queued.id}


@app.get("/done")
async def done():
    finished, failed = await store.mget("peer:done", "peer:failed")
    return {"done": int(finished or 0), "failed": int(failed or 0)}
