"""Speaks through longhaul.engine, and waits for its end when it is told to."""

import time

from longhaul import engine

stopped = engine.cancelled()  # from here on SIGTERM is ours to obey
asked = engine.input({})
engine.redact("correct-horse-battery")
print("the password is correct-horse-battery")
engine.agent("speaker", "running", model="none")
engine.progress(50, "half")
engine.artifact("notes/hello.txt", "hello\n" * asked.get("lines", 1))
engine.checkpoint.save({"seen": True})
while asked.get("wait") and not stopped:
    time.sleep(0.02)
    stopped = engine.cancelled()
engine.agent("speaker", "completed")
engine.progress(100)
engine.result({"asked": asked, "stopped": stopped, "in_time": engine.remaining() > 0, "kept": engine.checkpoint.load()})
