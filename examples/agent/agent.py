#!/usr/bin/env python3
"""A small agent that answers questions about customer messages.

    echo '{"input": "What do customers complain about most this week?"}' | python agent.py

The payload comes as JSON on stdin: {"input": "..."}, or {"messages": [{"role": "user", "content": "..."}]}.
The answer goes to stdout token by token, and nothing else does: tool calls are events on EXECUTION_EVENTS_FD,
the result is JSON in EXECUTION_RESULT_FILE. With OPENAI_API_KEY or OPENAI_BASE_URL a model chooses the tools
and words the answer; without, a planner of a few rules does.
"""

import sys

from desk.session import main

if __name__ == "__main__":
    sys.exit(main())
