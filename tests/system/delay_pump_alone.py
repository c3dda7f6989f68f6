"""A delay pump in a process of its own, for tests that kill it: `python delay_pump_alone.py`."""

from __future__ import annotations

import asyncio
import signal

from headgate.agents.delay import DelayPump
from headgate.streams.bus import Bus
from headgate.streams.settings import Settings


async def main() -> None:
    """Pump until SIGTERM."""
    settings = Settings()
    bus = Bus.of(settings, "pump")
    await bus.start()
    pump = DelayPump(settings, bus)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await pump.start()
    await stop.wait()
    await pump.stop()
    await bus.stop()


if __name__ == "__main__":
    asyncio.run(main())
