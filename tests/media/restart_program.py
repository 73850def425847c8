"""Sings, and tells of each frame that it hears. Of losses it knows nothing."""

import os
import sys
from importlib import import_module

from kitwire_aiortc import Tone
from tests.media.loopback import MEDIA, run


async def main(loop: str, url: str, token: str) -> None:
    async with import_module(f"kitwire_{loop}").connect(url, token=token, media=MEDIA) as room:
        await room.publish_audio(Tone(440.0))
        async for _, publication in room.remote_publications():
            async for _ in room.audio(publication.sid):
                print(f'{{"event": "heard", "sid": "{publication.sid}"}}', flush=True)  # noqa: T201


run(main(sys.argv[1], os.environ["LIVEKIT_URL"], os.environ["LIVEKIT_TOKEN"]), loop=sys.argv[1])
