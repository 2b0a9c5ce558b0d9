"""Tests of smfd.content."""
