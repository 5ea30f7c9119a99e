"""Our words: orders, money, facts, errors and the effect ledger. No Prefect, no SDK, no network but the database."""
