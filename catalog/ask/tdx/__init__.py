"""What is said about a quote or TDREPORT: its facts, as text, and notes."""
