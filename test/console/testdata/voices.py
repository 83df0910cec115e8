"""A run as people have them: agents, colours, groups, a warning, files.

Its input names a file for which it waits, and its exit code.
"""

import json
import os
import sys
import time

events = os.fdopen(3, "w")


def tell(**event):
    events.write(json.dumps(event) + "\n")
    events.flush()


def say(*words, to=sys.stdout):
    print(*words, file=to, flush=True)


def put(name, text):
    with open(os.path.join(os.environ["EXECUTION_OUTPUT_DIR"], name), "w") as f:
        f.write(text)


say("\x1b[1mVoice of the customer\x1b[0m: 13,083 messages of week 45")
for n, agent in enumerate(["planner", "researcher", "analyst", "critic"]):
    tell(type="agent", name=agent, status="running", message="reads the messages about cards")
    say("::group::" + agent)
    for step in range(1, 9):
        say(f"\x1b[36m09:41:{10 * n + step:02d}\x1b[0m \x1b[32mINFO\x1b[0m  {agent}: step {step} of 8 \x1b[2mtokens={step * 217}\x1b[0m")
        tell(type="progress", percent=n * 25 + step * 3, message=f"{agent}: step {step} of 8")
    say("::endgroup::")
    if agent == "analyst":
        say("\x1b[33mWARN\x1b[0m  rate limited by the model, waiting 2 s", to=sys.stderr)
    if agent != "critic":
        tell(type="agent", name=agent, status="completed", message="found 12 themes")
say("\x1b[38;5;208mcard arrival\x1b[0m \x1b[48;5;22m 1,204 \x1b[0m \x1b[38;2;255;255;0mtop-up failed\x1b[0m \x1b[7m 887 \x1b[0m \x1b[41m 12 \x1b[0m \x1b[94mexchange rate\x1b[0m")

asked = json.load(sys.stdin)
while not os.path.exists(asked["until"]):
    time.sleep(0.05)
put("report.md", """# Voice of the customer

What **13,083** customers said in *week 45*.

| theme | messages |
|---|--:|
| card arrival | 1,204 |
| top-up failed | 887 |

- Cards arrive late
- See [the data](themes.csv)
""")
put("themes.csv", "theme,messages\n" + "".join(f"theme {n},{n * 31}\n" for n in range(30)))
with open(os.environ["EXECUTION_RESULT_FILE"], "w") as f:
    json.dump({"themes": 12, "top": [{"name": "card arrival", "share": 0.092}], "ok": True}, f)
if asked["code"] != 0:
    say('Traceback (most recent call last):\n  File "critic.py", line 12, in run\nConnectionError: the model is away', to=sys.stderr)
    sys.exit(asked["code"])
tell(type="agent", name="critic", status="completed", message="no theme is left out")
tell(type="progress", percent=100, message="12 themes in 13,083 messages")
