"""The generated messages: complete by name, quiet at import, silent about secrets."""

import copy
import functools
import re
import subprocess
import sys
from collections.abc import Callable

import betterproto2
import pytest

from kitwire import messages
from kitwire.codec import decode_message
from kitwire.messages._base import REDACTED, Message
from kitwire.messages._secrets import PERSONAL_FIELDS, SECRET_FIELDS

CANARY = "eyJhbGciOi.canary"

PUBLIC_IN_SPITE_OF_THEIR_NAME = {
    "DataStreamChunk.iv",  # an initialisation vector is sent in the clear by design
    "EncryptedPacket.iv",
    "SimulcastCodecInfo.sdp_cid",  # a track id
    "UserPacket.nonce",  # tells packets apart
}
SOUNDS_SECRET = re.compile(
    r"token|pass|secret|cred|key|sdp|candidate|ufrag|pwd|auth|trailer|user.?name|nonce|^iv$|join_req"
)


def message_classes() -> list[type[Message]]:
    found: list[type[Message]] = []
    for name in messages.__all__:
        item: object = getattr(messages, name)
        if isinstance(item, type) and issubclass(item, Message):
            found.append(item)
    return found


@functools.cache
def metadata(cls: type[Message]) -> betterproto2.ProtoClassMetadata:
    return betterproto2.ProtoClassMetadata(cls)


def single_value(meta: betterproto2.FieldMetadata, cls: type, text: str) -> object:
    """A value that is not the default, with `text` in it where text fits."""
    if issubclass(cls, Message):
        return filled(cls)
    if meta.proto_type == betterproto2.TYPE_STRING:
        return text
    if meta.proto_type == betterproto2.TYPE_BYTES:
        return text.encode()
    assert issubclass(cls, int | float)  # bools and enums are integers too
    return cls(1)


def value_for(cls: type[Message], name: str) -> object:
    about = metadata(cls)
    meta = about.meta_by_field_name[name]
    text = f"{CANARY} {cls.__name__}.{name}."
    if meta.map_meta is not None:
        key_meta, value_meta = meta.map_meta
        key = text if key_meta.proto_type == betterproto2.TYPE_STRING else 1
        return {key: single_value(value_meta, about.cls_by_field[f"{name}.value"], text)}
    value = single_value(meta, about.cls_by_field[name], text)
    return [value] if meta.repeated else value


def filled(cls: type[Message]) -> Message:
    """A message with every field set, nested ones too (two arms of a oneof at once as well)."""
    return cls(**{name: value_for(cls, name) for name in metadata(cls).meta_by_field_name})


def text_attributes() -> list[tuple[type[Message], str]]:
    found = []
    for cls in message_classes():
        for name, meta in metadata(cls).meta_by_field_name.items():
            kinds = {meta.proto_type} | {part.proto_type for part in meta.map_meta or ()}
            if kinds & {betterproto2.TYPE_STRING, betterproto2.TYPE_BYTES}:
                found.append((cls, name))
    return found


# -- the package -----------------------------------------------------------------------------------


def test_every_message_and_enum_is_there_by_name() -> None:
    assert len(messages.__all__) == len(set(messages.__all__))
    for name in messages.__all__:
        item: object = getattr(messages, name)
        assert isinstance(item, type)
        assert issubclass(item, (Message, betterproto2.Enum))
        assert item.__name__ == name
        assert item.__module__ == "kitwire.messages"
        assert item.__doc__


