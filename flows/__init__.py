"""The processes: one per file, each reading like the business explains it."""
