"""The engine end to end, as the runner starts it."""

import csv
import io
import json
import os
import signal
import time
import unittest
from html.parser import HTMLParser
from xml.etree import ElementTree

from tests.support import SAMPLE, THE_COMMAND, EngineTest

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Collects what a reader of the page would stumble over."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list = []
        self.wrong: list = []
        self.loads: list = []
        self.ids: list = []
        self.unnamed: list = []
        self.feed(html)
        self.close()
        self.wrong += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        self.loads += [v for k, v in attributes if k in ("src", "href", "action", "data", "poster", "srcset") and v and not v.startswith(("#", "data:"))]
        if "id" in named:
            self.ids.append(named["id"])
        if tag == "svg" and not (named.get("role") == "img" and named.get("aria-labelledby")):
            self.unnamed.append(named)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.wrong.append(f"</{tag}> closes {self.open[-1:] or 'nothing'}")
        else:
            self.open.pop()


class TheCommand(EngineTest):
    """One run of the documented command line, looked at from all sides."""

    def test_gives_a_report_slides_plots_and_a_result(self):
        engine = self.run_engine(*THE_COMMAND)
        self.assertEqual(self.code, 0, engine.err)

        with self.subTest("result"):
            result = engine.result
            self.assertEqual(result["status"], "complete")
            self.assertGreater(result["messages"], 100)
            self.assertGreaterEqual(len(result["topics"]), 4)
            for topic in result["topics"]:
                self.assertTrue({"label", "size", "share", "sentiment", "trend", "quotes"} <= topic.keys())
            self.assertLessEqual(sum(t["size"] for t in result["topics"]), result["messages"])
            self.assertTrue(result["headline_findings"])
            self.assertEqual(result["model"], "none")

        with self.subTest("artifacts are there and announced"):
            announced = [e["path"] for e in engine.events if e["type"] == "artifact"]
            self.assertEqual(announced, result["artifacts"])
            kept = {str(p.relative_to(engine.output)) for p in engine.output.rglob("*") if p.is_file()}
            self.assertEqual(kept, set(announced))
            self.assertLessEqual({"report.md", "report.html", "slides.html", "topics.csv", "plots/topics.svg"}, kept)

        with self.subTest("events"):
            percents = [e["percent"] for e in engine.events if e["type"] == "progress"]
            self.assertEqual(percents, sorted(set(percents)))
            self.assertEqual(percents[-1], 100)
            status: dict = {}
            for e in engine.events:
                if e["type"] == "agent":
                    status.setdefault(e["name"], []).append(e["status"])
            self.assertLessEqual({"topics", "sentiment", "trends", "quotes", "quality-check"}, status.keys())
            for name, seen in status.items():
                self.assertEqual(seen, ["running", "completed"], name)

        with self.subTest("the log says what is not done"):
            self.assertIn("no Gamma service is configured", engine.out)
            self.assertIn("goes on with its own statistics", engine.err)

        with self.subTest("pages"):
            for name in ("report.html", "slides.html"):
                html = engine.artifact(name)
                page = Page(html)
                self.assertEqual(page.wrong, [], name)
                self.assertEqual(page.loads, [], name)
                self.assertEqual(page.unnamed, [], name)
                self.assertEqual(len(page.ids), len(set(page.ids)), name)
                self.assertNotIn("@import", html)
                self.assertNotIn("url(", html)

        with self.subTest("plots and table"):
            for svg in engine.output.glob("plots/*.svg"):
                ElementTree.fromstring(svg.read_text(encoding="utf-8"))
            rows = list(csv.DictReader(io.StringIO(engine.artifact("topics.csv"))))
            self.assertEqual(len(rows), len(result["topics"]))

        with self.subTest("quotes are verbatim"):
            with SAMPLE.open(encoding="utf-8") as file:
                texts = {row["text"] for row in csv.DictReader(file)}
            for topic in result["topics"]:
                self.assertLessEqual(set(topic["quotes"]), texts)

    def test_finds_the_story_that_the_sample_was_made_with(self):
        engine = self.run_engine(*THE_COMMAND)
        rising = [t["label"].lower() for t in engine.result["topics"] if t["trend"]["direction"] == "rising"]
        self.assertTrue(any("crash" in label for label in rising), rising)

    def test_gives_the_same_with_and_without_processes(self):
        together = self.run_engine("voice-of-customer", "--multi-agent", "--test-mode").result
        alone = self.run_engine("voice-of-customer", "--test-mode").result
        for result in (together, alone):
            result.pop("seconds")
            result.pop("agents")
        self.assertEqual(together, alone)


