"""Which cluster, and as whom: what the config says, else what kubectl would take."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from reconciler.core.secret import Secret
from reconciler.errors import UsageError
from reconciler.http import Certificate, Tls, address_of
from reconciler.kubernetes.cluster import Cluster
from reconciler.kubernetes.identity import Credential, SignIn, bearer, fixed, token_file
from reconciler.kubernetes.kubeconfig import Choice, Entry, choose
from reconciler.kubernetes.plugin import plugin_of
from reconciler.surroundings import Surroundings

_POD: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_EXAMPLE: Final = "write it like https://kubernetes.example:6443"
_NOT_DONE: Final = "which netbird-tokens does not do"
_CLUSTER: Final = {
    "insecure-skip-tls-verify": "but a secret goes to no server that nobody vouches for",
    "proxy-url": f"{_NOT_DONE}; set HTTPS_PROXY",
}
_USER: Final = {
    **dict.fromkeys(("as", "as-uid", "as-groups", "as-user-extra"), _NOT_DONE),
    **dict.fromkeys(("auth-provider", "username", "password"), "which Kubernetes gave up"),
}


def cluster_of(options: Mapping[str, object], around: Surroundings) -> Cluster:
    """From the options `kubeconfig`, `context`, `service_account`, `namespace`, `exec_env`.

    Raises:
        UsageError: There is none, it cannot be read, or it asks for what we do not do.
    """
    wanted = options.get("namespace")
    namespace = None if wanted is None else str(wanted)
    if "service_account" in options:
        folder = around.base / Path(str(options["service_account"])).expanduser()
        return _of_pod(folder, namespace, around)
    paths = _kubeconfigs(options, around)
    if paths:
        context = options.get("context")
        chosen = choose(paths, None if context is None else str(context))
        passed = cast("list[str]", options.get("exec_env", []))
        return _of_kubeconfig(chosen, namespace, around, passed)
    return _of_pod(Path(_POD), namespace, around)


def _kubeconfigs(options: Mapping[str, object], around: Surroundings) -> list[Path]:
    """The file of the config, else those of KUBECONFIG, else the usual one if we can read it."""
    if "kubeconfig" in options:
        return [around.base / Path(str(options["kubeconfig"])).expanduser()]
    named = [Path(each) for each in around.env.get("KUBECONFIG", "").split(":") if each]
    if named:
        return [each for each in named if os.access(each, os.F_OK)] or named[:1]
    home = around.env.get("HOME")
    usual = Path(home or "") / ".kube" / "config"
    return [usual] if home and os.access(usual, os.R_OK) else []


def _of_kubeconfig(
    chosen: Choice, namespace: str | None, around: Surroundings, passed: list[str]
) -> Cluster:
    chosen.cluster.refuse(_CLUSTER)
    chosen.user.refuse(_USER)
    server = chosen.cluster.text("server") or ""
    address = address_of(
        server, "the server of the kubeconfig", _EXAMPLE, allow_http=around.allow_http
    )
    ca = chosen.cluster.content("certificate-authority")
    told: dict[str, object] = {"server": server}
    if ca is not None:
        told["certificate-authority-data"] = base64.b64encode(ca.encode()).decode()
    if chosen.user.fields.get("exec"):
        sign_in: SignIn = plugin_of(chosen.user, told, around.for_child(passed))
    else:
        sign_in = _of_user(chosen.user)
    return Cluster(
        address,
        namespace or chosen.namespace or "default",
        Tls(ca, server_name=chosen.cluster.text("tls-server-name")),
        sign_in,
    )


def _of_user(user: Entry) -> SignIn:
    file, token = user.path("tokenFile"), user.text("token")
    if file is not None:
        return token_file(file)
    chain, key = user.content("client-certificate"), user.content("client-key")
    credential = Credential() if token is None else bearer(token)
    if (chain is None) != (key is None):
        raise UsageError(
            f"{user.what} in the kubeconfig has a client certificate or its key, and not the other",
            hint="without both we would be somebody else there; does `kubectl` work with this file?",
        )
    if chain is not None and key is not None:
        credential = Credential(credential.auth, Certificate(chain, Secret(key)))
    return fixed(credential)


def _of_pod(folder: Path, namespace: str | None, around: Surroundings) -> Cluster:
    host, port = (around.env.get(f"KUBERNETES_SERVICE_{n}") for n in ("HOST", "PORT"))
    if not host or not port:
        raise UsageError(
            "there is no kubeconfig, and this is no pod",
            hint="name a file with `kubeconfig` in the config, or with KUBECONFIG",
        )
    bracketed = f"[{host}]" if ":" in host else host
    url = f"https://{bracketed}:{port}"
    return Cluster(
        address_of(url, "the address in KUBERNETES_SERVICE_HOST", _EXAMPLE, allow_http=False),
        namespace or _content(folder / "namespace").strip(),
        Tls(_content(folder / "ca.crt")),
        token_file(folder / "token"),
    )


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"the service account of this pod has no {path}",
            hint="is `automountServiceAccountToken: false` set, or is it elsewhere?",
        ) from None
