"""The worker of the Celery peer: prefork, Redis as the broker.

In its favour: no result backend and no events, no gossip, mingle or heartbeat (see the
command line in python.go), the default prefetch of four, which suits short jobs, and
one round trip to Redis per job of our own.
"""
import importlib
import os
import subprocess

import redis
from celery import Celery

app = Celery("peer", broker=os.environ["REDIS_URL"])
app.conf.task_ignore_result = True
app.conf.worker_hijack_root_logger = False

store = redis.Redis.from_url(os.environ["REDIS_URL"])

if os.environ.get("PEER_PRELOAD"):  # before the fork, so that every child has it
    importlib.import_module(os.environ["PEER_PRELOAD"])


@app.task(name="run")
def run(cmd, args):
    failed = True
    try:
        failed = not succeeds(cmd, args)
    finally:
        if failed:
            store.incr("peer:failed")
        store.incr("peer:done")


def succeeds(cmd, args):
    if cmd == "@call":
        module, function, *rest = args
        getattr(importlib.import_module(module), function)(*rest)
        return True
    try:
        return subprocess.run([cmd, *args], capture_output=True).returncode == 0
    except OSError:
        return False
