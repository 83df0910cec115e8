"""A stand-in for CrewAI: its names and arguments, as far as docs/engines.md uses them, and no model behind them."""

import sys
import threading
from types import SimpleNamespace

from . import events


class Agent:
    def __init__(self, role, goal, backstory):
        self.role, self.goal, self.backstory = role, goal, backstory


class Task:
    callback = None

    def __init__(self, description, expected_output, agent):
        self.description, self.expected_output, self.agent = description, expected_output, agent


class Crew:
    def __init__(self, agents, tasks):
        self.agents, self.tasks = agents, tasks

    def kickoff(self, inputs=None):
        output = None
        for task in self.tasks:
            _emit(events.AgentExecutionStartedEvent(agent=task.agent))
            _emit(events.ToolUsageStartedEvent(tool_name="search", agent_role=task.agent.role))
            output = SimpleNamespace(raw=task.description.format(**inputs), agent=task.agent.role)
            print(output.raw)
            _emit(events.AgentExecutionCompletedEvent(agent=task.agent, output=output.raw))
            if task.callback:
                task.callback(output)
        return output


def _emit(event):
    """In a thread, as the real bus may."""
    for handler in events.crewai_event_bus.handlers.get(type(event), []):
        thread = threading.Thread(target=handler, args=(sys, event))
        thread.start()
        thread.join()
