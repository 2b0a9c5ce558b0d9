"""
What the machine says by itself, where no policy is asked.

Standards: RFC 5321 §4.2, RFC 3463, RFC 2033 §4.1, RFC 4954 §6.
"""

from smfd.proto.reply import reply

OK = reply(250, "2.0.0", "OK")
HELLO_FIRST = reply(503, "5.5.1", "Send EHLO first")
NESTED = reply(503, "5.5.1", "A transaction is under way; RSET ends it")
NO_SENDER = reply(503, "5.5.1", "Send MAIL first")
NO_RECIPIENT = reply(503, "5.5.1", "Send RCPT first")
NOT_NOW = reply(503, "5.5.1", "Not while chunks are sent; RSET ends it")
NO_BDAT = reply(502, "5.5.1", "CHUNKING is not offered")
NO_ARGUMENT = reply(501, "5.5.4", "This command has no parameter")
NOT_OFFERED = reply(502, "5.5.1", "This command is not offered")
UNKNOWN = reply(500, "5.5.1", "This command is not known")
TLS_ON = reply(503, "5.5.1", "TLS is on already")
NO_TLS = reply(502, "5.5.1", "TLS is not offered")
INJECTED = reply(554, "5.5.1", "Nothing may follow STARTTLS", closes=True)
TOO_MANY_ERRORS = reply(421, "4.7.0", "Too many errors", closes=True)
TOO_MUCH_JUNK = reply(421, "4.7.0", "Too many idle commands", closes=True)
TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients, send those later")
WHO = reply(501, "5.5.4", "Say whom to verify")
VRFY = reply(252, "2.5.0", "Not verified, but mail may be tried")
HELP = reply(214, "2.0.0", "EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS QUIT")
LHLO_FIRST = reply(503, "5.5.1", "Send LHLO first")
LMTP_HELP = reply(214, "2.0.0", "LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS QUIT")
SUBMISSION_HELP = reply(
    214, "2.0.0", "EHLO AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS QUIT"
)
#: RFC 4954 §6.
WELCOME = reply(235, "2.7.0", "Authentication succeeded")
LOGGED_IN = reply(503, "5.5.1", "You have logged in already")
LOGIN_FIRST = reply(530, "5.7.0", "Authentication required")
#: RFC 3207 §4.
TLS_FIRST = reply(530, "5.7.0", "Must issue a STARTTLS command first")
TLS_FOR_LOGIN = reply(538, "5.7.11", "Encryption required: send STARTTLS first")
BYE = reply(221, "2.0.0", "Bye", closes=True)
GO_AHEAD = reply(354, "", "End data with <CR><LF>.<CR><LF>").octets
READY_FOR_TLS = reply(220, "2.0.0", "Ready to start TLS")
