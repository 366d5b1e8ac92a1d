"""Sinks in Amazon Web Services: `aws-secretsmanager` and `aws-ssm`, with boto3 (extra `aws`).

boto3 is imported when a sink is built, never to check a file. What it would log of requests is silenced,
and of its exceptions only what AWS said is shown: both quote what was sent.
"""