class OtherData(EngineTest):
    def test_a_file_without_dates_states_no_trend(self):
        rows = "".join(f"my card number {i % 7} was declined,declined\nhow do I top up account {i % 5},topping_up\n" for i in range(40))
        engine = self.run_engine("voice-of-customer", "--input", self.write("undated.csv", "text,category\n" + rows))
        self.assertEqual(self.code, 0, engine.err)
        self.assertEqual({t["trend"]["direction"] for t in engine.result["topics"]}, {"unknown"})
        self.assertIn("has no dates", engine.artifact("report.html"))
        self.assertIn("has no dates", engine.err)
        self.assertGreater(engine.result["agreement"]["purity"], 0.9)

    def test_json_on_stdin(self):
        texts = ["the parcel is late", "parcel late again", "great coffee", "coffee is great", "app crashed", "the app crashed today"] * 5
        stdin = json.dumps({"messages": [{"text": t, "date": f"2025-11-0{1 + i % 7}"} for i, t in enumerate(texts)]}).encode()
        engine = self.run_engine("voice-of-customer", "--input", "-", "--topics", "3", stdin=stdin)
        self.assertEqual(self.code, 0, engine.err)
        self.assertEqual(engine.result["messages"], 30)
        self.assertEqual(len(engine.result["topics"]), 3)

    def test_semicolons_other_columns_and_german_dates(self):
        rows = "".join(f"{i};{1 + i % 28}.10.2025 10:00;Die Lieferung {i % 3} kommt spät und das Paket fehlt\n" for i in range(30))
        engine = self.run_engine("voice-of-customer", "--input", self.write("de.csv", "id;erstellt;meldung\n" + rows), "--date-column", "erstellt", "--analysis-type", "sentiment", "--time-period", "month")
        self.assertEqual(self.code, 0, engine.err)
        self.assertEqual(engine.result["messages"], 30)
        self.assertIn("text = 'meldung'", engine.out)

    def test_customers_words_never_become_markup(self):
        evil = '<script>alert(1)</script> "><img src=x onerror=alert(1)> =cmd()'
        rows = "".join(f'"{evil.replace(chr(34), chr(34) * 2)} crash app {i}",2025-11-0{1 + i % 7}\n' for i in range(20))
        engine = self.run_engine("voice-of-customer", "--input", self.write("evil.csv", "text,date\n" + rows), "--generate-gamma", "--topics", "2")
        self.assertEqual(self.code, 0, engine.err)
        for name in ("report.html", "slides.html"):
            html = engine.artifact(name)
            self.assertEqual(Page(html).wrong, [])
            self.assertNotIn("<script>alert", html)
            self.assertNotIn("<img", html)

    def test_too_few_messages_give_a_partial_report_and_say_why(self):
        engine = self.run_engine("voice-of-customer", "--multi-agent", "--input", self.write("few.csv", "text\nhello there\ngood bye\n"))
        self.assertEqual(self.code, 1)
        self.assertIn("--analysis-type sentiment", engine.err)
        self.assertEqual(engine.result["status"], "partial")
        self.assertIn("Partial report", engine.artifact("report.html"))


class Stopping(EngineTest):
    def test_sigterm_to_the_group_gives_a_partial_report_at_once(self):
        self._stop(group=True, multi=True)

    def test_sigterm_to_the_engine_alone_leaves_no_child(self):
        self._stop(group=False, multi=True)

    def test_sigterm_without_processes(self):
        self._stop(group=True, multi=False)

    def _stop(self, group: bool, multi: bool) -> None:
        # Enough distinct text that the topics need many seconds.
        body = SAMPLE.read_text(encoding="utf-8").splitlines()[1:]
        lines = [line.replace("2025-", "2025-", 1) + f" word{i % 97} thing{i % 89} part{i % 83}" if '"' not in line else line for i, line in enumerate(body * 30)]
        source = self.write("many.csv", "date,channel,text\n" + "\n".join(lines) + "\n")
        engine = self.start("voice-of-customer", "--input", source, "--restarts", "50", "--time-period", "year", *(["--multi-agent"] if multi else []))
        engine.wait_for(lambda e: e["type"] == "progress" and e["percent"] >= 5)
        begun = time.monotonic()
        (os.killpg if group else os.kill)(engine.process.pid, signal.SIGTERM)
        code = engine.finish(timeout=10)
        self.assertEqual(code, 143, engine.err)
        self.assertLess(time.monotonic() - begun, 2.0)  # a second on an idle machine
        self.assertEqual(engine.result["status"], "partial")
        self.assertIn("SIGTERM", engine.result["partial_reason"])
        self.assertIn("Partial report", engine.artifact("report.html"))
        self.assertNotIn("Traceback", engine.err)
        last = {e["name"]: e["status"] for e in engine.events if e["type"] == "agent"}
        self.assertEqual(last["topics"], "failed")
        self.assertNotIn("running", last.values())
        with self.assertRaises(ProcessLookupError):
            os.killpg(engine.process.pid, 0)


class ByHand(EngineTest):
    def test_without_a_runner_files_go_to_outputs(self):
        import subprocess
        import sys

        from tests.support import HOME

        done = subprocess.run(
            [sys.executable, str(HOME / "src" / "main.py"), "voice-of-customer", "--test-mode"],
            cwd=self.directory, env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("outputs/result.json", done.stdout)
        self.assertTrue((self.directory / "outputs" / "report.html").exists())

    def test_variables_that_make_no_sense_are_warned_about(self):
        engine = self.run_engine("voice-of-customer", "--test-mode", env={"EXECUTION_EVENTS_FD": "77", "EXECUTION_DEADLINE": "soon"})
        self.assertEqual(self.code, 0)
        self.assertIn("EXECUTION_EVENTS_FD='77'", engine.err)
        self.assertIn("EXECUTION_DEADLINE='soon'", engine.err)


if __name__ == "__main__":
    unittest.main()
