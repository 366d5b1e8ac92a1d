"""An emulator of the NetBird management API, for the demo, the tests and the benchmarks."""

from reconciler.emulator.auth import RateLimit
from reconciler.emulator.clock import Clock, FileClock
from reconciler.emulator.exchange import Answer, Delivery, Record, Request
from reconciler.emulator.faults import (
    Action,
    Call,
    Delay,
    Drop,
    Fault,
    Hang,
    Html,
    Raw,
    Redirect,
    Status,
    Truncate,
)
from reconciler.emulator.server import serve
from reconciler.emulator.service import Emulator

__all__ = [
    "Action",
    "Answer",
    "Call",
    "Clock",
    "Delay",
    "Delivery",
    "Drop",
    "Emulator",
    "Fault",
    "FileClock",
    "Hang",
    "Html",
    "RateLimit",
    "Raw",
    "Record",
    "Redirect",
    "Request",
    "Status",
    "Truncate",
    "serve",
]
