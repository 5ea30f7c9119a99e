"""How fast the hub is, beside the stock process worker and beside a program that does nothing but the provider calls."""
