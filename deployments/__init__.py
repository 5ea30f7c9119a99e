"""WHERE things run: the `hub` command line, the local stack, saving blocks and deployments."""
