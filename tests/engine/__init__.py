"""Reproductions of bugs in the workflow engine, without our services. Run `make engine` after each upgrade of Dapr.

A test passes while the bug exists. When it fails, Dapr has fixed the bug and a workaround can be removed.
docs/upstream/README.md names the workarounds.
"""
