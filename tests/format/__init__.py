"""Tests of smfd.format."""
