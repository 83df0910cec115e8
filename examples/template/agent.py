"""A template for an agent of your own. docs/tutorial.md walks through it.

It looks into one topic after the other and writes a report. What it found is kept after each topic, so that another
attempt goes on there. Run it by hand as it is: echo '{"seconds": 0.1}' | PYTHONPATH=../../sdk/python python3 agent.py
"""

import sys
import time

from longhaul import engine

TOPICS = ["delivery", "prices", "support"]


def research(topic, seconds):
    """The work on one topic: call your model here. It is left early when the agent was told to stop."""
    for source in range(1, 5):
        if engine.cancelled():
            return None
        time.sleep(seconds / 4)
        print(f"{topic}: source {source} of 4 read")
    return f"Customers speak of {topic} in 4 sources."


def main():
    engine.cancelled()  # from here on a stop is for us to obey
    asked = engine.input({})
    topics, seconds = asked.get("topics", TOPICS), asked.get("seconds", 2)

    found = engine.checkpoint.load({})  # empty at the first attempt
    if found:
        print(f"attempt {engine.attempt} goes on after {', '.join(found)}")
    for topic in topics:
        engine.agent(topic, "completed" if topic in found else "queued")

    for topic in topics:
        if topic in found:
            continue
        engine.agent(topic, "running", message="reading")
        finding = research(topic, seconds)
        if finding is None:
            engine.agent(topic, "cancelled")
            break
        found[topic] = finding
        engine.checkpoint.save(found)
        engine.agent(topic, "completed")
        engine.progress(100 * len(found) / len(topics), f"{topic} is done")

    report = "".join(f"## {topic}\n\n{text}\n\n" for topic, text in found.items())
    engine.artifact("report.md", f"# Report\n\n{report}")
    engine.result({"topics": list(found), "partial": len(found) < len(topics)})
    return 143 if engine.cancelled() else 0


if __name__ == "__main__":
    sys.exit(main())
