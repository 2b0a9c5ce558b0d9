"""Conversations as files, and what reads them."""
