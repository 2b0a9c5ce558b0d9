"""Tests of smfd.store."""
