"""Joining with media, by `kitwire_asyncio`. Needs the extra `[media]`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import kitwire_asyncio
from kitwire.config import ClientConfig
from kitwire.events import Closed
from kitwire_aiortc import Gathering, Media, MediaRoom

from .interrupts import Switch
from .loops import Plan, leave_in_time, run_on_asyncio
from .report import Report

__all__ = ["Activity", "MediaRunner"]

Activity = Callable[[MediaRoom, Report], Awaitable[None]]
"""What to do in the room. It ends by itself when the connection does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRunner:
    """A :data:`~kitwire_cli.loops.Runner` whose peer connections are connected."""

    gathering: Gathering
    activity: Activity

    def configured(self, config: ClientConfig) -> ClientConfig:
        """The config that its client has, for one of a plan."""
        return Media(gathering=self.gathering).configured(config)

    def __call__(self, plan: Plan, report: Report, switch: Switch) -> None:
        """Join, stay and leave; the activity goes on meanwhile."""

        async def watch(asked: asyncio.Event) -> None:
            end: Closed | None = None
            async with kitwire_asyncio.connect(
                plan.url, token=plan.token, media=Media(gathering=self.gathering), **plan.options
            ) as room:
                async with asyncio.TaskGroup() as tasks:
                    leaving = tasks.create_task(leave_in_time(room, asked, plan.duration))
                    tasks.create_task(_do(self.activity, room, report))
                    async for event in room:
                        if isinstance(event, Closed):
                            end = event
                        else:
                            report.on_event(event)
                    leaving.cancel()
                # The last line, after whatever the activity had to say of its end.
                assert end is not None, "every connection ends with Closed"
                report.on_event(end)

        run_on_asyncio(watch, report, switch)


async def _do(activity: Activity, room: MediaRoom, report: Report) -> None:
    await activity(room, report)
