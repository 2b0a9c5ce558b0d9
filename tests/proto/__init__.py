"""Tests of smfd.proto."""
