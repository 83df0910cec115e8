"""Calls: what is sent, what is read, what is raised."""

import io
import json
import tempfile
import unittest
from datetime import datetime, timezone
from pathlib import Path
from unittest import mock

from longhaul import Client, Conflict, Execution, ExecutionFailed, Invalid, QueueFull, Unauthorized, Unreachable

from .server import Scripted, answer, chunked

ID = "exec_1762548673499_vqx7d3cpo"
STARTED = answer(json.dumps({"execution_id": ID, "status": "queued", "queue_position": 0, "new": 1}).encode(), "202 Accepted")


def problem(status, **body):
    return answer(json.dumps(body).encode(), status, "application/problem+json", "Retry-After: 7")


class Calls(unittest.TestCase):
    def setUp(self):
        patch = mock.patch.multiple("longhaul._backoff", _FIRST=0.001, _LONGEST=0.001)
        patch.start()
        self.addCleanup(patch.stop)

    def test_a_start_is_asked_for_again_under_one_key(self):
        with Scripted(b"", STARTED[:40], answer(b"", "502 x"), STARTED) as server, Client(server.url + "/base/", "secret") as client:
            started = client.start("python", "a.py", "ä", labels={"x": "1"}, timeout_seconds=5)
            self.assertEqual((started.execution_id, started.queue_position), (ID, 0))
            heads = [asked.partition(b"\r\n\r\n") for asked in server.asked]
        self.assertEqual(len({head for head, _, _ in heads}), 1, "each try is the same request")
        self.assertTrue(heads[0][0].startswith(b"POST /base/execute/start HTTP/1.1\r\n"))
        self.assertIn(b"Authorization: Bearer secret", heads[0][0])
        self.assertEqual(json.loads(heads[0][2]), {"command": "python", "args": ["a.py", "ä"], "labels": {"x": "1"}, "timeout_seconds": 5})

    def test_problems_are_typed(self):
        for status, kind, code in (
            ("401 x", Unauthorized, "unauthorized"),
            ("409 x", Conflict, "conflict"),
            ("422 x", Invalid, "invalid"),
            ("429 x", QueueFull, "queue_full"),
        ):
            body = {"code": code, "title": "T", "detail": "the request is not valid", "errors": [{"location": "queue", "message": "must be"}]}
            with Scripted(problem(status, **body)) as server, self.assertRaises(kind) as caught:
                Client(server.url).start("x")
            error = caught.exception
            self.assertEqual((error.code, error.title, error.retry_after), (code, "T", 7))
            self.assertEqual(str(error), "the request is not valid; queue must be")

    def test_a_redirect_and_a_stranger_are_told(self):
        with Scripted(answer(b"", "301 x", "text/html", "Location: https://b")) as server, self.assertRaises(Invalid) as caught:
            Client(server.url).queue()
        self.assertIn("points to https://b", str(caught.exception))
        with Scripted(b"SSH-2.0\r\n") as server, self.assertRaises(Unreachable) as caught:
            Client(server.url, timeout=0.01).queue()
        self.assertIn("does not speak HTTP", str(caught.exception))
        for url in ("localhost:8080", "ftp://x", "http://a:b@c"):
            with self.assertRaises(ValueError):
                Client(url)

    def test_a_cut_body_is_not_taken_for_whole(self):
        whole = chunked(b"x" * 100, 10, "text/plain")
        with Scripted(*[whole[:n] for n in range(0, len(whole), 11)], whole) as server:
            self.assertEqual(Client(server.url).output_bytes(ID), b"x" * 100)

    def test_a_download_goes_on_where_it_was_cut(self):
        ranged = answer(b"6789", "206 Partial Content", "x/y", "Content-Range: bytes 6-9/10")
        first = answer(b"0123456789", kind="x/y")[:-4]
        plain = answer(b"0123456789", kind="x/y")
        for second in (ranged, plain):
            with Scripted(first, second) as server, tempfile.TemporaryDirectory() as folder:
                Client(server.url).download(ID, "a b/ü.txt", Path(folder) / "got")
                self.assertEqual((Path(folder) / "got").read_bytes(), b"0123456789")
                self.assertEqual(len(list(Path(folder).iterdir())), 1)
                self.assertIn(b"GET /outputs/" + ID.encode() + b"/a%20b/%C3%BC.txt ", server.asked[0])
                self.assertIn(b"Range: bytes=6-", server.asked[1])

    def test_files_go_as_parts_and_again_with_the_next_try(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "in.csv").write_bytes(b"a,b\n")
            files = {"data/in.csv": Path(folder) / "in.csv", 'q"t.bin': b"\0\1", "f": io.BytesIO(b"f")}
            with Scripted(b"", STARTED) as server:
                Client(server.url).start(engine="e", files=files)
                self.assertEqual(server.asked[0], server.asked[1])
        body = server.asked[1].partition(b"\r\n\r\n")[2]
        self.assertIn(b'name="request"\r\nContent-Type: application/json\r\n\r\n{"engine": "e"}\r\n', body)
        self.assertIn(b'name="files"; filename="data/in.csv"\r\nContent-Type: application/octet-stream\r\n\r\na,b\n\r\n', body)
        self.assertIn(b'filename="q%22t.bin"', body)

    def test_run_tells_how_it_ended(self):
        def status(word):
            return answer(json.dumps({"execution_id": ID, "status": word, "error_message": "exit code 3"}).encode())

        output = answer(b'{"result": {"n": 1}, "artifacts": [{"path": "a", "size": 2, "later": 3}]}')
        running = status("running")
        with Scripted(STARTED, running, status("failed"), output) as server, self.assertRaises(ExecutionFailed) as caught:
            Client(server.url).run("x")
        self.assertEqual(str(caught.exception), f"{ID} is failed: exit code 3, result " + '{"n": 1}')
        with Scripted(STARTED, status("failed"), output) as server:
            finished = Client(server.url).run("x", check=False)
        self.assertEqual((finished.ok, finished.result, finished.artifacts[0].path), (False, {"n": 1}, "a"))

    def test_wait_has_a_limit(self):
        running = answer(b'{"execution_id": "x", "status": "running"}')
        with Scripted(*[running] * 100) as server, self.assertRaises(TimeoutError):
            Client(server.url).wait(ID, timeout=0.2)

    def test_a_list_asks_as_the_api_wants_it(self):
        with Scripted(answer(b'{"executions": [{"status": "queued"}], "next_cursor": "c"}')) as server:
            since = datetime(2026, 1, 2, tzinfo=timezone.utc)
            page = Client(server.url).list(status=["queued", "running"], labels={"a": "b c"}, since=since, counts=True, q=None)
            self.assertIn(b"?status=queued%2Crunning&label=a%3Db+c&since=2026-01-02T00%3A00%3A00%2B00%3A00&counts=true ", server.asked[0])
        self.assertEqual((page.executions[0].status, page.next_cursor), ("queued", "c"))

    def test_an_execution_ignores_what_it_does_not_know(self):
        e = Execution.of({"execution_id": ID, "status": "completed", "created_at": "2026-01-02T03:04:05.678Z", "later": 1, "exit_code": None})
        self.assertTrue(e.ended and e.ok and e.created_at.tzinfo and e.created_at.microsecond == 678000)
        self.assertEqual((e.raw["later"], e.exit_code), (1, None))

    def test_an_id_that_is_none_and_a_token_of_two_lines_are_refused(self):
        for call in (lambda: Client("http://x").status("../x"), lambda: Client("http://x", "a\r\nb").queue()):
            with self.assertRaises(ValueError):
                call()
