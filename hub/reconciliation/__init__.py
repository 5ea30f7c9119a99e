"""Reconciliation: what the ledger says, compared with what the providers say. Nothing here speaks to a provider."""
