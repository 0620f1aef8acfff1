"""What Intel TDX defines: quotes, TD reports, event logs."""
