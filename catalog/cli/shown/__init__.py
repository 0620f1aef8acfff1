"""What commands print of an answer that has many parts."""
