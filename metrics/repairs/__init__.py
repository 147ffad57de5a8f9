"""The catalogue of repairs, one module each; see metrics/repair_contract.py for what a repair is."""
