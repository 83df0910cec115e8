"""One worker of the RQ peer, which forks for each job, as RQ does.

In its favour: everything is imported before the fork, as RQ's notes on performance
advise, and the worker logs no line per job.
"""
import importlib
import os

import redis
from rq import Queue, Worker

import tasks  # noqa: F401

if os.environ.get("PEER_PRELOAD"):
    importlib.import_module(os.environ["PEER_PRELOAD"])

connection = redis.Redis.from_url(os.environ["REDIS_URL"])
Worker([Queue("peer", connection=connection)], connection=connection).work(logging_level="ERROR")
