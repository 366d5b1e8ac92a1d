"""A small client of Kubernetes: which cluster, who we are there, and requests to one part of its API.

It is for the sink and for the lock. What an answer means is theirs to say; here is what kubectl's users
take for granted: kubeconfig files, credential plugins, and the service account of a pod.
"""

from reconciler.kubernetes.access import cluster_of
from reconciler.kubernetes.cluster import Cluster, Door
from reconciler.kubernetes.status import is_missing, why_not

__all__ = ["Cluster", "Door", "cluster_of", "is_missing", "why_not"]
