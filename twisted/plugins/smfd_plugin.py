"""How twistd finds smfd."""

from twisted.application.service import ServiceMaker

smfd = ServiceMaker("smfd", "smfd.tap", "The Secure Mail Flow daemon.", "smfd")
