"""What the silicon defines: bytes to frozen values and back. No files, no clock, no VMM names."""
