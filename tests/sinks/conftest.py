"""One AWS for all tests of a process: moto takes seconds to start."""

from aws_stores import aws_relay, aws_server

__all__ = ["aws_relay", "aws_server"]
