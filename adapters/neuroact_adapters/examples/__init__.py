"""Models to check our adapters with, one module a framework: `neuroact adapters --check NAME`."""
