"""Tests of smfd.console."""
