"""The warm worker: a worker type for Prefect that runs many flows in one event loop and keeps its connections."""
