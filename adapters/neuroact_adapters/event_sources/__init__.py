"""Readers of events: one file for each simulator, format or tool."""
