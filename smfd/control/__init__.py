"""The use cases, one function each; every face calls these."""
