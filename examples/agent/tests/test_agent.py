"""The agent as the runner starts it: payload on stdin, answer on stdout, tool calls on fd 3."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from desk.data import Desk  # noqa: E402
from desk.tools import Toolbox, ToolError  # noqa: E402


class AgentTest(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.result_file = Path(holder.name) / "result.json"
        self.events_file = Path(holder.name) / "events"

    def start(self, payload, **env):
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec 3>"{self.events_file}"; exec "$0" agent.py', sys.executable],
            cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env={"PATH": os.environ["PATH"], "EXECUTION_RESULT_FILE": str(self.result_file), "EXECUTION_EVENTS_FD": "3", "AGENT_TOKEN_DELAY": "0", **env},
        )  # fmt: skip
        process.stdin.write(raw)
        process.stdin.close()
        process.stdin = None
        return process

    def ask(self, payload, **env):
        process = self.start(payload, **env)
        out, err = process.communicate(timeout=30)
        self.code, self.out, self.err = process.returncode, out.decode(), err.decode()
        return self.out

    @property
    def result(self):
        return json.loads(self.result_file.read_text(encoding="utf-8"))

    @property
    def events(self):
        return [json.loads(line) for line in self.events_file.read_text().splitlines()]


class WithRules(AgentTest):
    def test_the_question_of_the_documentation(self):
        answer = self.ask({"input": "What do customers complain about most this week?"})
        self.assertEqual(self.code, 0, self.err)
        self.assertIn("complain most about", answer)
        self.assertIn("crash", answer.lower())
        self.assertEqual(self.result["answer"], answer.strip())
        self.assertEqual(self.result["model"], "rule-based planner")
        self.assertIn("count_by", [t["name"] for t in self.result["tools_used"]])
        told = [e for e in self.events if e["type"] == "tool" and e["status"] == "completed"]
        self.assertEqual(len(told), len(self.result["tools_used"]))
        self.assertEqual(sum(e.get("model") is not None for e in self.events), 1)

    def test_other_questions(self):
        for question, part in {
            "What is 15% of 240?": "= 36.",
            "12*(3+4)": "= 84.",
            "How many messages mention refund?": "mention “refund”",
            "Is crash rising?": "are rising",
            "Which channels do unhappy customers use?": "app review",
            "Sing a song": "I can't answer that",
        }.items():
            self.assertIn(part, self.ask({"input": question}), question)

    def test_messages_instead_of_input(self):
        answer = self.ask({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, {"role": "user", "content": [{"type": "text", "text": "summary please"}]}]})
        self.assertIn("largest topics", answer)

    def test_tokens_come_one_by_one_and_need_no_newline(self):
        process = self.start({"input": "summary please"}, AGENT_TOKEN_DELAY="0.2")
        first = os.read(process.stdout.fileno(), 4096)
        self.assertLess(len(first), 40)
        self.assertNotIn(b"\n", first)
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=5)
        self.assertEqual(process.returncode, 143)
        self.assertEqual(self.result["status"], "cancelled")
        self.assertTrue(self.result["answer"].startswith(first.decode().strip()))

    def test_bad_payloads(self):
        for payload, part in {
            b"": "stdin is empty",
            b"{": "not valid JSON",
            b"[1]": "not an object",
            b"{}": 'neither "input" nor "messages"',
            b'{"input": 5}': "input must be a string",
            b'{"input": "  "}': "no question",
            b'{"messages": [{"role": "robot"}]}': "messages[0]",
        }.items():
            self.assertEqual(self.ask(payload), "")
            self.assertEqual(self.code, 2, payload)
            self.assertIn(part, self.err)


class Tools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tools = Toolbox(Desk())

    def test_wrong_calls_say_what_is_wrong(self):
        for name, arguments, part in [
            ("shout", {}, "no tool"),
            ("count_by", {}, "'field' is missing"),
            ("count_by", {"field": "mood"}, "must be one of"),
            ("search", {"limit": "many"}, "must be a integer"),
            ("search", {"colour": "red"}, "unknown argument"),
            ("calculate", {"expression": "__import__('os')"}, "only numbers"),
            ("calculate", {"expression": "9**9**9**9"}, "too large"),
            ("calculate", {"expression": "1/0"}, "zero"),
        ]:
            with self.assertRaisesRegex(ToolError, part):
                self.tools.call(name, arguments)

    def test_counts_add_up(self):
        got = self.tools.call("count_by", {"field": "sentiment"})
        self.assertEqual(sum(row["count"] for row in got["rows"]), got["total"])


def chunk(**delta):
    return {"choices": [{"delta": delta}]}


class WithModel(AgentTest):
    """A fake streaming endpoint on loopback; `turns` are the chunks of each answer, or a status."""

    def serve(self, *turns, cut=False):
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                turn = turns[min(len(asked), len(turns)) - 1]
                if isinstance(turn, int):
                    self.send_error(turn)
                    return
                self.send_response(200)
                self.end_headers()
                for piece in turn:
                    self.wfile.write(b"data: " + json.dumps(piece).encode() + b"\n\n")
                if not cut:
                    self.wfile.write(b"data: [DONE]\n\n")

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        self.addCleanup(lambda: (server.shutdown(), server.server_close(), thread.join()))
        return {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.server_address[1]}/v1", "OPENAI_API_KEY": "sk-loopback-only", "OPENAI_MODEL": "tiny"}

    def test_it_calls_tools_and_its_words_are_streamed(self):
        calls = [
            chunk(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "count_by", "arguments": '{"fie'}}]),
            chunk(tool_calls=[{"index": 0, "function": {"arguments": 'ld": "channel"}'}}]),
            chunk(tool_calls=[{"index": 1, "id": "c2", "function": {"name": "count_by", "arguments": "{}"}}]),
        ]
        env = self.serve(calls, [chunk(content="Mostly "), chunk(content="by mail.")])
        self.assertEqual(self.ask({"input": "Which channel?"}, **env), "Mostly by mail.\n")
        self.assertEqual(self.code, 0, self.err)
        answers = [json.loads(m["content"]) for m in self.asked[1]["messages"] if m["role"] == "tool"]
        self.assertGreater(answers[0]["total"], 100)
        self.assertIn("'field' is missing", answers[1]["error"])
        self.assertEqual(self.result["model"], "tiny")
        self.assertIn({"type": "redact", "value": "sk-loopback-only"}, self.events)

    def test_an_endpoint_that_refuses_is_done_without(self):
        answer = self.ask({"input": "summary please"}, **self.serve(503))
        self.assertEqual(self.code, 0)
        self.assertIn("largest topics", answer)
        self.assertIn("503", self.err)
        self.assertEqual(self.result["model"], "rule-based planner")

    def test_half_an_answer_is_a_failure_not_two_answers(self):
        answer = self.ask({"input": "summary please"}, **self.serve([chunk(content="Half an")], cut=True))
        self.assertEqual((answer, self.code), ("Half an", 1))
        self.assertEqual(self.result["status"], "failed")

    def test_a_model_that_only_calls_tools_is_stopped(self):
        again = [chunk(tool_calls=[{"index": 0, "id": "c", "function": {"name": "trend", "arguments": "{}"}}])]
        self.ask({"input": "summary please"}, **self.serve(again))
        self.assertEqual(self.code, 0, self.err)
        self.assertLessEqual(len(self.asked), 8)


if __name__ == "__main__":
    unittest.main()
