"""An agent that calls its callbacks as LangChain calls them, with the arguments that it passes."""

from uuid import uuid4


class graph:
    @staticmethod
    def invoke(input, config=None):
        model, search, broken = uuid4(), uuid4(), uuid4()
        for handler in config["callbacks"]:
            handler.on_tool_start({"name": "search"}, "tea", run_id=search, parent_run_id=None, tags=[], metadata={}, inputs={}, name="search")
            handler.on_tool_end("found", run_id=search, parent_run_id=None, tags=[], name="search")
            handler.on_tool_start(None, "x", run_id=broken, parent_run_id=None, tags=[], metadata={}, inputs={}, name="break")
            handler.on_tool_error(ValueError("broken"), run_id=broken, parent_run_id=None, tags=[])
            for token in ("tea ", ["a list, of some models"], "is warm\n"):
                handler.on_llm_new_token(token, chunk=None, run_id=model, parent_run_id=None, tags=[])
        return {"output": "tea is warm", "asked": input}
