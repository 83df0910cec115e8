"""The job of the RQ peer."""
import importlib
import os
import subprocess

import redis

store = redis.Redis.from_url(os.environ["REDIS_URL"])


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
