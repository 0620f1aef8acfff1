"""The forms of evidence, one file each; `sniff` imports a file only when it has recognised the form."""
