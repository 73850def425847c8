"""The real server ends a session: whoever asked it to, we know who and why."""

from __future__ import annotations

import os
import signal

from kitwire.config import PathVersion
from kitwire.errors import CloseReason, Origin, Reason
from kitwire.events import Closed, LeaveReceived
from kitwire.messages import DisconnectReason, LeaveRequestAction, SimulateScenario
from tests.interop.conftest import Join, StartLiveKit
from tests.interop.livekit_server import LiveKitServer
from tests.interop.participants import Participant


def ended(who: Participant) -> CloseReason:
    """Why, once it is so; nothing may come after it."""
    reason = who.closed()
    *_, last = who.events
    assert isinstance(last, Closed)
    return reason


def test_removed_by_the_application_server(
    join: Join, livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    ann = join("ann", path=path)
    livekit.remove_participant(room_name, "ann")
    reason = ended(ann)
    assert (reason.origin, reason.reason) == (Origin.SERVER, Reason.PARTICIPANT_REMOVED)
    assert not reason.retryable
    leave = ann.wait_for(LeaveReceived)
    assert leave.reason is DisconnectReason.PARTICIPANT_REMOVED
    assert leave.action is LeaveRequestAction.DISCONNECT


def test_the_room_is_deleted(
    join: Join, livekit: LiveKitServer, room_name: str, path: PathVersion
) -> None:
    ann, bob = join("ann", path=path), join("bob", path=path)
    livekit.delete_room(room_name)
    for who in (ann, bob):
        reason = ended(who)
        assert (reason.origin, reason.reason) == (Origin.SERVER, Reason.ROOM_DELETED)
        assert not reason.retryable


def test_the_same_identity_joins_again(join: Join, path: PathVersion) -> None:
    first = join("ann", path=path)
    second = join("ann", path=path)
    reason = ended(first)
    assert (reason.origin, reason.reason) == (Origin.SERVER, Reason.DUPLICATE_IDENTITY)
    assert not reason.retryable
    second.call("send_ping_req")
    assert second.sid != first.sid


def test_a_simulated_end(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    ann.call("simulate", scenario=SimulateScenario(server_leave=True))
    reason = ended(ann)
    assert (reason.origin, reason.reason) == (Origin.SERVER, Reason.SERVER_SHUTDOWN)
    assert reason.retryable


def test_a_simulated_crash(join: Join, path: PathVersion) -> None:
    ann = join("ann", path=path)
    ann.call("simulate", scenario=SimulateScenario(node_failure=True))
    reason = ended(ann)
    assert (reason.origin, reason.reason) == (Origin.LINK, Reason.LINK_LOST)
    assert reason.retryable
    assert not any(isinstance(event, LeaveReceived) for event in ann.events)


def test_a_real_crash(join: Join, start_livekit: StartLiveKit) -> None:
    server, _ = start_livekit()
    ann = join("ann", server=server)
    os.kill(server.pid, signal.SIGKILL)
    reason = ended(ann)
    assert (reason.origin, reason.reason) == (Origin.LINK, Reason.LINK_LOST)
    assert reason.retryable


def test_a_real_end(join: Join, start_livekit: StartLiveKit) -> None:
    server, stop = start_livekit()
    ann = join("ann", server=server)
    stop()
    reason = ended(ann)
    # It says so, if it still has the time.
    assert (reason.origin, reason.reason) in (
        (Origin.SERVER, Reason.SERVER_SHUTDOWN),
        (Origin.LINK, Reason.LINK_LOST),
    )
    assert reason.retryable
