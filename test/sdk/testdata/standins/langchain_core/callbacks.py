"""A stand-in for LangChain's callbacks: the real class has these methods, which do nothing, and more."""


class BaseCallbackHandler:
    def on_llm_new_token(self, token, *, chunk=None, run_id, parent_run_id=None, tags=None, **kwargs):
        pass

    def on_tool_start(self, serialized, input_str, *, run_id, parent_run_id=None, tags=None, metadata=None, inputs=None, **kwargs):
        pass

    def on_tool_end(self, output, *, run_id, parent_run_id=None, **kwargs):
        pass

    def on_tool_error(self, error, *, run_id, parent_run_id=None, **kwargs):
        pass
