"""smfd, the Secure Mail Flow daemon."""

__version__ = "0.1.0"
