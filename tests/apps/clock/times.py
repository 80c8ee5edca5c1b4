"""Reads the time of day in Python's ways, and lets its timers run."""

import asyncio
import datetime
import multiprocessing
import subprocess
import sys
import threading
import time

AHEAD = 0.05


def day(what, seconds):
    print(what, datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date(), flush=True)


def waited(what, wait):
    began = time.monotonic()
    wait()
    passed = time.monotonic() - began
    print(what, "waited" if passed >= AHEAD - 0.001 else f"took {passed} s", flush=True)


async def timed_out():
    try:
        await asyncio.wait_for(asyncio.Event().wait(), AHEAD)
    except asyncio.TimeoutError:
        pass


def timer():
    done = threading.Event()
    threading.Timer(AHEAD, done.set).start()
    done.wait()


def condition():
    done = threading.Condition()
    with done:
        done.wait(AHEAD)


def main():
    day("time", time.time())
    day("time_ns", time.time_ns() / 1e9)
    day("clock_gettime", time.clock_gettime(time.CLOCK_REALTIME))
    day("utcnow", datetime.datetime.now(datetime.timezone.utc).timestamp())
    print("today", datetime.date.today(), flush=True)
    waited("sleep", lambda: time.sleep(AHEAD))
    waited("Timer", timer)
    waited("Condition", condition)
    waited("Event", lambda: threading.Event().wait(AHEAD))
    waited("asyncio", lambda: asyncio.run(timed_out()))
    worker = multiprocessing.get_context("fork").Process(target=lambda: day("worker", time.time()))
    worker.start()
    worker.join()
    subprocess.run([sys.executable, "-c", "import datetime; print('program', datetime.date.today())"], check=True)


main()
