"""
kill -9 at random moments, while users send and strangers take their time, R2 and R10.

All processes of smfd end at once, and start again, so many times; the users try
to be let in again as soon as they are thrown out.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from random import Random
from smtplib import SMTP_SSL, SMTPException
from threading import Event, Thread

from attrs import define, field

from tests.system.outward import ANN, Letter, Outward, addresses

#: Octets of letters: most are small.
_SIZES = (0, 2_000, 2_000, 2_000, 20_000, 300_000)

#: Where they go to; C{dead} is found on a second server only.
_DOMAINS = ("once", "later", "some", "dead")

#: Letters of a session before it begins anew.
_MOST = 20


@define
class Loop:
    """
    Users, and somebody with an axe.

    @ivar sessions: how many users send at once.
    @ivar pause: seconds between two letters of one, at most.
    @ivar life: seconds until it is killed, at most.
    @ivar least: letters that are acknowledged before the users go home.
    @ivar kills: how often it was killed.
    @ivar slowest: seconds from a start to readiness.
    """

    outward: Outward
    sessions: int = 20
    pause: float = 0.5
    life: float = 5.0
    least: int = 0
    seed: int = 1
    kills: int = 0
    slowest: float = 0.0
    _numbers: Iterator[int] = field(factory=count)
    _end: Event = field(factory=Event)

    def run(self, kills: int) -> None:
        """Kill it so often; it runs at the end, and nobody sends any more."""
        dice = Random(self.seed)
        self._serve()
        users = [Thread(target=self._user, args=(n,)) for n in range(self.sessions)]
        for user in users:
            user.start()
        try:
            while self.kills < kills:
                time.sleep(dice.uniform(0.3, self.life))
                self.outward.kill()
                self.kills += 1
                self._serve()
            self.outward.house.until(lambda: self.outward.letters >= self.least)
        finally:
            self._end.set()
            for user in users:
                user.join()

    def _serve(self) -> None:
        begun = time.monotonic()
        self.outward.serve()
        self.slowest = max(self.slowest, time.monotonic() - begun)

    def _user(self, number: int) -> None:
        """Sends, one session after the other."""
        dice = Random(f"{self.seed} {number}")
        while not self._end.is_set():
            with (
                suppress(SMTPException, OSError),
                self.outward.house.login(ANN) as client,
            ):
                self._letters(client, dice)
            self._end.wait(0.1)

    def _letters(self, client: SMTP_SSL, dice: Random) -> None:
        """One session."""
        for _ in range(_MOST):
            if self._end.is_set():
                return
            word = f"n{(number := next(self._numbers))}"
            # The second of two has no mailbox there, in one letter of six.
            people = addresses(word, dice.choice(_DOMAINS), 2 if number % 6 == 0 else 1)
            letter = Letter(word, dice.choice(_SIZES), people)
            self.outward.envelope(client, letter)
            if not self.outward.message(client, letter):
                return
            self._end.wait(dice.random() * self.pause)
