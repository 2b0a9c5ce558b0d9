"""Clients that are too many, too slow, or never say a word."""

import socket
import subprocess
import time
from contextlib import ExitStack
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import processes
from benchmarks.flood import GOOD, letters
from benchmarks.load import run
from benchmarks.slow import Crowd
from tests.system.house import BIN, PATIENCE, House, id_of
from tests.system.talk import Talk
from tests.system.test_road import OFFLINE, plain

#: No scanner: what is tested is the door.
DOOR = OFFLINE + '[scan]\nstages = ["lists"]\n'

#: What leaves a process 160 descriptors.
FEW = ("sh", "-c", 'ulimit -n 160; exec "$@"', "sh")


def set_mx(house: House, **settings: int) -> None:
    """Settings of the table that init wrote."""
    text = "".join(f"{name} = {value}\n" for name, value in settings.items())
    written = house.config.read_text()
    house.config.write_text(written.replace("[mx]\n", f"[mx]\n{text}", 1))


class LoadTestCase(SynchronousTestCase):
    """A house with settings, and those who come."""

    def serve(self, settings: str, before: tuple[str, ...] = ()) -> House:
        """Start it."""
        house = House(settings=DOOR + settings)
        self.addCleanup(house.remove)
        house.start(before)
        return house

    def crowd(self, house: House, count: int) -> list[socket.socket]:
        """So many connections, which say nothing."""
        stack = ExitStack()
        self.addCleanup(stack.close)
        found = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.settimeout(PATIENCE)
            one.connect(("127.0.0.1", house.port))
            found.append(one)
        return found


class DescriptorTests(LoadTestCase):
    """R8: file descriptors run out."""

    def test_few_descriptors(self) -> None:
        """
        R8: with 160 descriptors 400 connections keep it from nothing: it does not
        spin, and when they go it takes mail within 5 s.
        """
        house = self.serve("", before=FEW)
        crowd = self.crowd(house, 400)
        greeted = crowd[0].recv(200)
        self.assertTrue(greeted.startswith(b"220"), greeted)
        before, begun = processes.cpu(house.pid), time.monotonic()
        time.sleep(3.0)
        spent = processes.cpu(house.pid) - before
        self.assertLess(spent / (time.monotonic() - begun), 0.2)
        self.assertGreater(house.ctl("status")["connections"], 80)
        for one in crowd:
            one.close()
        begun = time.monotonic()
        self.assertEqual(250, house.send(plain(b"late"))[0])
        self.assertLess(time.monotonic() - begun, 5.0)
        log = house.log.read_text(errors="replace")
        self.assertNotIn("Traceback", log)
        # One line a second at most, however many come.
        self.assertLess(log.count("no connection is taken"), 20)

    def test_turned_away(self) -> None:
        """Who is one too many hears 421 and why, and it is on record."""
        house = self.serve("", before=FEW)
        crowd = self.crowd(house, 81)
        said = crowd[-1].recv(200).decode()
        self.assertTrue(said.startswith("421 4.7.0"), said)
        shown = house.until(lambda: self.shown(house, id_of(said)))
        self.assertIn("Too many connections", shown["reply"])

    def shown(self, house: House, name: str) -> Any:
        """A record, once there is one."""
        found = house.ctl("trace", "search", "--verdict", "deferred")["items"]
        return next((item for item in found if item["id"] == name), None)

    def test_check(self) -> None:
        """ "check" warns when the system allows fewer than the settings."""
        house = House(settings=DOOR)
        self.addCleanup(house.remove)
        done = subprocess.run(
            [*FEW, BIN / "smfdctl", "--config", house.config, "check"],
            capture_output=True,
            text=True,
        )
        self.assertIn("WARNING  connections: only 80 at once, not 3000", done.stdout)


