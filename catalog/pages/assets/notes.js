// Notes of the readers of evidence: a code with its severity, as in catalog/notes.py, and a text.

const SEVERITIES = {
  "debug-allowed": "danger",
  "key-sharing-allowed": "warning",
  "migration-agent-allowed": "warning",
  "requested-by-host": "warning",
  "sending-allowed": "warning",
  "signed-by-vlek": "info",
  "vmpl-above-0": "info",
};

export const note = (code, text) => ({ code, severity: SEVERITIES[code], text });
