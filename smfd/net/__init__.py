"""Talking to others: DNS, TLS, clamd."""
