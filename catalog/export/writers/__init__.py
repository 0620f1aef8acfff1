"""Encodings that exports are written in: CBOR, COSE, protobuf and DSSE."""
