"""Tests of the whole server, over real sockets."""
