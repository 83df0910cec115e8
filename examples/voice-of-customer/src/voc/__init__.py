"""Voice of the customer: what many messages are about, how they feel, and what changes.

Standard library only, so that the engine runs on any Python from 3.9 with nothing to install.
"""
