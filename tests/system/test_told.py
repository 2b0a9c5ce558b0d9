"""What others tell us by mail, in a whole server: complaints and DMARC reports."""

import gzip
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.content.test_reports import mail
from tests.format.test_dmarc_report import report
from tests.system.counting_hop import CountingHop
from tests.system.house import ONWARD, House

ANN, FBL, DMARC = (f"{name}@example.test" for name in ("ann", "fbl", "dmarc"))

SETTINGS = f"""
{ONWARD}
[quota]
hold_complaints = 1
[reputation]
complaints_to = "fbl@example.test"
reports_from = "ann@example.test"
reports_to = "dmarc@example.test"
"""

COMPLAINT = b"""\
From: feedback@far.test\r
Content-Type: multipart/report; report-type=feedback-report; boundary=b\r
\r
--b\r
Content-Type: message/feedback-report\r
\r
Feedback-Type: abuse\r
User-Agent: x\r
Version: 1\r
\r
--b\r
Content-Type: message/rfc822\r
\r
%s\r
--b--\r
"""


class ToldTests(SynchronousTestCase):
    """From a user's message to the mailbox where others complain of it."""

    def setUp(self) -> None:
        self.taken: list[bytes] = []
        self.hop = CountingHop(self.taken.append)
        self.addCleanup(self.hop.close)
        self.house = House((ANN, FBL, DMARC), SETTINGS.format(port=self.hop.port))
        self.addCleanup(self.house.remove)
        self.house.start()

    def test_told(self) -> None:
        """Who sent what others call spam is held; who sends in our name is known."""
        letter = f"From: {ANN}\r\nSubject: Buy\r\n\r\nBuy.\r\n"
        self.house.submit(ANN, ["u@far.test"], letter.encode())
        self.house.until(lambda: self.taken)
        self.assertEqual(250, self.house.send(COMPLAINT % self.taken[0], (FBL,))[0])
        now = str(int(time.time())).encode()
        xml = report().replace(b"example.org", b"example.test")
        xml = xml.replace(b"<end>200<", b"<end>%s<" % now)
        self.assertEqual(250, self.house.send(mail(gzip.compress(xml)), (DMARC,))[0])
        self.house.until(lambda: self.house.mailbox(FBL))
        self.house.until(lambda: self.house.mailbox(DMARC))
        # It looks into them when it starts.
        self.house.kill()
        self.house.start()
        held = self.house.until(lambda: self.house.ctl("user", "held", "list")["items"])
        self.assertEqual(
            "recipients called it spam 1 times in 24 hours", held[0]["reason"]
        )
        (worst,) = self.house.ctl("reputation", "--domain", "example.test")["accounts"]
        self.assertEqual((ANN, 1), (worst["account"], worst["complaints"]))

        def reported() -> int:
            found = self.house.ctl("dmarc", "reports", "example.test")
            return int(found["total"])

        self.assertEqual(1, self.house.until(reported))
