"""The shell and Node engines, started as the runner does. Run inside examples/: python3 -m unittest discover -s tests"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent


class Small(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)

    def start(self, *argv, stdin=subprocess.DEVNULL, path=""):
        env = {"PATH": path + os.environ["PATH"], "EXECUTION_OUTPUT_DIR": str(self.dir / "out"), "EXECUTION_RESULT_FILE": str(self.dir / "result.json"), "EXECUTION_EVENTS_FD": "3"}
        shell = ["/bin/sh", "-c", f'exec 3>"{self.dir}/events"; exec "$0" "$@"', *map(str, argv)]
        return subprocess.Popen(shell, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def run_engine(self, *argv, text=None):
        process = self.start(*argv, stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL)
        out, err = process.communicate(text.encode() if text is not None else None, timeout=30)
        self.out, self.err = out.decode(), err.decode()
        return process.returncode

    @property
    def result(self):
        return json.loads((self.dir / "result.json").read_text())

    @property
    def events(self):
        return [json.loads(line) for line in (self.dir / "events").read_text().splitlines()]

    def check_percent(self):
        percents = [e["percent"] for e in self.events if e["type"] == "progress"]
        self.assertEqual(percents, sorted(percents))
        self.assertEqual(percents[-1], 100)


class DiskReport(Small):
    def setUp(self):
        super().setUp()
        self.root = self.dir / "root"
        for name, size in (("small", 1), ('odd " \\ name\nwith * all', 300), (".hidden", 20)):
            (self.root / name).mkdir(parents=True)
            (self.root / name / "file").write_bytes(b"x" * size * 1024)

    def test_measures_and_keeps_the_contract(self):
        self.assertEqual(self.run_engine("sh", HOME / "shell/disk-report.sh", self.root), 0)
        self.assertEqual(self.result["status"], "complete")
        self.assertEqual(self.result["folders"], 3)
        self.assertIn('odd " \\ name', self.result["largest"])
        self.assertEqual([p.name for p in (self.dir / "out").iterdir()], ["disk-report.txt"])
        self.check_percent()

    def test_refuses_what_is_no_directory(self):
        self.assertEqual(self.run_engine("sh", HOME / "shell/disk-report.sh", "/nowhere"), 2)
        self.assertIn("/nowhere is not a directory", self.err)

    def test_sigterm_leaves_a_partial_report(self):
        tools = self.dir / "bin"
        tools.mkdir()
        (tools / "du").write_text("#!/bin/sh\nexec sleep 60\n")  # a disk that never ends
        (tools / "du").chmod(0o755)
        process = self.start("sh", HOME / "shell/disk-report.sh", self.root, path=f"{tools}:")
        process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        begun = time.monotonic()
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 143)
        self.assertLess(time.monotonic() - begun, 2)
        self.assertEqual(self.result["status"], "partial")
        self.assertEqual([p.name for p in (self.dir / "out").iterdir()], ["disk-report.txt"])
        with self.assertRaises(ProcessLookupError):
            os.killpg(process.pid, 0)


@unittest.skipUnless(shutil.which("node"), "Node is not installed")
class WordCount(Small):
    def test_counts_the_text_on_stdin(self):
        self.assertEqual(self.run_engine("node", HOME / "node/word-count.mjs", text=json.dumps({"text": "to be or not to be"})), 0)
        self.assertEqual((self.result["words"], self.result["different"]), (6, 4))
        self.assertTrue((self.dir / "out/words.csv").exists())
        self.check_percent()

    def test_a_word_across_two_pieces_counts_once(self):
        file = self.dir / "long.txt"
        file.write_text("word " * 60_000)
        self.assertEqual(self.run_engine("node", HOME / "node/word-count.mjs", file), 0)
        self.assertEqual((self.result["words"], self.result["different"]), (60_000, 1))

    def test_refuses_bad_input(self):
        for text, part in (("{", "not valid JSON"), ("{}", 'no string "text"'), ("null", 'no string "text"')):
            self.assertEqual(self.run_engine("node", HOME / "node/word-count.mjs", text=text), 2)
            self.assertIn(part, self.err)


if __name__ == "__main__":
    unittest.main()
