"""One run from messages to report: read, let the agents work, write. Also what happens when it is stopped."""

from __future__ import annotations

import os
from typing import Any, Optional

from . import agents, assemble, messages, model, team, writer
from .analysis import Analysis
from .contract import Contract
from .log import Log
from .render import artifacts
from .team import Job

READ, AGENTS, WRITTEN = 4, 82, 92  # percent at which these steps are done


class Stopped(BaseException):
    """A signal asked us to end. Not an Exception, so that no ordinary handler swallows it."""


class Run:
    """The state of one run; the team's listener too."""

    def __init__(self, options: Any, contract: Contract, log: Log) -> None:
        self.options = options
        self.contract = contract
        self.log = log
        self.corpus: Optional[messages.Corpus] = None
        self.analysis: Optional[Analysis] = None
        self.results: dict[str, Any] = {}
        self.shares: dict[str, float] = {}
        self.weight = 1.0
        self.working: set[str] = set()  # agents that have begun and not ended

    def work(self) -> None:
        """Everything, in order."""
        self._read()
        self._agents()
        self._write_sentences()
        self._report()

    # --- steps

    def _read(self) -> None:
        with self._step("reader", "reading messages"):
            self.corpus = corpus = messages.read(self.options)
            self.log.say("reader", f"{len(corpus.current):,} messages from {corpus.source}")
            for note in corpus.notes:
                self.log.say("reader", note)
            if not corpus.dated:
                self.log.warn("reader", "the data has no dates, so trends can't be stated")
            self.analysis = assemble.begin(corpus, self.options)
        self.contract.progress(READ, f"{len(corpus.current):,} messages read")

    def _agents(self) -> None:
        assert self.corpus is not None and self.analysis is not None
        jobs = agents.jobs(self.corpus, self.options)
        self.weight = sum(job.weight for job in jobs)
        workers = (self.options.workers or min(4, max(2, os.cpu_count() or 2))) if self.options.multi_agent else 0
        self.log.say("team", f"{len(jobs)} agents, " + (f"{workers} at once, each in its own process" if workers else "one after the other (--multi-agent runs them side by side)"))
        team.run(jobs, workers, self)
        assemble.fill(self.analysis, self.corpus, self.results)
        self.contract.progress(AGENTS, "agents are done")

    def _write_sentences(self) -> None:
        """Findings are ours; with --ai-model a model may name the topics and word the summary."""
        assert self.analysis is not None
        a = self.analysis
        with self._step("writer", "writing findings"):
            if self.options.ai_model != "none":
                self._ask_model(a)
            for finding in a.findings:
                self.log.say("writer", f"• {finding}")
        self.contract.progress(WRITTEN, "findings written")

    def _ask_model(self, a: Analysis) -> None:
        found = model.configured(lambda text: self.log.warn("writer", text), self.contract.seconds_left)
        if found is None:
            note = "--ai-model openai: no OPENAI_API_KEY and no OPENAI_BASE_URL is set, so the analysis goes on with its own statistics"
            a.notes.append(note)
            self.log.warn("writer", note)
            return
        if found.key:
            self.contract.event("redact", value=found.key)  # should it ever be printed, the log shows *** instead
        self.log.say("writer", f"asking {found.name} at {found.url} for topic names and the summary")
        try:
            if a.topics:
                taken = writer.name_topics(a, found)
                self.log.say("writer", f"{taken} of {len(a.topics)} topics named by {found.name}")
                a.findings, a.actions, a.summary = writer.findings(a), writer.actions(a), writer.summary(a)
                a.model = f"{found.name} (topic names)"
            a.summary = writer.model_summary(a, found)
            a.model = found.name
            a.notes.append(f"Topic names and summary were worded by {found.name}; it was sent up to three quotes per topic, masked. All numbers are from the statistics")
        except model.NoAnswer as reason:
            note = f"{found.name} could not be used: {reason}. What is missing was written from the statistics"
            a.notes.append(note)
            self.log.warn("writer", note)

    def _report(self) -> None:
        assert self.analysis is not None
        with self._step("reporter", "writing the report"):
            if self.options.generate_gamma:
                note = "--generate-gamma: no Gamma service is configured, so Gamma is not called; the slide deck slides.html is made here instead"
                self.analysis.notes.append(note)
                self.log.say("reporter", note)
            self.save()
        self.contract.progress(100, "done")

    def save(self) -> None:
        """Write every artifact and the result from what the analysis holds now."""
        a = self.analysis
        if a is None:
            self.contract.result({"status": "partial", "partial_reason": "stopped before any message was read", "messages": 0, "artifacts": []})
            return
        a.seconds = self.log.seconds()
        paths = []
        for path, text in artifacts(a, slides=self.options.generate_gamma):
            self.contract.artifact(path, text)
            paths.append(path)
        self.contract.result(a.result(paths))
        self.log.say("reporter", f"{', '.join(p for p in paths if '/' not in p)} and {sum('/' in p for p in paths)} plots in {self.contract.output_dir}")
        if not os.environ.get("EXECUTION_RESULT_FILE"):
            self.log.say("reporter", f"result: {self.contract.result_file}")

    def save_partial(self, reason: str) -> None:
        """Report what is there. Called after a stop or a failure; must be quick."""
        if self.analysis is not None and self.corpus is not None:
            assemble.fill(self.analysis, self.corpus, self.results)
            self.analysis.partial = reason
            self.analysis.notes.append(f"This report is partial: {reason}. Finished agents: {', '.join(self.results) or 'none'}")
        for name in sorted(self.working):
            self.contract.agent(name, "failed", reason)
        self.save()

    # --- the team's listener

    def started(self, job: Job) -> None:
        self.shares[job.name] = 0.0
        self.working.add(job.name)
        self.contract.agent(job.name, "running")
        self.log.say(job.name, "started")

    def said(self, job: Job, text: str) -> None:
        self.log.say(job.name, text)

    def share(self, job: Job, share: float) -> None:
        self.shares[job.name] = max(self.shares[job.name], min(1.0, share) * job.weight / self.weight)
        self.contract.progress(READ + (AGENTS - READ) * min(1.0, sum(self.shares.values())), f"{job.name} is working")

    def finished(self, job: Job, result: Any) -> None:
        self.results[job.name] = result
        self.share(job, 1.0)
        self.working.discard(job.name)
        self.contract.agent(job.name, "completed")
        self.log.say(job.name, "done")

    def failed(self, job: Job, reason: str) -> None:
        first, _, details = reason.partition("\n")
        self.shares[job.name] = job.weight / self.weight  # it will do no more work; progress goes on without it
        self.working.discard(job.name)
        self.contract.agent(job.name, "failed", first)
        self.log.warn(job.name, f"failed: {first}" + (f"\n{details}" if details else ""))
        if self.analysis is not None:
            self.analysis.notes.append(f"The agent {job.name} failed ({first}); what it finds is missing in this report")

    def _step(self, name: str, message: str) -> "_Step":
        return _Step(self, name, message)


class _Step:
    """An agent of the parent process: running, then completed or failed; a stop is told by save_partial."""

    def __init__(self, run: Run, name: str, message: str) -> None:
        self.run, self.name, self.message = run, name, message

    def __enter__(self) -> None:
        self.run.working.add(self.name)
        self.run.contract.agent(self.name, "running", self.message)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is Stopped:
            return
        self.run.working.discard(self.name)
        self.run.contract.agent(self.name, "failed" if kind else "completed", str(error) if kind else "")
