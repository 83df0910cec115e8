"""Longhaul's client: start long work over HTTP, follow it over cut lines, learn how it ended.

    from longhaul import Client

    with Client("http://localhost:8080", "token") as client:
        run = client.run("python", "src/main.py", on_event=print)
        print(run.execution.status, run.result)

AsyncClient has the same verbs for asyncio. longhaul.engine is for the programs that Longhaul runs.
Python 3.9 and later, nothing but the standard library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aio import AsyncClient as AsyncClient
    from .client import Client as Client
    from .errors import *
    from .models import *

# Imported at first use: an engine that imports longhaul.engine does not pay for the client.
_HOME = {
    "aio": "AsyncClient",
    "client": "Client",
    "errors": "Conflict ExecutionFailed Forbidden Invalid LonghaulError NotFound Problem QueueFull TooLarge Unauthorized Unavailable Unreachable",
    "models": "Artifact Cancelled Engine Event Execution FieldError Finished Output Page QueueStats Started Worker",
}
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names.split():
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
