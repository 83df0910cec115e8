"""The agent's parts: payload, data, tools, planner, model, contract, session."""
