"""Tests of smfd.net."""
