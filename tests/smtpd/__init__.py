"""Tests of smfd.smtpd."""
