# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module ends with whoever reads what it says.

Where a play is interrupted or cancelled, ansible-core ends the process that waits for the module, and not always the
module: it would go on for hours, and nobody would know.
"""

from __future__ import annotations

import os
import select
import signal
import threading


def end_with_reader() -> None:
    """Interrupt this process, as Ctrl-C does, once its standard output is a pipe that nobody reads any more."""
    poller = select.poll()
    poller.register(1, 0)

    def wait() -> None:
        if any(events & select.POLLERR for _descriptor, events in poller.poll()):
            os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=wait, daemon=True).start()
