"""One event of every class, made from messages that LiveKit's own library wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor import FieldDescriptor as SlowField
from google.protobuf.message import Message as Official
from livekit.protocol.rtc import SignalResponse

from kitwire import events as ev
from kitwire import messages as msg
from kitwire.codec import decode_response
from kitwire.commands import PeerState, PeerTarget
from kitwire.errors import CloseReason, FailureReason, Origin, Reason, RequestFailure
from kitwire.peer_events import (
    Negotiated,
    NegotiationFailed,
    NegotiationFailure,
    PeersConnected,
    PeerStateChanged,
)
from kitwire.reconnect_events import Lost, Restarted, Restarting, Resumed, Resuming
from kitwire.session.dispatch import event_of, joined_of

if TYPE_CHECKING:
    from google._upb._message import FieldDescriptor as FastField

    Field = SlowField | FastField

PATH = "/rtc/v1"

VARIANTS = [
    field.name
    for field in SignalResponse.DESCRIPTOR.oneofs_by_name["message"].fields
    if field.name != "reconnect"
]
"""Every member of SignalResponse but the one that drives the session alone."""

KEY = ev.RequestKey(7, "add_track")
CLOSED = CloseReason(
    origin=Origin.SERVER, reason=Reason.ROOM_DELETED, detail="the room is gone", retryable=False
)

LOST = CloseReason(
    origin=Origin.LINK, reason=Reason.LINK_LOST, detail="the connection was cut", retryable=True
)

OTHERS: tuple[ev.Event, ...] = (
    ev.Closed(reason=CLOSED),
    ev.RequestQueued(key=KEY),
    ev.RequestEnded(key=KEY, result=msg.TrackInfo(sid="TR_1"), failure=None),
    ev.RequestEnded(
        key=ev.RequestKey(8, "update_metadata"),
        result=None,
        failure=RequestFailure(reason=FailureReason.NOT_ALLOWED, message="no grant"),
    ),
    ev.UnknownMessage(field_numbers=(99,)),
    ev.UnknownMessage(field_numbers=()),
    ev.FrameRejected(detail="a field is cut", size=17),
    ev.ProtocolViolated(detail="a second join"),
    PeerStateChanged(target=PeerTarget.SUBSCRIBER, state=PeerState.CONNECTED),
    PeersConnected(),
    Negotiated(target=PeerTarget.PUBLISHER, offer_id=3),
    NegotiationFailed(
        target=PeerTarget.PUBLISHER, failure=NegotiationFailure.NO_ANSWER, detail="15 s are over"
    ),
    Lost(cause=LOST),
    Resuming(attempt=1, cause=LOST, next_in=0.0),
    Resumed(sid="PA_1", attempt=1),
    Restarting(attempt=2, cause=LOST, next_in=0.25),
    Restarted(
        sid="PA_2",
        attempt=2,
        lost_tracks=(msg.TrackPublishedResponse(cid="mic", track=msg.TrackInfo(sid="TR_1")),),
    ),
)
"""Events that are no message, in every shape."""


def official(variant: str, *, filled: bool = True, echo: str = "update_metadata") -> SignalResponse:
    """A response with that member: every field set, or none."""
    response = SignalResponse()
    field = SignalResponse.DESCRIPTOR.fields_by_name[variant]
    if field.message_type is None:
        setattr(response, variant, _scalar(field))
        return response
    member = getattr(response, variant)
    member.SetInParent()
    if filled:
        fill(member, echo)
    return response


def fill(message: Official, chosen: str = "") -> None:
    """Set every field, of each oneof the member ``chosen`` or the first."""
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None:
            members = [member.name for member in oneof.fields]
            if field.name != (chosen if chosen in members else members[0]):
                continue
        _fill_field(message, field)


def _fill_field(message: Official, field: Field) -> None:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name
        if entry["value"].message_type is None:
            value[_scalar(entry["key"])] = _scalar(entry["value"])
        else:
            fill(value[_scalar(entry["key"])])
    elif field.message_type is not None:
        fill(value.add() if field.is_repeated else value)
    elif field.is_repeated:
        value.append(_scalar(field))
    else:
        setattr(message, field.name, _scalar(field))


def _scalar(field: Field) -> object:
    match field.cpp_type:
        case SlowField.CPPTYPE_STRING:
            binary = field.type == SlowField.TYPE_BYTES
            return b"\x00\xff" if binary else f"a {field.name}"
        case SlowField.CPPTYPE_BOOL:
            return True
        case SlowField.CPPTYPE_ENUM:
            assert field.enum_type is not None
            return field.enum_type.values[-1].number
        case SlowField.CPPTYPE_FLOAT | SlowField.CPPTYPE_DOUBLE:
            return 0.5
        case SlowField.CPPTYPE_INT64 | SlowField.CPPTYPE_UINT64:
            return 2**53 + 1
        case _:
            return 3


def event_from(response: SignalResponse) -> ev.ServerEvent:
    """The event that a session makes of it."""
    ours = decode_response(response.SerializeToString())
    variant = response.WhichOneof("message")
    assert variant is not None
    if ours.join is not None:
        return joined_of(ours.join, PATH)
    event = event_of(variant, getattr(ours, variant))
    assert event is not None
    return event


def every_event() -> list[ev.Event]:
    """All of them, those that are messages both full and empty."""
    return [
        *(event_from(official(variant)) for variant in VARIANTS),
        *(event_from(official(variant, filled=False)) for variant in VARIANTS),
        *OTHERS,
    ]
