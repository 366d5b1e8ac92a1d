"""Every value that decides something, and where it came from: `doctor --show-config`."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.source.config import LockConfig, SinkConfig
from reconciler.wiring import Parts, Setting


def settings(parts: Parts) -> Iterable[Setting]:
    """Every value that decides something, with its source, for `doctor --show-config`."""
    config = str(parts.config_path) if parts.config_path else "default"
    yield parts.management_url
    yield Setting(
        "credential", "set" if parts.credential_source else "none", parts.credential_source
    )
    yield Setting("config", config, "--config" if parts.where.config else "beside the token file")
    for name, sink in sorted(parts.config.sinks.items()):
        yield Setting(f"sinks.{name}", _described(sink), config)
    yield Setting("lock", _described(parts.config.lock), config)
    yield Setting("audit_log", str(parts.config.audit_log or "none"), config)
    notify = parts.config.notify
    told = f"{notify.format} to {'url' if notify.url else notify.url_env}" if notify else "none"
    yield Setting("notify", told, config)
    yield Setting("live_name", parts.config.live_name, config)
    yield Setting("verify", str(parts.config.verify).lower(), config)
    limits = parts.config.limits
    yield Setting("guards.max_revokes", f"{limits.count}, {limits.percent}%", config)


def _described(part: SinkConfig | LockConfig | None) -> str:
    if part is None:
        return "none"
    return " ".join([part.type, *(f"{k}={v}" for k, v in sorted(part.options.items()))])
