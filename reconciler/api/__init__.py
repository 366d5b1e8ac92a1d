"""The client of the NetBird management API. The only package that knows HTTP to NetBird."""

from reconciler.api.endpoint import Endpoint
from reconciler.api.service import HttpTokenApi, HttpTokenReader, reader, writer
from reconciler.api.wire import Event

__all__ = ["Endpoint", "Event", "HttpTokenApi", "HttpTokenReader", "reader", "writer"]
