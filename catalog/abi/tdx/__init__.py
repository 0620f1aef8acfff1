"""What Intel's silicon and software define of a TD: quotes, TDREPORT, attributes."""
