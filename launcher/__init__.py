"""Installs the Dapr runtime and Redis where they are missing, and starts and stops the system."""
