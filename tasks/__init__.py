"""The steps: one module per capability, cached and retrying Prefect tasks. Every retry of the project stands here."""
