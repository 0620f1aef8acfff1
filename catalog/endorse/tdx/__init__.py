"""Endorsement of TDX quotes: Intel's certificates, and what Intel says about the TCB of a platform."""
