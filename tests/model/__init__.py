"""Tests of smfd.model."""
