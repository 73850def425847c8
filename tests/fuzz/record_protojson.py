"""Records what Go's protojson, which LiveKit's server uses, makes of JSON frames.

    python -m tests.fuzz.record_protojson

Needs Go. Writes protojson.jsonl: good frames and mutated ones, each with the verdict. Only to be
run when the cases change; the tests read what was recorded.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
from pathlib import Path

from google.protobuf import descriptor_pb2, json_format
from google.protobuf.descriptor import FileDescriptor
from livekit.protocol import rtc

from kitwire.codec import Message

from .json_mutations import mutated_json
from .official import ROOTS, VARIANTS, descriptor_of, official_class
from .samples import populated

HERE = Path(__file__).parent
ORACLE = HERE / "protojson"
WANTED = 350
"""How many to keep of each verdict."""
LONGEST = 600
"""Characters: longer cases show nothing that shorter ones do not."""


def schema() -> bytes:
    """The official descriptors, for Go to build messages from."""
    found: dict[str, FileDescriptor] = {}

    def add(file: FileDescriptor) -> None:
        for dependency in file.dependencies:
            add(dependency)
        found.setdefault(file.name, file)

    add(rtc.DESCRIPTOR)
    files = descriptor_pb2.FileDescriptorSet()
    for file in found.values():
        file.CopyToProto(files.file.add())
    return files.SerializeToString()


def cases(rng: random.Random) -> list[tuple[type[Message], str]]:
    """Good frames first, then mutated ones."""
    good = []
    for _ in range(8):
        for cls, variant in (*VARIANTS, *((cls, None) for cls in ROOTS[2:])):
            message = populated(official_class(cls), rng, variant=variant)
            text = json_format.MessageToJson(
                message, indent=None, preserving_proto_field_name=rng.random() < 0.3
            )
            good.append((cls, text))
    short = [case for case in good if len(case[1]) < LONGEST]
    mutants = [(cls, mutated_json(rng, text)) for _ in range(20) for cls, text in short]
    return short[:150] + [case for case in mutants if len(case[1]) < LONGEST]


def question(cls: type[Message], text: str) -> str:
    """One line for the Go program."""
    name = descriptor_of(official_class(cls)).full_name
    return f"{name} {base64.b64encode(text.encode()).decode()}\n"


def main() -> None:
    """Ask Go about every case, and write down a selection."""
    (HERE / "schema.bin").write_bytes(schema())
    found = cases(random.Random("protojson"))
    questions = "".join(question(cls, text) for cls, text in found)
    answers = subprocess.run(
        ["go", "run", ".", str(HERE / "schema.bin")],
        cwd=ORACLE,
        input=questions.encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.splitlines()
    (HERE / "schema.bin").unlink()
    kept = {True: 0, False: 0}
    with (HERE / "protojson.jsonl").open("w") as out:
        for (cls, text), answer in zip(found, answers, strict=True):
            verdict = json.loads(answer)
            accepted = verdict["binary"] is not None
            if kept[accepted] < WANTED:
                kept[accepted] += 1
                out.write(json.dumps({"message": cls.__name__, "text": text, **verdict}) + "\n")


if __name__ == "__main__":
    main()