def test_import_warns_of_nothing_and_brings_no_second_protobuf() -> None:
    code = (
        "import sys, kitwire.messages;"
        "unwanted = {'google', 'livekit', 'pydantic'};"
        "print(sorted(unwanted & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


# -- the classes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", message_classes(), ids=lambda cls: cls.__name__)
def test_every_class_starts_empty_and_compares_by_value(cls: type[Message]) -> None:
    assert bytes(cls()) == b""
    assert cls() == cls()
    assert repr(cls()) == f"{cls.__name__}()"
    if metadata(cls).meta_by_field_name:
        assert filled(cls) == filled(cls) != cls()


def test_deprecated_fields_are_set_without_a_warning() -> None:
    """The suite runs with warnings as errors, so a warning here would fail."""
    layers = messages.UpdateVideoLayers(track_sid="TR_1")
    request = messages.SignalRequest(update_layers=layers)
    assert request == messages.SignalRequest(update_layers=layers)
    request.update_layers = None
    assert repr(request) == "SignalRequest()"
    for cls in message_classes():
        filled(cls)


def test_copies_keep_unknown_fields() -> None:
    original = messages.SignalResponse.parse(bytes.fromhex("f80601820101") + b"t")
    for copied in (copy.copy(original), copy.deepcopy(original)):
        assert copied == original
        assert bytes(copied) == bytes.fromhex("82010174f80601")


def test_a_copy_is_shallow_and_a_deep_copy_is_deep() -> None:
    original = messages.SpeakersChanged(speakers=[messages.SpeakerInfo(sid="PA_1")])
    shallow, deep = copy.copy(original), copy.deepcopy(original)
    original.speakers[0].sid = "PA_2"
    assert shallow.speakers[0].sid == "PA_2"
    assert deep.speakers[0].sid == "PA_1"


# -- secrets ---------------------------------------------------------------------------------------


def test_repr_shows_what_is_set_and_not_what_is_secret() -> None:
    response = messages.SignalResponse(refresh_token=CANARY)
    assert repr(response) == f"SignalResponse(refresh_token='{REDACTED}')"
    description = messages.SessionDescription(type="offer", sdp="a=ice-pwd:" + CANARY, id=3)
    request = messages.JoinRequest(publisher_offer=description)
    assert repr(request) == (
        "JoinRequest(publisher_offer=SessionDescription(type='offer', sdp='<redacted>', id=3))"
    )
    assert repr(messages.WrappedJoinRequest(join_request=b"x")) == (
        "WrappedJoinRequest(join_request='<redacted>')"
    )


def test_repr_says_how_many_bytes_are_unknown_but_not_which() -> None:
    shown = repr(messages.Ping.parse(b"\x08\x01\x9a\x06\x03abc"))
    assert shown == "Ping(timestamp=1, <6 unknown bytes>)"


@pytest.mark.parametrize("cls", message_classes(), ids=lambda cls: cls.__name__)
def test_no_repr_shows_a_secret_however_deep(cls: type[Message]) -> None:
    shown = repr(filled(cls))
    for owner, names in SECRET_FIELDS.items():
        for name in names:
            assert f"{owner}.{name}." not in shown
    own_secrets = SECRET_FIELDS.get(cls.__name__, frozenset())
    for owner_class, name in text_attributes():
        if owner_class is cls:
            assert (f"{cls.__name__}.{name}." in shown) == (name not in own_secrets)


def test_the_nested_reprs_do_show_something() -> None:
    """Or the test before would be satisfied by an empty repr."""
    shown = repr(filled(messages.SignalResponse))
    assert shown.count(REDACTED) > 10
    assert f"{CANARY} RequestResponse.message." in shown
    assert "TrickleRequest(candidate_init='<redacted>'" in shown


def test_the_table_names_attributes_that_exist() -> None:
    known = {(cls.__name__, name) for cls, name in text_attributes()}
    for table in (SECRET_FIELDS, PERSONAL_FIELDS):
        assert {(cls, name) for cls, names in table.items() for name in names} <= known
    assert not {(c, n) for c, names in SECRET_FIELDS.items() for n in names} & {
        (c, n) for c, names in PERSONAL_FIELDS.items() for n in names
    }


def test_every_field_that_sounds_secret_is_secret_or_excused() -> None:
    sounding = {
        f"{cls.__name__}.{name}" for cls, name in text_attributes() if SOUNDS_SECRET.search(name)
    }
    secret = {f"{cls}.{name}" for cls, names in SECRET_FIELDS.items() for name in names}
    assert sounding - secret == PUBLIC_IN_SPITE_OF_THEIR_NAME
    assert secret - sounding == set()


@pytest.mark.parametrize(
    "field",
    [
        "IceServer.credential",
        "IceServer.username",
        "JoinResponse.sif_trailer",
        "Room.turn_password",
        "RoomMovedResponse.token",
        "SessionDescription.sdp",
        "SignalResponse.refresh_token",
        "TrickleRequest.candidate_init",
        "WrappedJoinRequest.join_request",
    ],
)
def test_known_secrets_are_in_the_table(field: str) -> None:
    owner, _, name = field.partition(".")
    assert name in SECRET_FIELDS[owner]


# --- what is absent ---


@pytest.mark.parametrize("cls", message_classes())
def test_what_is_absent_is_what_the_constructor_stores(cls: type[Message]) -> None:
    """A message that was read stores what came; its class holds the rest."""
    read, made = decode_message(cls, b""), cls()
    assert vars(read) == {}
    for name, zero in vars(made).items():
        assert getattr(read, name) == zero
        assert type(getattr(read, name)) is type(zero)
    assert read == made
    assert bytes(read) == b""
    assert repr(read) == repr(made)
    assert copy.deepcopy(read) == made


def test_a_choice_stores_the_member_that_there_is() -> None:
    offer = messages.SessionDescription(sdp="v=0")
    chosen = messages.SignalRequest(offer=offer, answer=None)
    assert vars(chosen) == {"offer": offer}
    assert chosen.answer is None
    assert chosen == messages.SignalRequest.parse(bytes(chosen))


def test_a_choice_is_told_of_a_member_that_it_does_not_have() -> None:
    constructor: Callable[..., messages.SignalRequest] = messages.SignalRequest
    with pytest.raises(TypeError, match="SignalRequest has no field of the name 'ofer'"):
        constructor(ofer=messages.SessionDescription())


def test_a_list_or_dict_that_is_absent_is_made_for_each_message() -> None:
    one, other = (decode_message(messages.ParticipantInfo, b"") for _ in range(2))
    one.tracks.append(messages.TrackInfo(sid="TR_1"))
    one.attributes["a"] = "b"
    assert one.tracks is one.tracks
    assert (other.tracks, other.attributes) == ([], {})
    assert one == messages.ParticipantInfo(
        tracks=[messages.TrackInfo(sid="TR_1")], attributes={"a": "b"}
    )
    assert one != other


def test_a_class_has_no_list_of_its_own() -> None:
    assert not isinstance(vars(messages.ParticipantInfo)["tracks"], list)
    assert messages.ParticipantInfo.tracks is vars(messages.ParticipantInfo)["tracks"]
