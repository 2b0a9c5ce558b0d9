"""Tests of smfd.scan."""
