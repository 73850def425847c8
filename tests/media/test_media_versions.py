"""The declared window, and that the private parts we name are there."""

from __future__ import annotations

import asyncio
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpreceiver import RemoteStreamTrack

import kitwire_aiortc
from kitwire_aiortc.internals import ALL, ICE_CONNECTION, Private
from kitwire_aiortc.versions import WINDOW, require

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

FINE = {"aiortc": "1.16.0", "aioice": "0.13.0", "av": "18.1.0", "numpy": "2.4.6"}


def test_what_is_installed_here_is_inside() -> None:
    require()


@pytest.mark.parametrize("name", FINE)
def test_what_is_missing_is_named_with_the_command(name: str) -> None:
    def find(wanted: str) -> str:
        if wanted == name:
            raise PackageNotFoundError(name)
        return FINE[wanted]

    with pytest.raises(ImportError, match=rf"needs {name}: pip install 'kitwire\[media\]'") as info:
        require(find)
    assert info.value.name == name


@pytest.mark.parametrize(
    ("name", "version", "inside"),
    [
        ("aiortc", "1.16.0", True),
        ("aiortc", "1.16.7.post1", True),
        ("aiortc", "1.15.9", False),
        ("aiortc", "1.17.0", False),
        ("aiortc", "2.0.0", False),
        ("aiortc", "1.16rc1", False),
        ("aiortc", "one", False),
        ("aioice", "0.13.1", True),
        ("aioice", "0.12.0", False),
        ("aioice", "0.14.0", False),
        ("av", "19.0.0", True),
    ],
)
def test_the_window(name: str, version: str, inside: bool) -> None:
    installed = {**FINE, name: version}
    if inside:
        require(installed.__getitem__)
    else:
        with pytest.raises(ImportError, match=f"needs {name} >=.*, not {version}: pip install"):
            require(installed.__getitem__)


def test_the_window_is_the_one_of_pyproject() -> None:
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    declared = project["optional-dependencies"]["media"]
    for name, (low, high) in WINDOW.items():
        bounds = {f">={low[0]}.{low[1]}", f"<{high[0]}.{high[1]}"}
        (line,) = [each for each in declared if each.startswith(name)]
        assert set(line.removeprefix(name).split(",")) == bounds


def test_every_private_part_is_where_we_think() -> None:
    """In living objects of the installed aiortc, so that a version too new is noticed by name."""

    async def main() -> list[str]:
        connection = RTCPeerConnection()
        transceiver = connection.addTransceiver("audio")
        connection.createDataChannel("x")
        assert connection.sctp is not None
        transport = transceiver.receiver.transport.transport
        gatherer = transport.iceGatherer
        objects: list[Any] = [
            connection,
            transceiver,
            transceiver.sender,
            transceiver.receiver,
            transceiver.receiver.transport,
            transport,
            gatherer,
            ICE_CONNECTION.get(gatherer),
            connection.sctp,
            RemoteStreamTrack("audio"),
            Vp8Encoder(),
            H264Encoder(),
        ]
        missing = []
        for part in ALL:
            owners = [each for each in objects if isinstance(each, part.owner)]
            assert len(owners) == 1, part.name
            if not hasattr(owners[0], part.name):
                missing.append(part.name)
        await connection.close()
        return missing

    assert len(ALL) > 20
    assert asyncio.run(main()) == []


def test_a_name_that_is_not_there_is_never_made_up() -> None:
    class Thing:
        pass

    part = Private[Thing, int](Thing, "__absent")
    assert part.name == "_Thing__absent"
    with pytest.raises(AttributeError):
        part.set(Thing(), 1)


def test_the_public_names_are_all_there() -> None:
    for name in kitwire_aiortc.__all__:
        assert getattr(kitwire_aiortc, name) is not None
