"""Endorsement of attestation reports: AMD's certificates, what they vouch for, and what a key broker demands."""
