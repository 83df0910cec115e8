"""Leaves a process behind that has a session of its own and a parent no more."""

import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    print("orphan", os.getpid(), flush=True)
    time.sleep(3600)
os.wait()
time.sleep(0.3)
print("done", flush=True)
