"""What the silicon says: bytes to frozen values and back. No files, no clock, no VMM names."""
