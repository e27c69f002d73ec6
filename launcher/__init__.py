"""Gets the Dapr runtime and Redis onto a machine that has none, and starts and stops the whole system."""
