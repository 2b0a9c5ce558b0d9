"""
What we say when it is not the client's fault.

Standards: RFC 5321 §3.8, §4.2; RFC 3463.
"""

from smfd.proto.reply import reply

FAULT = reply(451, "4.3.0", "Local error, try again later")
FAULT_AT_ONCE = reply(421, "4.3.0", "Local error, try again later", closes=True)
FULL = reply(452, "4.3.1", "Too many messages at once, try again later")
TOO_SLOW = reply(421, "4.4.2", "Timeout, closing the connection", closes=True)
#: RFC 5321 §3.8, RFC 3463 §3.4.
LOGGED_OUT = reply(421, "4.7.0", "What you logged in with is no more", closes=True)
CLOSING = reply(421, "4.3.2", "The server stops, try again later", closes=True)
