"""AUDITING: which labels look wrong, and how well each metric finds the mistakes that are known. Imports `scoring`."""
