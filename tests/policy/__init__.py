"""Tests of smfd.policy."""
