"""Tests of smfd.config."""