class StressTests(LoadTestCase):
    """Near the limits, and told to be."""

    def test_forced(self) -> None:
        """Told to be under stress it says so, and allows one error."""
        house = self.serve('[limits.stress]\nmode = "always"\n')
        with Talk(house.port) as talk:
            self.assertEqual([500, 421], talk.all((b"WHAT", b"WHAT")))
        found = house.ctl("status")
        self.assertTrue(found["stress"])
        self.assertIn("Stress: connections", " ".join(found["warnings"]))
        self.assertEqual(250, house.send(plain(b"stress"))[0])
        self.assertIn("stress begins", house.log.read_text(errors="replace"))

    def test_by_itself(self) -> None:
        """
        R50: at 81 % of the connections those that say nothing, or never finish a
        TLS handshake, or send an octet a second, are all cut; the good are served.
        """
        house = House(settings=DOOR + "[limits.stress]\ntimeout = 2.0\n")
        self.addCleanup(house.remove)
        set_mx(house, connections=50)
        house.start()
        crowd = self.crowd(house, 42)
        for one in crowd:
            self.assertTrue(one.recv(200).startswith(b"220"))
        for one in crowd[:10]:
            one.sendall(b"EHLO c.example\r\nSTARTTLS\r\n")
        end, good, gone = time.monotonic() + PATIENCE, 0, 0
        while gone < len(crowd):
            self.assertLess(time.monotonic(), end)
            begun = time.monotonic()
            self.assertEqual(250, house.send(plain(b"good"))[0])
            self.assertLess(time.monotonic() - begun, 5.0)
            good += 1
            gone = sum(self.trickle(one) for one in crowd)
            time.sleep(0.2)
        self.assertGreater(good, 3)
        found = house.ctl("status")
        self.assertEqual((False, 1), (found["stress"], found["stressed"]))

    def test_two_thousand(self) -> None:
        """
        R50: 2,000 that say nothing, trickle, or never finish a TLS handshake are
        cut within the time that stress gives; the good have their 250 in a second.
        """
        house = House(settings=DOOR + "[limits.stress]\ntimeout = 4.0\n")
        self.addCleanup(house.remove)
        set_mx(house, connections=2400)
        house.start()
        crowd = Crowd(house.port, 2000, coming=False)
        self.addCleanup(crowd.close)
        load = run(house.port, letters(GOOD, 300), 20, crowd.turn)
        self.assertEqual((300, [], 0), (load.accepted, load.refused, load.broken))
        self.assertLess(load.delay(0.99), 1.0)
        self.assertEqual(2000, len(crowd))
        end = time.monotonic() + PATIENCE
        while len(crowd):
            self.assertLess(time.monotonic(), end)
            crowd.turn()
            time.sleep(0.02)
        self.assertEqual((2000, 0), (crowd.cut, crowd.away))
        self.assertLess(crowd.longest, 8.0)

    def trickle(self, one: socket.socket) -> bool:
        """Send an octet; whether the server is gone."""
        one.settimeout(0)
        try:
            while data := one.recv(4096):
                del data
        except BlockingIOError:
            pass
        except OSError:
            return True
        else:
            return True
        try:
            one.send(b"N")
        except OSError:
            return True
        return False


class SlowTests(LoadTestCase):
    """Slow is cut; idle is cheap."""

    def test_slow_message(self) -> None:
        """A message that trickles is cut after its grace, whatever it sends."""
        house = self.serve("[limits]\ndata_rate = 1000\ndata_grace = 2.0\n")
        with Talk(house.port) as talk:
            talk.envelope()
            self.assertEqual(354, talk.code(b"DATA"))
            begun = time.monotonic()
            talk.socket.settimeout(0.1)
            said = b""
            while not said and time.monotonic() - begun < PATIENCE:
                talk.send(b"x")
                try:
                    said = talk.socket.recv(200)
                except TimeoutError:
                    continue
            self.assertTrue(said.startswith(b"421 4.4.2"), said)
            self.assertLess(time.monotonic() - begun, 10.0)
        self.assertEqual([], house.mailbox())

    def test_idle(self) -> None:
        """R49: a thousand idle connections cost less than 64 MB, all together."""
        house = self.serve("[limits]\n")
        self.crowd(house, 1)[0].recv(200)
        before = processes.memory(house.pid)
        for one in self.crowd(house, 1000):
            one.recv(200)
        self.assertLess(processes.memory(house.pid) - before, 64.0)

    def test_no_line_end(self) -> None:
        """R49: 16 MB without a line end cost a connection less than 1 MB."""
        house = self.serve("[limits]\n")
        with Talk(house.port) as command, Talk(house.port) as data:
            data.envelope()
            data.code(b"DATA")
            before = processes.memory(house.pid)
            for _ in range(256):
                command.send(b"x" * 65536)
                data.send(b"x" * 65536)
            self.assertLess(processes.memory(house.pid) - before, 16.0)
            command.send(b"\r\n")
            self.assertEqual(b"500", command.reply()[:3])
            self.assertTrue(command.in_step())


class FloodTests(LoadTestCase):
    """R51: commands by the thousand."""

    def test_resets(self) -> None:
        """R51: 20,000 RSET that nobody listens to end at the limit; others go on."""
        house = self.serve("[limits]\n")
        flood = socket.create_connection(("127.0.0.1", house.port), PATIENCE)
        self.addCleanup(flood.close)
        flood.setblocking(False)
        rest = memoryview(b"EHLO c.example\r\n" + b"RSET\r\n" * 20_000)
        while rest:
            try:
                rest = rest[flood.send(rest) :]
            except OSError:
                break
        begun = time.monotonic()
        self.assertEqual(250, house.send(plain(b"other"))[0])
        self.assertLess(time.monotonic() - begun, 3.0)
        flood.setblocking(True)
        heard = b""
        try:
            while more := flood.recv(65536):
                heard += more
        except ConnectionError:
            pass
        self.assertIn(b"421 4.7.0 Too many idle commands", heard)
        self.assertLess(heard.count(b"250 2.0.0"), 101)
