"""What every sink owes, as tests. For a sink of your own:

    from reconciler.testing import SinkContract

    class TestMySink(SinkContract):
        @pytest.fixture
        def store(self): return MyStoreUnderTest(...)

`StoreUnderTest` says what your test has to provide: the sink, and a second way to the same store, as a
consumer and as a stranger have it. Needs pytest. `PROTOCOL.md` says why each of these matters.
"""

from __future__ import annotations

from reconciler.testing.failing import Failing
from reconciler.testing.keeping import Keeping
from reconciler.testing.sharing import Sharing
from reconciler.testing.store import StoreUnderTest, plain, put, receipt, secret

__all__ = ["SinkContract", "StoreUnderTest", "plain", "put", "receipt", "secret"]


class SinkContract(Keeping, Sharing, Failing):
    """Subclass it, with a fixture `store`."""
