from __future__ import annotations

from tests.integration.inventory import lab as _lab

lab = _lab.lab
