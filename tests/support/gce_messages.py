"""The messages of GCE launch endorsements as classes of Google's protobuf library, made from a table of their fields.

Source: google/gce-tcb-verifier, proto/endorsement.proto.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto

_SCALARS = {
    "bytes": _Field.TYPE_BYTES,
    "u32": _Field.TYPE_UINT32,
    "u64": _Field.TYPE_UINT64,
    "i64": _Field.TYPE_INT64,
    "i32": _Field.TYPE_INT32,
    "bool": _Field.TYPE_BOOL,
}
_MESSAGES = {
    "Endorsement": {1: ("golden", "bytes"), 2: ("signature", "bytes")},
    "Time": {1: ("seconds", "i64"), 2: ("nanos", "i32")},
    "Golden": {
        1: ("timestamp", "Time"),
        2: ("cl_spec", "u64"),
        3: ("commit", "bytes"),
        4: ("cert", "bytes"),
        5: ("digest", "bytes"),
        6: ("ca_bundle", "bytes"),
        7: ("sev_snp", "SevSnp"),
        8: ("tdx", "Tdx"),
    },
    "Tdx": {1: ("svn", "u32"), 2: ("measurements", "several Measurement")},
    "Measurement": {1: ("ram_gib", "u32"), 2: ("early_accept", "bool"), 3: ("mrtd", "bytes")},
    "SevSnp": {
        1: ("svn", "u32"),
        2: ("measurements", "map"),
        3: ("family_id", "bytes"),
        4: ("image_id", "bytes"),
        5: ("policy", "u64"),
        6: ("ca_bundle", "bytes"),
        7: ("svsm_measurement", "bytes"),
    },
}
_ENTRY = "MeasurementsEntry"


@cache
def message_class(name: str) -> Any:
    """The class of a message: Endorsement, Golden, SevSnp."""
    file = descriptor_pb2.FileDescriptorProto(name="gce.proto", package="gce", syntax="proto3")
    for title, fields in _MESSAGES.items():
        made = file.message_type.add(name=title)
        for number, (field, kind) in fields.items():
            _add(made, number, field, kind)
        if any(kind == "map" for _, kind in fields.values()):
            entry = made.nested_type.add(name=_ENTRY)
            entry.options.map_entry = True
            _add(entry, 1, "key", "u32")
            _add(entry, 2, "value", "bytes")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"gce.{name}"))


def _add(message: Any, number: int, name: str, kind: str) -> None:
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    field.type = _Field.TYPE_MESSAGE
    several, _, of_kind = kind.rpartition(" ")
    field.type_name = f".gce.SevSnp.{_ENTRY}" if kind == "map" else f".gce.{of_kind}"
    if kind == "map" or several:
        field.label = _Field.LABEL_REPEATED
