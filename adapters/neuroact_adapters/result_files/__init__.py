"""Readers of what other tools write of a run: one file for each tool. They do not import it."""
