"""Faults of the workflow engine itself, reproduced without our services: `make engine`, after each upgrade of Dapr.

A test passes while the fault is there. One that fails says that Dapr has fixed it, and that a precaution may go;
docs/upstream/README.md names it.
"""
