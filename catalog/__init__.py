"""ldcat: the catalog of confidential-VM launch digests (AMD SEV, SEV-ES, SEV-SNP)."""

__version__ = "0.1.0"
