"""Tests of smfd.control."""
