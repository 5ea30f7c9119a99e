"""Our accounts at providers: credentials, address, time limit, and the few things we ask for. Imports `hub` only."""
