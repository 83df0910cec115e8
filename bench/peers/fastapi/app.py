"""The in-memory stand-in: an application that runs long commands with FastAPI alone.

It stands for one that exists, and works as that one does: one lock, a dict of jobs and
a queue, at most CONCURRENCY children at a time, both outputs of a child merged with a
task per line, eight redaction patterns per line, the last 1000 lines of a job in
memory, a JSON file per change of status, and one asyncio.Queue per reader of a stream.
Everything is lost when the process ends.

Children are started as that application does it, and everybody who runs them from a
coroutine: by asyncio's own subprocesses, which uvloop forks without vfork. With
PEER_CHILDREN=popen (the peer fastapi-popen) it is as good as Python can be instead:
subprocess.Popen, which uses vfork, its pipes read by the loop and its end told by a pidfd.

In its favour: uvloop and httptools; the limit is kept and the queue has no end; only the
output that had a line gets a new task, and no line is lost; many may read; a line is
encoded once for all readers and goes out as it is, not wrapped in JSON; the files are
written without fsync or rename. Not in its favour: reading both outputs into one queue
would take half of the CPU per line (24 instead of 51 microseconds here).
"""
import asyncio
import json
import os
import re
import subprocess
import uuid
from collections import deque
from datetime import datetime, timezone
from typing import List, Optional

from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

LIMIT = int(os.environ["CONCURRENCY"])
DIR = os.environ["PEER_DIR"]
POPEN = os.environ.get("PEER_CHILDREN") == "popen"
MOST = 1 << 20  # bytes of a line

SECRETS = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in [
        (r"(api[_-]?key\s*[=:]\s*)\S+", r"\1[redacted]"),
        (r"(password\s*[=:]\s*)\S+", r"\1[redacted]"),
        (r"(secret\s*[=:]\s*)\S+", r"\1[redacted]"),
        (r"(token\s*[=:]\s*)\S+", r"\1[redacted]"),
        (r"(bearer\s+)[\w.~+/-]+=*", r"\1[redacted]"),
        (r"\bsk-[A-Za-z0-9_-]{20,}", "[redacted]"),
        (r"\bgh[pousr]_[A-Za-z0-9]{30,}", "[redacted]"),
        (r"://[^/\s:@]+:[^/\s:@]+@", "://[redacted]@"),
    ]
]

app = FastAPI()
lock = asyncio.Lock()
jobs = {}
waiting = deque()
running = set()
counts = {"done": 0, "failed": 0}
paused = False


class Job(BaseModel):
    cmd: str
    args: Optional[List[str]] = None


def save(job, status):
    job["status"] = status
    record = {key: job[key] for key in ("id", "cmd", "args", "status")}
    record["at"] = datetime.now(timezone.utc).isoformat()
    with open(os.path.join(DIR, job["id"] + ".json"), "w") as file:
        file.write(json.dumps(record))


def start_next():
    while waiting and len(running) < LIMIT and not paused:
        task = asyncio.create_task(run(jobs[waiting.popleft()]))
        running.add(task)


@app.post("/jobs", status_code=202)
async def submit(wanted: Job):
    job = {
        "id": uuid.uuid4().hex,
        "cmd": wanted.cmd,
        "args": wanted.args or [],
        "output": deque(maxlen=1000),
        "readers": set(),
        "code": None,
    }
    async with lock:
        jobs[job["id"]] = job
        save(job, "queued")
        waiting.append(job["id"])
        start_next()
    return {"id": job["id"]}


async def run(job):
    try:
        save(job, "running")
        code = await execute(job)
    except Exception as error:
        print("job", job["id"], error)
        code = -1
    async with lock:
        job["code"] = code
        save(job, "done" if code == 0 else "failed")
        counts["done"] += 1
        counts["failed"] += code != 0
        for reader in job["readers"]:
            reader.put_nowait(end(code))
            reader.put_nowait(None)
        running.discard(asyncio.current_task())
        start_next()


async def execute(job):
    command = [job["cmd"], *job["args"]]
    how = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "start_new_session": True,
    }
    if POPEN:
        process = subprocess.Popen(command, **how)
        stdout, stderr = await lines_of(process.stdout), await lines_of(process.stderr)
    else:
        process = await asyncio.create_subprocess_exec(*command, **how, limit=MOST)
        stdout, stderr = process.stdout, process.stderr
    async for stream, line in merge(stdout, stderr):
        keep(job, stream, line)
    return await (ended(process) if POPEN else process.wait())


async def lines_of(pipe):
    reader = asyncio.StreamReader(MOST)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return reader


async def ended(process):
    """The exit code, as asyncio's own child watcher gets it."""
    loop, exited = asyncio.get_running_loop(), asyncio.Event()
    fd = os.pidfd_open(process.pid)
    loop.add_reader(fd, exited.set)
    try:
        await exited.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    return process.wait()


async def merge(stdout, stderr):
    """Yields the lines of both outputs as they come, until both have ended."""
    reading = {}

    def read(stream, reader):
        reading[asyncio.create_task(reader.readline())] = (stream, reader)

    read("stdout", stdout)
    read("stderr", stderr)
    while reading:
        done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            stream, reader = reading.pop(task)
            if line := task.result():
                yield stream, line
                read(stream, reader)


def keep(job, stream, raw):
    text = raw.decode("utf-8", errors="replace").rstrip("\r\n")
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    entry = {
        "type": stream,
        "data": text,
        "timestamp": datetime.now(timezone.utc).isoformat(),
    }
    job["output"].append(entry)
    if stream == "stdout" and job["readers"]:
        frame = event(entry)
        for reader in job["readers"]:
            reader.put_nowait(frame)


def event(entry):
    return b"data: " + entry["data"].encode() + b"\n\n"


def end(code):
    return b"event: end\ndata: %d\n\n" % code


@app.get("/jobs/{id}/stream")
async def stream(id: str):
    job = jobs.get(id)
    if job is None:
        raise HTTPException(404)
    # What is kept and what comes next meet here without a gap: no await between the two.
    reader = asyncio.Queue()
    for entry in job["output"]:
        if entry["type"] == "stdout":
            reader.put_nowait(event(entry))
    if job["code"] is None:
        job["readers"].add(reader)
    else:
        reader.put_nowait(end(job["code"]))
        reader.put_nowait(None)

    async def frames():
        try:
            while (frame := await reader.get()) is not None:
                yield frame
        finally:
            job["readers"].discard(reader)

    return StreamingResponse(
        frames(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache"},
    )


@app.get("/done")
async def done():
    return counts


@app.post("/pause")
async def pause():
    """Queue and start nothing: what stopping the workers is for the others."""
    global paused
    paused = True


@app.post("/resume")
async def resume():
    global paused
    paused = False
    async with lock:
        start_next()
