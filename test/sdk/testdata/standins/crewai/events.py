from types import SimpleNamespace


class AgentExecutionStartedEvent(SimpleNamespace):
    pass


class AgentExecutionCompletedEvent(SimpleNamespace):
    pass


class AgentExecutionErrorEvent(SimpleNamespace):
    pass


class ToolUsageStartedEvent(SimpleNamespace):
    pass


class Bus:
    def __init__(self):
        self.handlers = {}

    def on(self, kind):
        def take(handler):
            self.handlers.setdefault(kind, []).append(handler)
            return handler

        return take


crewai_event_bus = Bus()


class BaseEventListener:
    def __init__(self):
        self.setup_listeners(crewai_event_bus)
