"""FastAPI in front of Celery.

In its favour: uvloop and httptools, and one short call of Redis on the event loop
instead of in a thread, as with RQ.
"""
import os
from typing import List, Optional

import redis.asyncio
from fastapi import FastAPI
from pydantic import BaseModel

from tasks import run

app = FastAPI()
store = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])


class Job(BaseModel):
    cmd: str
    args: Optional[List[str]] = None


@app.post("/jobs", status_code=202)
async def submit(job: Job):
    return {"id": run.delay(job.cmd, job.args or []).id}


@app.get("/done")
async def done():
    finished, failed = await store.mget("peer:done", "peer:failed")
    return {"done": int(finished or 0), "failed": int(failed or 0)}
