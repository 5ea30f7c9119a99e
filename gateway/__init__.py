"""The door: webhooks and orders in, state out. It works while Prefect is down; what it has answered for is committed."""
