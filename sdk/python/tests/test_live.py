"""Against a real API, worker and Redis, whose address test/sdk gives: lines are cut in the middle all the time."""

import asyncio
import os
import ssl
import tempfile
import unittest
from pathlib import Path

from longhaul import AsyncClient, Client, Conflict, Invalid, NotFound, Unauthorized, Unreachable

URL = os.environ.get("LONGHAUL_TEST_URL", "")
CUT_URL = os.environ.get("LONGHAUL_TEST_CUT_URL", "")
TOKEN = os.environ.get("LONGHAUL_TEST_TOKEN", "")
STEPS = 150


@unittest.skipUnless(URL, "SKIPPED, NOT PASSED: no server; go test ./test/sdk gives one")
class Live(unittest.TestCase):
    def setUp(self):
        self.client = Client(CUT_URL, TOKEN)
        self.direct = Client(URL, TOKEN)

    def truth(self, execution):
        """All events, by pages over a line that is not cut."""
        events, after, more = [], 0, True
        while more:
            page = self.direct.output(execution, after=after, limit=1000)
            events, after, more = events + page.events, page.next_after, page.more
        return [(e.seq, e.type, e.data) for e in events]

    def check(self, execution, seen):
        self.assertEqual([e.seq for e in seen], list(range(1, len(seen) + 1)))
        self.assertEqual([e.data["n"] for e in seen if e.type == "step"], list(range(1, STEPS + 1)))
        self.assertEqual([(e.seq, e.type) for e in seen], [(seq, type) for seq, type, _ in self.truth(execution)])
        self.assertEqual(b"".join(e.chunk for e in seen if e.type == "log"), self.direct.output_bytes(execution))
        self.assertEqual(seen[-1].type, "end")

    def test_every_event_comes_once_over_cut_lines(self):
        started = self.client.start(engine="count", params={"to": STEPS})
        self.check(started, list(self.client.stream(started)))
        lines = [f"line {n} " for n in range(1, STEPS + 1)]
        self.assertEqual(list(self.client.logs(started)), lines)
        half = list(self.client.stream(started, after=100, types=["step"]))
        self.assertTrue(all(e.seq > 100 and e.type in ("step", "end") for e in half))

    def test_the_same_with_asyncio_many_at_once(self):
        async def one(client):
            started = await client.start(engine="count", params={"to": STEPS})
            return started, [e async for e in client.stream(started)]

        async def all_of_them():
            async with AsyncClient(CUT_URL, TOKEN) as client:
                return await asyncio.gather(*(one(client) for _ in range(4)))

        for started, seen in asyncio.run(all_of_them()):
            self.check(started, seen)

    def test_run_gives_result_and_files(self):
        seen = []
        finished = self.client.run(engine="count", params={"to": 3}, env={"GREETING": "ü"}, labels={"suite": "python"}, on_event=seen.append)
        self.assertEqual((finished.execution.status, finished.result, finished.execution.return_code), ("completed", {"counted": 3}, 0))
        self.assertEqual([a.path for a in finished.artifacts], ["the end.txt"])
        self.assertEqual(self.client.output_bytes(finished.execution), "line 1 ü\nline 2 ü\nline 3 ü\n".encode())
        self.assertEqual(self.client.download(finished.execution, finished.artifacts[0]), b"the end\n")
        listed = self.client.list(labels={"suite": "python"}, status=["completed"], limit=1).executions
        self.assertEqual([e.execution_id for e in listed], [finished.execution.execution_id])

        async def looped():
            async with AsyncClient(CUT_URL, TOKEN) as client:
                return await client.run("sh", "-c", "exit 3", check=False)

        self.assertEqual(asyncio.run(looped()).execution.return_code, 3)

    def test_a_large_file_comes_whole(self):
        finished = self.client.run(engine="speak", input={"lines": 200000})
        with tempfile.TemporaryDirectory() as folder:
            self.client.download(finished.execution, "notes/hello.txt", Path(folder) / "hello.txt")
            self.assertEqual((Path(folder) / "hello.txt").read_bytes(), b"hello\n" * 200000)

    def test_tls_is_checked(self):
        url, trusted = os.environ["LONGHAUL_TEST_TLS_URL"], ssl.create_default_context(cafile=os.environ["LONGHAUL_TEST_TLS_CA"])
        finished = Client(url, TOKEN, tls=trusted).run(engine="count", params={"to": STEPS})
        self.check(finished.execution, list(Client(url, TOKEN, tls=trusted).stream(finished.execution)))

        async def looped(tls):
            async with AsyncClient(url, TOKEN, tls=tls) as client:
                return [event async for event in client.stream(finished.execution)]

        self.check(finished.execution, asyncio.run(looped(trusted)))
        for untrusted in (lambda: Client(url, TOKEN).start("x"), lambda: asyncio.run(looped(None))):
            with self.assertRaises(Unreachable) as caught:  # at once, not after five minutes
                untrusted()
            self.assertIn("certificate", str(caught.exception))

    def test_files_go_to_the_engine_and_to_its_rerun(self):
        table = b"a,b\n" * 500000
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "t.csv").write_bytes(table)
            files = {"in/t.csv": Path(folder) / "t.csv", "ü b.txt": b"text"}
            first = self.client.run(engine="count", params={"to": 1}, files=files)
        again = self.client.wait(self.client.rerun(first.execution, params={"to": 2}))
        self.assertEqual((again.rerun_of, self.client.spec(again)["params"]), (first.execution.execution_id, {"to": 2}))
        for execution in (first.execution, again):
            self.assertEqual(self.client.download(execution, "in/t.csv"), table)
            self.assertEqual(self.client.download(execution, "ü b.txt"), b"text")

    def test_the_engine_module_against_the_worker(self):
        finished = self.client.run(engine="speak", input={"q": "ä"}, timeout_seconds=600)
        self.assertEqual(finished.result, {"asked": {"q": "ä"}, "stopped": False, "in_time": True, "kept": {"seen": True}})
        events = self.truth(finished.execution)
        self.assertIn(("agent", {"name": "speaker", "status": "running", "model": "none"}), [(type, data) for _, type, data in events])
        self.assertEqual(finished.execution.progress, {"percent": 100})
        log = self.direct.output_bytes(finished.execution)
        self.assertTrue(log.startswith(b"the password is ") and b"horse" not in log, log)

    def test_cancel_is_seen_by_the_engine_and_proved(self):
        started = self.client.start(engine="speak", input={"wait": True})
        for event in self.client.stream(started):
            if event.type == "progress":
                break
        done = self.client.cancel(started, wait=30)
        self.assertEqual((done.delivered, done.group_empty_at is not None), ("settled", True))
        self.assertEqual(self.client.wait(started, timeout=30).status, "cancelled")
        self.assertTrue(self.direct.output(started).result["stopped"])

    def test_refusals_are_typed(self):
        finished = self.client.run(engine="count", params={"to": 1})
        with self.assertRaises(Conflict) as caught:
            self.client.cancel(finished.execution)
        self.assertEqual(caught.exception.execution_status, "completed")
        with self.assertRaises(Invalid):
            self.client.start(engine="count", files={"../out": b"x"})
        with self.assertRaises(NotFound):
            list(self.client.stream("exec_1762548673499_vqx7d3cpo"))
        with self.assertRaises(Invalid) as caught:
            self.client.start("sh", timeout_seconds=-1)
        self.assertEqual(caught.exception.errors[0].location, "timeout_seconds")
        with self.assertRaises(Unauthorized):
            Client(URL, "wrong").queue()

    def test_catalog_and_line(self):
        self.assertIn("count", [e.name for e in self.client.engines()])
        self.assertGreater(self.client.queue().capacity, 0)
        self.assertEqual([w.slots > 0 and not w.draining for w in self.client.workers()], [True])
