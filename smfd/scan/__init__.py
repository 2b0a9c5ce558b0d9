"""The stages, one module each, and the chain that runs them."""
