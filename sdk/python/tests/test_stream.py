"""A stream is whole over every kind of cut, blocking and with asyncio."""

import asyncio
import unittest
from unittest import mock

from longhaul import AsyncClient, Client, NotFound, Unavailable, Unreachable
from longhaul._sse import Parser

from .server import Scripted, answer, chunked

ID = "exec_1762548673499_vqx7d3cpo"


def frames(*numbers, last=4, end="\n"):
    lines = ["retry: 1", "", ": keep-alive", ""]
    for n in numbers:
        lines += [f"id: {n}", "event: " + ("end" if n == last else "log"), 'data: {"text":"n%d ä"}' % n, ""]
    return (end.join(lines) + end).encode()


def blocking(url, **options):
    with Client(url, "t", silence=2, **options) as client:
        return [(e.seq, e.type, e.text) for e in client.stream(ID)]


def looped(url, **options):
    async def read():
        async with AsyncClient(url, "t", silence=2, **options) as client:
            return [(e.seq, e.type, e.text) async for e in client.stream(ID)]

    return asyncio.run(read())


WHOLE = [(1, "log", "n1 ä"), (2, "log", "n2 ä"), (3, "log", "n3 ä"), (4, "end", "n4 ä")]


class Streams(unittest.TestCase):
    def setUp(self):
        patch = mock.patch.multiple("longhaul._backoff", _FIRST=0.001, _LONGEST=0.001)
        patch.start()
        self.addCleanup(patch.stop)
        patch = mock.patch("longhaul.aio._LEAST_RETRY", 0.001)
        patch.start()
        self.addCleanup(patch.stop)

    def test_every_event_comes_once_wherever_the_line_is_cut(self):
        whole = chunked(frames(1, 2, 3, 4), 13)
        for read in (blocking, looped):
            for cut in range(0, len(whole), 3):
                # The rest is sent doubled: what is behind the cursor is left out.
                with Scripted(whole[:cut], chunked(frames(1, 2, 3, 4), 7)) as server:
                    self.assertEqual(read(server.url), WHOLE, f"{read.__name__}, cut after {cut} bytes")

    def test_rotation_a_deploy_and_a_full_server_are_gone_over(self):
        problem = b'{"code":"unavailable","detail":"drains"}'
        answers = (
            answer(frames(1), kind="text/event-stream"),
            answer(b"bad gateway", "502 Bad Gateway", "text/html"),
            answer(problem, "503 Service Unavailable", "application/problem+json"),
            b"",
            chunked(frames(2, 3), 1000),
            chunked(frames(4), 1000),
        )
        for read in (blocking, looped):
            with Scripted(*answers) as server:
                self.assertEqual(read(server.url), WHOLE)
                cursors = [line.split(b"after=")[1].split(b" ")[0] for line in server.asked]
                self.assertEqual(cursors, [b"0", b"1", b"1", b"1", b"1", b"3"])

    def test_204_is_the_end(self):
        for read in (blocking, looped):
            with Scripted(b"HTTP/1.1 204 No Content\r\n\r\n") as server:
                self.assertEqual(read(server.url), [])

    def test_what_trying_on_cannot_cure_is_raised(self):
        gone = answer(b'{"code":"not_found","detail":"gone"}', "404 Not Found", "application/problem+json")
        for read in (blocking, looped):
            with Scripted(gone) as server, self.assertRaises(NotFound) as caught:
                read(server.url)
            self.assertEqual((caught.exception.code, str(caught.exception)), ("not_found", "gone"))

    def test_gives_up_in_time(self):
        for read in (blocking, looped):
            with Scripted() as server:
                url = server.url
            with self.assertRaises(Unreachable):
                read(url, give_up_after=0.05)
            with Scripted(*[answer(b"", "503 x")] * 1000) as server, self.assertRaises(Unavailable):
                read(server.url, give_up_after=0.05)

    def test_a_page_that_is_no_stream_is_not_read_as_one_for_ever(self):
        for read in (blocking, looped):
            with Scripted(*[answer(b"<h1>Log in</h1>", kind="text/html")] * 1000) as server:
                with self.assertRaises(Unreachable) as caught:
                    read(server.url, give_up_after=0.05)
                self.assertIn("no event stream", str(caught.exception))

    def test_a_silent_line_is_taken_for_dead(self):
        with Scripted(chunked(frames(1, 2, 3, 4), 9)) as server:
            import socket

            dead = socket.create_server(("127.0.0.1", 0))  # takes the connection, says nothing
            self.addCleanup(dead.close)
            url = "http://127.0.0.1:%d" % dead.getsockname()[1]
            with self.assertRaises(Unreachable) as caught:
                Client(url, timeout=0.05, give_up_after=0.1).status(ID)
            self.assertIn("timed out", str(caught.exception))
            with self.assertRaises(Unreachable):
                asyncio.run(AsyncClient(url, timeout=0.05, give_up_after=0.1).status(ID))
            self.assertEqual(blocking(server.url), WHOLE)

    def test_a_stream_may_be_left(self):
        with Scripted(chunked(frames(1, 2, 3, 4), 9)) as server, Client(server.url) as client:
            for event in client.stream(ID):
                self.assertEqual(event.seq, 1)
                break

    def test_lines_of_a_log(self):
        parts = ['{"stream":"stdout","text":"a\\nb"}', '{"stream":"stderr","text":"oh\\r\\n"}', '{"stream":"stdout","base64":"w6QKw6Q="}', "{}"]
        body = "".join(f"id: {i}\nevent: {'end' if i == 4 else 'log'}\ndata: {d}\n\n" for i, d in enumerate(parts, 1)).encode()
        with Scripted(chunked(body, 9), chunked(body, 9)) as server, Client(server.url) as client:
            self.assertEqual(list(client.logs(ID)), ["a", "oh", "bä", "ä"])
            self.assertEqual(list(client.logs(ID, stream="stderr")), ["oh"])


class Sse(unittest.TestCase):
    def test_line_ends_and_pieces_make_no_difference(self):
        for end in ("\n", "\r", "\r\n"):
            text = frames(1, 2, end=end) + b"\n"  # a CR at the very end waits for what follows
            for size in (1, 2, 3, 1000):
                parser = Parser()
                got = [f for i in range(0, len(text), size) for f in parser.feed(text[i : i + size])]
                self.assertEqual([(f.id, f.event, f.data) for f in got], [("1", "log", '{"text":"n1 ä"}'), ("2", "log", '{"text":"n2 ä"}')])
                self.assertEqual(parser.retry, 0.001)

    def test_a_frame_that_is_cut_off_does_not_count(self):
        self.assertEqual(Parser().feed(b"id: 1\ndata: x\n"), [])


if __name__ == "__main__":
    unittest.main()
