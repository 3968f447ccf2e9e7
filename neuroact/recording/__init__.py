"""Recording a model: its layers' calls are seen, read and counted."""
