from __future__ import annotations

from tests.integration.inventory.lab import lab as lab  # noqa: PLC0414 a fixture
