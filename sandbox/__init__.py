"""The rehearsal providers: lookalikes of those the hub works with, on a real port, with faults on demand. Imports nothing of ours."""
