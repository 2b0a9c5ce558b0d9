"""Tests of smfd.delivery."""
