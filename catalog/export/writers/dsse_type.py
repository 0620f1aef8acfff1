"""The media type of a DSSE envelope, for whatever only names it: what signs envelopes takes long to load."""

MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
