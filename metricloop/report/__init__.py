"""REPORT: pages for people: the study, an audit, a metric that was tried, the handbook. Imports `engineer`, `audit`."""
