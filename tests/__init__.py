"""The tests; a package, so that folders may hold files of the same name and share `tests.servers`."""

import pytest

pytest.register_assert_rewrite("daggr.testing")  # before anything here imports it
