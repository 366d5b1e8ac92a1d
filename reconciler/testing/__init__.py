"""What every sink owes, as tests. For a sink of your own:

    from reconciler.testing import SinkContract

    class TestMySink(SinkContract):
        @pytest.fixture
        def store(self): return MyStoreUnderTest(...)

`StoreUnderTest` says what your test has to provide: the sink, and a second way to the same store, as a
consumer and as a stranger have it. Needs pytest. `PROTOCOL.md` says why each of these matters.
"""

from __future__ import annotations

import pytest

for _part in (
    "contents",
    "failing",
    "interleaving",
    "keeping",
    "racing",
    "refusing",
    "sharing",
    "watching",
):
    pytest.register_assert_rewrite(f"{__name__}.{_part}")  # an assert of ours says what it saw

from reconciler.testing.contents import plain, put, receipt, secret  # noqa: E402 - see above
from reconciler.testing.failing import Failing  # noqa: E402
from reconciler.testing.keeping import Keeping  # noqa: E402
from reconciler.testing.racing import Racing  # noqa: E402
from reconciler.testing.refusing import Refusing  # noqa: E402
from reconciler.testing.sharing import Sharing  # noqa: E402
from reconciler.testing.store import StoreUnderTest  # noqa: E402

__all__ = ["SinkContract", "StoreUnderTest", "plain", "put", "receipt", "secret"]


class SinkContract(Keeping, Sharing, Racing, Failing, Refusing):
    """Subclass it, with a fixture `store`."""
